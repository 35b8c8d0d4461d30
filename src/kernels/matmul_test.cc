#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "kernels/scratch_for_tests.h"
#include "kernels/weight_memory.h"

namespace layerboost {
namespace {

std::vector<float> random_values(int count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

class MatmulTest : public testing::TestWithParam<Precision> {};

/// Every row bucket, and shapes that aren't multiples of anything, against sums in double.
TEST_P(MatmulTest, EqualsItsDefinition) {
  const Precision precision = GetParam();
  // f32: rounding of a sum of 100; bf16: operands of 8 bits; int8: operands of 7 bits, of the largest of a row.
  const double tolerance = precision == Precision::f32 ? 1e-4 : precision == Precision::bf16 ? 0.15 : 0.5;
  constexpr int in = 100, out = 77;
  const std::vector<float> weight = random_values(out * in, 1);
  const PackedMatrix matrix(out, in, precision, [&](std::int64_t first, std::int64_t count, float* rows) {
    std::copy_n(weight.data() + first * in, count * in, rows);
  });
  EXPECT_EQ(matrix.in(), in);
  EXPECT_EQ(matrix.out(), out);
  for (const int rows : {1, 2, 3, 5, 8, 9, 16, 17, 100, 255, 256}) {
    const std::vector<float> x = random_values(rows * in, 2);
    Activations operand;
    operand.reshape(rows, in, precision);
    pack_activations(x.data(), operand);
    std::vector<float> y(static_cast<std::size_t>((rows + 16) * out));
    const Product product = matrix.multiply(operand, y.data(), test::scratch());
    ASSERT_EQ(product.rows, rows);
    ASSERT_EQ(product.cols, out);
    for (int r = 0; r < rows; ++r)
      for (int o = 0; o < out; ++o) {
        double sum = 0;
        for (int i = 0; i < in; ++i)
          sum += static_cast<double>(x[static_cast<std::size_t>(r * in + i)]) *
                 static_cast<double>(weight[static_cast<std::size_t>(o * in + i)]);
        const float scale = product.row_scale != nullptr ? product.row_scale[r] : 1.0F;
        ASSERT_NEAR(product.data[r * out + o] * scale, sum, tolerance)
            << rows << " rows, row " << r << ", output " << o;
      }
  }
}

/// Where all products of a sum are as large as they can be, int8 must not saturate on its way.
TEST_P(MatmulTest, TheLargestValuesAreExact) {
  constexpr int in = 192, out = 40;
  const PackedMatrix matrix(out, in, GetParam(), [](std::int64_t first, std::int64_t count, float* rows) {
    for (std::int64_t i = 0; i < count * in; ++i) rows[i] = (first * in + i) % 7 < 6 ? 1.0F : -1.0F;
  });
  for (const int rows : {1, 3, 6, 64}) {
    std::vector<float> x(static_cast<std::size_t>(rows * in));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = i / in % 2 == 0 ? 1.0F : -1.0F;
    Activations operand;
    operand.reshape(rows, in, GetParam());
    pack_activations(x.data(), operand);
    std::vector<float> y(static_cast<std::size_t>((rows + 16) * out));
    const Product product = matrix.multiply(operand, y.data(), test::scratch());
    for (int r = 0; r < rows; ++r)
      for (int o = 0; o < out; ++o) {
        double sum = 0;
        for (int i = 0; i < in; ++i) sum += (o * in + i) % 7 < 6 ? 1 : -1;
        const float scale = product.row_scale != nullptr ? product.row_scale[r] : 1.0F;
        ASSERT_NEAR(product.data[r * out + o] * scale, r % 2 == 0 ? sum : -sum, 1e-4)
            << rows << " rows " << r << " " << o;
      }
  }
}

/// Under int8, too, where rounding alone would make a number of it.
TEST_P(MatmulTest, WhatIsNotANumberStaysSo) {
  constexpr int in = 100, out = 33, rows = 3;
  for (const float spoilt : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> weight = random_values(out * in, 1), x = random_values(rows * in, 2);
    weight[5 * in + 70] = spoilt;
    x[1 * in + 99] = spoilt;
    const PackedMatrix matrix(out, in, GetParam(), [&](std::int64_t first, std::int64_t count, float* to) {
      std::copy_n(weight.data() + first * in, count * in, to);
    });
    Activations operand;
    operand.reshape(rows, in, GetParam());
    pack_activations(x.data(), operand);
    std::vector<float> y((rows + 16) * out);
    const Product product = matrix.multiply(operand, y.data(), test::scratch());
    for (int r = 0; r < rows; ++r)
      for (int o = 0; o < out; ++o) {
        const float scale = product.row_scale != nullptr ? product.row_scale[r] : 1.0F;
        EXPECT_EQ(std::isfinite(product.data[r * out + o] * scale), r != 1 && o != 5) << r << " " << o;
      }
  }
}

TEST_P(MatmulTest, NoRowsGiveNothing) {
  const PackedMatrix matrix(16, 16, GetParam(),
                            [](std::int64_t, std::int64_t count, float* rows) { std::fill_n(rows, count * 16, 1.0F); });
  Activations none;
  none.reshape(0, 16, GetParam());
  float y[16 * 16];
  EXPECT_EQ(matrix.multiply(none, y, test::scratch()).rows, 0);
}

INSTANTIATE_TEST_SUITE_P(Precisions, MatmulTest, testing::Values(Precision::f32, Precision::bf16, Precision::int8));

TEST(EmptyMatrix, TakesNoMemory) { EXPECT_EQ(PackedMatrix().bytes(), 0U); }

TEST(WeightMemory, PartsAreAlignedAndApart) {
  const auto a = allocate_weights(100), b = allocate_weights(1), c = allocate_weights(std::size_t{300} << 20),
             d = allocate_weights(64);
  for (const auto* part : {&a, &b, &c, &d}) EXPECT_EQ(reinterpret_cast<std::uintptr_t>(part->get()) % 64, 0U);
  EXPECT_GE(b.get() - a.get(), 100);
  a.get()[99] = b.get()[0] = d.get()[63] = std::byte{7};
  c.get()[(std::size_t{300} << 20) - 1] = std::byte{7};
  EXPECT_EQ(a.get()[99], std::byte{7});
}

}  // namespace
}  // namespace layerboost
