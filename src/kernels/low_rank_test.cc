#include "kernels/low_rank.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"

namespace layerboost {
namespace {

/// Rows of random numbers in a precision, with some space between rows; values() as the products see them.
class TestRows {
 public:
  TestRows(int rows, int cols, Precision precision, std::uint64_t seed) : cols_(cols), stride_(cols + 3) {
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
  [[nodiscard]] InputRows in() const { return {data_, stride_}; }
  [[nodiscard]] double at(int i, int j) const {
    return static_cast<double>(f32_[static_cast<std::size_t>(i * stride_ + j)]);
  }
  [[nodiscard]] int cols() const { return cols_; }

 private:
  int cols_, stride_;
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

TEST(ThinMatrix, ProjectsAndExpands) {
  everywhere([](const Case& c, Precision precision) {
    const TestRows x(c.n, c.cols, precision, 1), t(c.n, c.rank, precision, 2);
    const std::vector<float> m = matrix(c, 3);
    const auto weight = [&](int r, int j) {
      return 2.0 * static_cast<double>(m[static_cast<std::size_t>(r * c.cols + j)]);
    };
    ThinMatrix thin(c.rank, c.cols, precision);
    thin.assign(m.data(), 2);

    const int wide = thin.projected_cols() + 5;
    std::vector<float> f32(static_cast<std::size_t>(c.n * wide));
    std::vector<std::uint16_t> bf16(f32.size());
    thin.project(x.in(), c.n, {precision == Precision::f32 ? static_cast<void*>(f32.data()) : bf16.data(), wide});
    std::vector<float> y(static_cast<std::size_t>(c.n * c.cols), 1);
    thin.expand(t.in(), c.n, y.data(), c.cols);

    for (int i = 0; i < c.n; ++i) {
      for (int r = 0; r < thin.projected_cols(); ++r) {
        double expected = 0;
        for (int j = 0; r < c.rank && j < c.cols; ++j) expected += x.at(i, j) * weight(r, j);
        const auto at = static_cast<std::size_t>(i * wide + r);
        const float got = precision == Precision::f32 ? f32[at] : from_bf16(bf16[at]);
        ASSERT_NEAR(got, expected, precision == Precision::f32 ? 1e-3 : 0.004 * std::abs(expected) + 1e-3);
      }
      for (int j = 0; j < c.cols; ++j) {
        double expected = 1;
        for (int r = 0; r < c.rank; ++r) expected += t.at(i, r) * weight(r, j);
        ASSERT_NEAR(y[static_cast<std::size_t>(i * c.cols + j)], expected, 1e-4);
      }
    }
  });
}

TEST(ThinMatrix, GradientsAddUp) {
  everywhere([](const Case& c, Precision precision) {
    const TestRows x(c.n, c.cols, precision, 1), t(c.n, c.rank, precision, 2);
    std::vector<float> g(static_cast<std::size_t>(c.rank * c.cols), 3);
    add_outer_products(t.in(), x.in(), c.n, c.rank, c.cols, precision, 0.5F, g.data());
    for (int r = 0; r < c.rank; ++r)
      for (int j = 0; j < c.cols; ++j) {
        double expected = 3;
        for (int i = 0; i < c.n; ++i) expected += 0.5 * t.at(i, r) * x.at(i, j);
        ASSERT_NEAR(g[static_cast<std::size_t>(r * c.cols + j)], expected, 2e-4);
      }
  });
}

}  // namespace
}  // namespace layerboost
