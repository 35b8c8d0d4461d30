#include "kernels/panels.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/random.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"
#include "kernels/scratch_for_tests.h"

namespace layerboost {
namespace {

constexpr Precision kPrecisions[] = {Precision::f32, Precision::bf16, Precision::int8};

class Panels : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this machine has no " << name_of(GetParam());
    use_isa(GetParam());
  }
  void TearDown() override { use_isa(best_isa()); }
};

/// Writes number i of `numbers`, drawn at random, int8 from all values that there are, and returns what it stands for.
double put_random(Random& random, Precision precision, void* numbers, int i) {
  if (precision == Precision::int8)
    return static_cast<std::int8_t*>(numbers)[i] = static_cast<std::int8_t>(static_cast<int>(random.below(255)) - 127);
  const auto value = static_cast<float>(random.normal());
  if (precision == Precision::f32) return static_cast<float*>(numbers)[i] = value;
  return from_bf16(static_cast<std::uint16_t*>(numbers)[i] = to_bf16(value));
}

/// A product of random operands [rows, in] and [out, in].
struct RandomProduct {
  RandomProduct(int rows, int out, int in, Precision precision) : outputs(out) {
    Random random(1);
    x.reshape(rows, in, precision);
    std::vector<float> weight(static_cast<std::size_t>(out * in));  // room for any precision
    std::vector<double> a, b;
    for (int i = 0; i < rows * in; ++i) a.push_back(put_random(random, precision, x.f32(0), i));
    for (int i = 0; i < out * in; ++i) b.push_back(put_random(random, precision, weight.data(), i));
    for (int o = 0; o < out; ++o) scales.push_back(precision == Precision::int8 ? std::ldexp(1.0F, o % 5 - 3) : 1);
    for (int r = 0; r < rows; ++r)
      for (int o = 0; o < out; ++o) {
        double sum = 0, size = 0;
        for (int i = 0; i < in; ++i) {
          const double product = a[static_cast<std::size_t>(r * in + i)] * b[static_cast<std::size_t>(o * in + i)];
          sum += product;
          size += std::fabs(product);
        }
        expected.push_back(sum * static_cast<double>(scales[static_cast<std::size_t>(o)]));
        tolerance.push_back(precision == Precision::int8 ? 0 : size * 1e-6);
      }
    panels.resize(panel_bytes(out, in, precision));
    pack_panels(reinterpret_cast<const std::byte*>(weight.data()), out, in, precision, panels.data());
  }

  [[nodiscard]] std::vector<float> multiply(const Activations& rows) const {
    std::vector<float> y(static_cast<std::size_t>(rows.rows() * outputs));
    multiply_panels(rows, panels.data(), outputs, scales.data(), y.data(), test::scratch());
    return y;
  }

  int outputs;
  Activations x;
  std::vector<std::byte> panels;
  std::vector<float> scales;                // [out]
  std::vector<double> expected, tolerance;  // [rows, out]
};

/// int8 exactly, whatever its values: all sums here are whole numbers below 2^24, the scales powers of two.
TEST_P(Panels, MultiplyAsDefined) {
  for (const Precision precision : kPrecisions)
    for (const int rows : {1, 2, 3, 4, 5, 6, 7, 13, 256})
      for (const auto& [out, in] : {std::pair{16, 2}, {1, 1}, {15, 33}, {77, 100}, {48, 577}}) {
        const RandomProduct product(rows, out, in, precision);
        const std::vector<float> y = product.multiply(product.x);
        for (std::size_t i = 0; i < y.size(); ++i)
          ASSERT_NEAR(y[i], product.expected[i], product.tolerance[i])
              << rows << " x " << out << " x " << in << ", number " << i;
      }
}

TEST_P(Panels, NeitherThreadsNorOtherRowsChangeARow) {
  for (const Precision precision : kPrecisions) {
    constexpr int rows = 37, in = 99, out = 130;
    const RandomProduct product(rows, out, in, precision);
    const std::vector<float> all = product.multiply(product.x);
    const int before = omp_get_max_threads();
    for (const int threads : {1, 3}) {
      omp_set_num_threads(threads);
      EXPECT_EQ(product.multiply(product.x), all);
    }
    omp_set_num_threads(before);
    Activations alone;
    alone.reshape(1, in, precision);
    const auto row_bytes = static_cast<std::size_t>(in * element_bytes(precision));
    for (const int row : {0, 5, 36}) {
      std::copy_n(reinterpret_cast<const std::byte*>(product.x.f32(0)) + row_bytes * static_cast<std::size_t>(row),
                  row_bytes, reinterpret_cast<std::byte*>(alone.f32(0)));
      EXPECT_EQ(product.multiply(alone), std::vector<float>(all.begin() + row * out, all.begin() + (row + 1) * out));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Panels, testing::Values(Isa::avx2, Isa::avx512));

}  // namespace
}  // namespace layerboost
