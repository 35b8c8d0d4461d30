#include "kernels/low_rank.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"
#include "kernels/scratch_for_tests.h"

namespace layerboost {
namespace {

/// Rows of random numbers in a precision, with some space between rows; values() as the products see them.
class TestRows {
 public:
  TestRows(int rows, int cols, Precision precision, std::uint64_t seed) : stride_(cols + 3) {
    Random random(seed);
    const auto size = static_cast<std::size_t>((rows + 1) * stride_);
    f32_.resize(size);
    bf16_.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      bf16_[i] = to_bf16(static_cast<float>(random.normal()));
      f32_[i] = from_bf16(bf16_[i]);
    }
    data_ = precision == Precision::f32 ? static_cast<void*>(f32_.data()) : bf16_.data();
  }
  [[nodiscard]] const void* in() const { return data_; }
  [[nodiscard]] std::ptrdiff_t stride() const { return stride_; }
  [[nodiscard]] double at(int i, int j) const {
    return static_cast<double>(f32_[static_cast<std::size_t>(i * stride_ + j)]);
  }

 private:
  int stride_;
  std::vector<float> f32_;
  std::vector<std::uint16_t> bf16_;
  void* data_ = nullptr;
};

struct Case {
  int n, rank, cols;
};
constexpr Case cases[] = {{1, 1, 16}, {5, 16, 64}, {37, 24, 80}, {256, 48, 576}, {70, 7, 176}, {31, 64, 112}};

/// Calls test(case, precision) at every level of the machine.
template <typename Test>
void everywhere(const Test& test) {
  const Isa best = best_isa();
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (isa > best) continue;
    use_isa(isa);
    for (const Precision precision : {Precision::f32, Precision::bf16})
      for (const Case& c : cases) {
        SCOPED_TRACE(testing::Message() << name_of(isa) << " n " << c.n << " rank " << c.rank << " cols " << c.cols);
        test(c, precision);
      }
  }
  use_isa(best);
}

std::vector<float> matrix(const Case& c, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(c.rank * c.cols));
  for (float& v : values) v = from_bf16(to_bf16(static_cast<float>(random.normal())));
  return values;
}

/// What an update kept: t(i, r).
class Kept {
 public:
  Kept(int columns, Precision precision) : precision_(precision) {
    f32_.assign(static_cast<std::size_t>(columns * low_rank_rows), NAN);
    bf16_.assign(f32_.size(), 0x7fc0);
  }
  [[nodiscard]] void* data() { return precision_ == Precision::f32 ? static_cast<void*>(f32_.data()) : bf16_.data(); }
  [[nodiscard]] double at(int i, int r) const {
    const auto index = static_cast<std::size_t>(r * low_rank_rows + i);
    return static_cast<double>(precision_ == Precision::f32 ? f32_[index] : from_bf16(bf16_[index]));
  }

 private:
  Precision precision_;
  std::vector<float> f32_;
  std::vector<std::uint16_t> bf16_;
};

TEST(LowRank, UpdatesWithTwoParts) {
  everywhere([](const Case& c, Precision precision) {
    const TestRows x(c.n, 2 * c.cols, precision, 1);
    const std::vector<float> values[] = {matrix(c, 3), matrix(c, 4), matrix({0, 2 * c.rank, c.cols}, 5)};
    ThinMatrix left(c.rank, c.cols, precision), right(c.rank, c.cols, precision), back(2 * c.rank, c.cols, precision);
    left.assign(values[0].data(), 2);
    right.assign(values[1].data(), 1);
    back.assign(values[2].data(), 0.125);
    const ThinPart down[] = {{&left, 0, 0}, {&right, c.rank, c.cols}}, up[] = {{&back, 0, 16}};
    Kept kept(low_rank_columns(down), precision);
    std::vector<float> y(static_cast<std::size_t>(c.n * (c.cols + 20)), 1);
    low_rank_update({down, up, x.in(), x.stride(), y.data(), c.cols + 20, c.n, kept.data(), 2}, test::scratch());

    const auto value = [&](int which, int r, int j) {
      return static_cast<double>(values[which][static_cast<std::size_t>(r * c.cols + j)]);
    };
    const double tolerance = precision == Precision::f32 ? 1e-5 : 0.004;
    for (int i = 0; i < c.n; ++i) {
      std::vector<double> t(static_cast<std::size_t>(2 * c.rank));
      for (int r = 0; r < 2 * c.rank; ++r) {
        double& sum = t[static_cast<std::size_t>(r)];
        for (int j = 0; j < c.cols; ++j)
          sum += r < c.rank ? 2 * x.at(i, j) * value(0, r, j) : x.at(i, c.cols + j) * value(1, r - c.rank, j);
        ASSERT_NEAR(kept.at(i, r), 2 * sum, tolerance * (std::abs(2 * sum) + std::sqrt(c.cols)));
      }
      double size = 0;
      for (const double number : t) size += std::abs(number);
      for (int j = 0; j < c.cols + 20; ++j) {
        double expected = 1;
        for (int r = 0; r < 2 * c.rank && j >= 16 && j < 16 + c.cols; ++r)
          expected += t[static_cast<std::size_t>(r)] * 0.125 * value(2, r, j - 16);
        ASSERT_NEAR(y[static_cast<std::size_t>(i * (c.cols + 20) + j)], expected, tolerance * (size + 1));
      }
    }
  });
}

TEST(LowRank, GradientsAddUp) {
  everywhere([](const Case& c, Precision precision) {
    const TestRows x(c.n, c.cols, precision, 1), other(c.n, 48, precision, 2);
    const std::vector<float> values = matrix(c, 3);
    ThinMatrix m(c.rank, c.cols, precision);
    m.assign(values.data(), 0.1F);
    const ThinPart down[] = {{&m, 0, 0}};
    Kept kept(low_rank_columns(down), precision);
    low_rank_update({down, {}, x.in(), x.stride(), nullptr, 0, c.n, kept.data(), 1}, test::scratch());
    std::vector<float> g(static_cast<std::size_t>(c.rank * c.cols), 3), h(static_cast<std::size_t>(c.rank * 48), 0);
    const OuterProducts products[] = {{kept.data(), x.in(), x.stride(), c.rank, c.cols, g.data()},
                                      {kept.data(), other.in(), other.stride(), c.rank, 48, h.data()}};
    add_outer_products(products, c.n, precision);
    for (int r = 0; r < c.rank; ++r) {
      for (int j = 0; j < c.cols; ++j) {
        double expected = 3, size = 1;
        for (int i = 0; i < c.n; ++i) expected += kept.at(i, r) * x.at(i, j), size += std::abs(kept.at(i, r));
        ASSERT_NEAR(g[static_cast<std::size_t>(r * c.cols + j)], expected, 1e-5 * size);
      }
      double expected = 0, size = 1;
      for (int i = 0; i < c.n; ++i) expected += kept.at(i, r) * other.at(i, 47), size += std::abs(kept.at(i, r));
      ASSERT_NEAR(h[static_cast<std::size_t>(r * 48 + 47)], expected, 1e-5 * size);
    }
  });
}

}  // namespace
}  // namespace layerboost
