// Every row operation on every level that this machine has, against the definition in double.
#include "kernels/row_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "kernels/bf16.h"
#include "kernels/dispatch.h"
#include "kernels/scratch_for_tests.h"

namespace layerboost {
namespace {

std::vector<float> random_row(int n, unsigned seed, float spread = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> row(static_cast<std::size_t>(n));
  for (float& x : row) x = normal(random);
  return row;
}

std::size_t at(int i) { return static_cast<std::size_t>(i); }

class RowOps : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this machine has no " << name_of(GetParam());
    use_isa(GetParam());
  }
  void TearDown() override { use_isa(best_isa()); }
};

INSTANTIATE_TEST_SUITE_P(Levels, RowOps, testing::Values(Isa::avx2, Isa::avx512),
                         [](const auto& level) { return std::string(name_of(level.param)); });

/// Whether `out` holds `expected` [rows, cols] to its precision: f32 to `f32_error`, bf16 to half a unit of its 8 bits
/// (2^-9) more, int8 to half a step of scale = max / 127, which must be the row's scale.
void expect_rows(const Activations& out, const std::vector<double>& expected, double f32_error = 2e-6) {
  for (int i = 0; i < out.rows(); ++i) {
    const double* row = expected.data() + at(i) * at(out.cols());
    double most = 0;
    for (int j = 0; j < out.cols(); ++j) most = std::max(most, std::abs(row[j]));
    for (int j = 0; j < out.cols(); ++j) {
      const double slack = f32_error * (std::abs(row[j]) + 0.1);
      if (out.precision() == Precision::f32) {
        ASSERT_NEAR(out.f32(i)[j], row[j], slack) << i << " " << j;
      } else if (out.precision() == Precision::bf16) {
        ASSERT_NEAR(from_bf16(out.bf16(i)[j]), row[j], std::abs(row[j]) / 256 + slack) << i << " " << j;
      } else {
        ASSERT_NEAR(out.scales()[i], most / 127, most * 1e-5);
        ASSERT_NEAR(out.int8(i)[j] * static_cast<double>(out.scales()[i]), row[j], most / 127 * 0.5001 + slack);
      }
    }
  }
}

constexpr Precision kPrecisions[] = {Precision::f32, Precision::bf16, Precision::int8};

TEST_P(RowOps, RmsNormOfNamedRows) {
  for (const Precision precision : kPrecisions) {
    for (const int cols : {1, 7, 16, 33, 576}) {
      const auto x = random_row(5 * cols, 1), weight = random_row(cols, 2);
      const std::vector<int> index = {3, 0, 4};
      Activations out;
      out.reshape(3, cols, precision);
      rms_norm(x.data(), index, weight.data(), 1e-5f, out, test::scratch());
      std::vector<double> expected;
      for (const int row : index) {
        const float* v = x.data() + row * cols;
        double squares = 0;
        for (int j = 0; j < cols; ++j) squares += static_cast<double>(v[j]) * v[j];
        for (int j = 0; j < cols; ++j) expected.push_back(v[j] / std::sqrt(squares / cols + 1e-5) * weight[at(j)]);
      }
      expect_rows(out, expected);
    }
  }
}

TEST_P(RowOps, AddRowsGoesToTheNamedRows) {
  const int cols = 21;
  const auto y = random_row(2 * cols, 1), scales = random_row(2, 2);
  const std::vector<int> index = {2, 0};
  std::vector<float> x(3 * cols, 1.0f);
  add_rows(x.data(), index, {y.data(), scales.data(), 2, cols});
  for (int j = 0; j < cols; ++j) {
    EXPECT_NEAR(x[at(2 * cols + j)], 1 + y[at(j)] * scales[0], 1e-6);
    EXPECT_NEAR(x[at(j)], 1 + y[at(cols + j)] * scales[1], 1e-6);
    EXPECT_EQ(x[at(cols + j)], 1.0f);
  }
  std::vector<float> half(2 * cols, 1.0f);
  add_rows(half.data(), {}, {y.data(), nullptr, 2, cols}, 0.5f);
  for (int j = 0; j < 2 * cols; ++j) EXPECT_NEAR(half[at(j)], 1 + y[at(j)] / 2, 1e-6);
}

TEST_P(RowOps, AddNormedRows) {
  const int cols = 37;
  const auto y = random_row(2 * cols, 1), scales = random_row(2, 2), weight = random_row(cols, 3);
  const std::vector<int> index = {2, 0};
  std::vector<float> x(3 * cols, 1.0f);
  add_normed_rows(x.data(), index, {y.data(), scales.data(), 2, cols}, weight.data(), 1e-3f, 0.5f, test::scratch());
  for (int i = 0; i < 2; ++i) {
    double squares = 0;
    for (int j = 0; j < cols; ++j) squares += std::pow(y[at(i * cols + j)] * static_cast<double>(scales[at(i)]), 2);
    const double size = std::sqrt(squares / cols + 1e-3f);
    for (int j = 0; j < cols; ++j) {
      const double normed = y[at(i * cols + j)] * static_cast<double>(scales[at(i)]) / size * weight[at(j)];
      EXPECT_NEAR(x[at(index[at(i)] * cols + j)], 1 + normed / 2, 1e-5);
    }
  }
  for (int j = 0; j < cols; ++j) EXPECT_EQ(x[at(cols + j)], 1.0f);
}

TEST_P(RowOps, PackRows) {
  const int cols = 21;
  const auto x = random_row(3 * cols, 1);
  const std::vector<int> index = {2, 0};
  Activations out;
  out.reshape(2, cols, Precision::f32);
  pack_rows(x.data(), index, out);
  for (int j = 0; j < cols; ++j) {
    EXPECT_EQ(out.f32(0)[j], x[at(2 * cols + j)]);
    EXPECT_EQ(out.f32(1)[j], x[at(j)]);
  }
}

TEST_P(RowOps, AddBiasInPlace) {
  const int cols = 37;
  auto y = random_row(2 * cols, 1);
  const auto before = y, bias = random_row(cols, 2), scales = random_row(2, 3);
  const Product sum = add_bias({y.data(), scales.data(), 2, cols}, bias.data(), y.data());
  EXPECT_EQ(sum.data, y.data());
  EXPECT_EQ(sum.row_scale, nullptr);
  for (int j = 0; j < 2 * cols; ++j) {
    EXPECT_NEAR(y[at(j)], before[at(j)] * scales[at(j / cols)] + bias[at(j % cols)], 1e-6);
  }
}

TEST_P(RowOps, SoftCap) {
  // Small ones as they are, large ones at the cap; both ends of the tanh's two formulas, and a row's rest.
  std::vector<float> y = random_row(333, 1, 50);
  for (const float size : {0.0f, 1e-30f, 1e-6f, 0.02f, 0.35f, 5.0f, 30.0f, 1e4f, 3e38f}) {
    y.push_back(size);
    y.push_back(-size);
  }
  y.insert(y.end(), {std::numeric_limits<float>::infinity(), NAN});
  const int cols = static_cast<int>(y.size());
  std::vector<float> rows = y, scales = {1, 0.5f};
  rows.insert(rows.end(), y.begin(), y.end());
  const Product capped = soft_cap_rows({rows.data(), scales.data(), 2, cols}, 30, rows.data());
  EXPECT_EQ(capped.row_scale, nullptr);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < cols - 2; ++j) {
      const double expected = 30 * std::tanh(y[at(j)] * static_cast<double>(scales[at(i)]) / 30);
      ASSERT_NEAR(capped.data[i * cols + j], expected, 5e-7 * std::abs(expected)) << y[at(j)];
    }
    // What a cap would hide is seen.
    EXPECT_TRUE(std::isnan(capped.data[i * cols + cols - 2]));
    EXPECT_TRUE(std::isnan(capped.data[i * cols + cols - 1]));
  }
  const std::vector<float> plain = y;
  (void)soft_cap_rows({y.data(), nullptr, 1, cols}, 30, y.data());
  for (int j = 0; j < cols - 2; ++j) EXPECT_EQ(y[at(j)], rows[at(j)]) << plain[at(j)];
}

TEST_P(RowOps, GateMul) {
  for (const auto& [precision, function] :
       {std::pair(Precision::f32, Gate::silu), std::pair(Precision::bf16, Gate::silu),
        std::pair(Precision::int8, Gate::silu), std::pair(Precision::f32, Gate::gelu_tanh),
        std::pair(Precision::bf16, Gate::gelu_tanh)}) {
    for (const int cols : {1, 15, 48, 1537}) {
      auto gate_up = random_row(3 * 2 * cols, 1, 8.0f);
      gate_up[0] = -200;  // exp overflows here if nothing is done about it
      const auto scales = random_row(3, 2);
      Activations out;
      out.reshape(3, cols, precision);
      gate_mul({gate_up.data(), scales.data(), 3, 2 * cols}, function, 0, out, test::scratch());
      std::vector<double> expected;
      for (int i = 0; i < 3; ++i) {
        for (int j = 0; j < cols; ++j) {
          const double gate = gate_up[at(i * 2 * cols + j)] * static_cast<double>(scales[at(i)]);
          const double up = gate_up[at(i * 2 * cols + cols + j)] * static_cast<double>(scales[at(i)]);
          const double z = function == Gate::silu
                               ? gate
                               : 2 * std::sqrt(2 / std::numbers::pi) * (gate + 0.044715 * gate * gate * gate);
          expected.push_back(gate / (1 + std::exp(-z)) * up);
        }
      }
      expect_rows(out, expected);
    }
  }
}

TEST_P(RowOps, RotationIsTheHadamardMatrix) {
  for (const int block : {16, 32, 64, 128, 256, 512, 1024}) {
    const int size = 3 * block;
    const auto x = random_row(size, 1);
    auto y = x;
    rotate_row(y.data(), size, block);
    for (int i = 0; i < size; ++i) {
      double sum = 0;
      for (int j = 0; j < block; ++j) {
        const int sign = __builtin_popcount(static_cast<unsigned>((i % block) & j)) % 2 == 0 ? 1 : -1;
        sum += sign * static_cast<double>(x[at(i / block * block + j)]);
      }
      EXPECT_NEAR(y[at(i)], sum / std::sqrt(static_cast<double>(block)), 1e-5);
    }
  }
  EXPECT_EQ(rotation_block(1536), 512);
  EXPECT_EQ(rotation_block(4096), 1024);
  EXPECT_EQ(rotation_block(24), 0);
}

TEST_P(RowOps, GateMulRotates) {
  const auto gate_up = random_row(2 * 64, 1);
  Activations plain, rotated;
  plain.reshape(1, 64, Precision::f32);
  rotated.reshape(1, 64, Precision::f32);
  gate_mul({gate_up.data(), nullptr, 1, 128}, Gate::silu, 0, plain, test::scratch());
  gate_mul({gate_up.data(), nullptr, 1, 128}, Gate::silu, 32, rotated, test::scratch());
  rotate_row(plain.f32(0), 64, 32);
  for (int j = 0; j < 64; ++j) EXPECT_EQ(rotated.f32(0)[j], plain.f32(0)[j]);
}

TEST_P(RowOps, PackActivations) {
  for (const Precision precision : kPrecisions) {
    for (const int cols : {1, 15, 576}) {
      auto x = random_row(2 * cols, 1, 3.0f);
      std::fill_n(x.begin() + cols, cols, 0.0f);
      Activations out;
      out.reshape(2, cols, precision);
      pack_activations(x.data(), out);
      std::vector<double> expected(x.begin(), x.begin() + cols);
      if (precision == Precision::int8) {
        for (int j = 0; j < cols; ++j) EXPECT_EQ(out.int8(1)[j], 0);
      }
      const Activations& packed = out;
      for (int j = 0; j < cols && precision == Precision::bf16; ++j) {
        EXPECT_EQ(packed.bf16(0)[j], to_bf16(x[at(j)]));
      }
      Activations first;
      first.reshape(1, cols, precision);
      pack_activations(x.data(), first);
      expect_rows(first, expected);
      pack_activations(x.data(), first, 0.37f);
      for (double& value : expected) value *= 0.37f;
      expect_rows(first, expected);
    }
  }
}

TEST_P(RowOps, Int8RoundsToNearestEven) {
  std::vector<float> x(40, 0.0f);
  x[0] = 127;
  x[1] = 0.5f;
  x[2] = 1.5f;
  x[3] = -2.5f;
  x[39] = -127;
  Activations out;
  out.reshape(1, 40, Precision::int8);
  pack_activations(x.data(), out);
  EXPECT_EQ(out.scales()[0], 1.0f);
  EXPECT_EQ(out.int8(0)[0], 127);
  EXPECT_EQ(out.int8(0)[1], 0);
  EXPECT_EQ(out.int8(0)[2], 2);
  EXPECT_EQ(out.int8(0)[3], -2);
  EXPECT_EQ(out.int8(0)[39], -127);
}

void expect_same(const RopeRow& got, const RopeRow& right, int count) {
  for (int i = 0; i < count; ++i) {
    EXPECT_NEAR(got.cosines[i], right.cosines[i], 2e-7) << i;
    EXPECT_NEAR(got.sines[i], right.sines[i], 2e-7) << i;
  }
}

TEST(RopeTable, SecondFrequenciesBeginAgainAtPositionZero) {
  const std::vector<double> first = {1, 0.5}, second = {0.75, 0.125};
  RopeTable both(first, 1.25, second, 6), short_one(first, 1.25), long_one(second, 1.25);
  both.grow(3);
  both.grow(16);
  short_one.grow(6);
  long_one.grow(10);
  for (int position = 0; position < 16; ++position) {
    const RopeTable& alone = position < 6 ? short_one : long_one;
    const int at = position < 6 ? position : position - 6;
    ScratchStack::Frame frame(test::scratch().caller());
    expect_same(both.row(position, frame), alone.row(at, frame), 2);
  }
}

TEST(RopeTable, EachLengthHasRowsOfItsOwn) {
  const RopeLengths lengths{6, 4};
  const std::vector<double> frequencies = {1, 0.5, 0, 0.25}, exponents = {0, 0.75, 0, 1};
  RopeTable table(frequencies, 1.25, lengths, exponents), of_short(frequencies, 1.25);
  table.grow(4);
  table.grow(6);
  of_short.grow(6);
  ScratchStack::Frame frame(test::scratch().caller());
  std::vector<std::pair<RopeRow, RopeRow>> rows;  // all are there at the same time
  for (int position = 0; position < 6; ++position)
    rows.emplace_back(table.row(position, frame), of_short.row(position, frame));
  std::vector<RopeTable> alone;
  for (const int tokens : {7, 8, 30, lengths.longest()}) {
    const double stretch = 4.0 * tokens / 6 - 3;
    std::vector<double> stretched = frequencies;
    for (std::size_t i = 0; i < stretched.size(); ++i) stretched[i] /= std::pow(stretch, exponents[i]);
    alone.emplace_back(stretched, 1.25).grow(30);
    table.grow(lengths.first_row(tokens) + tokens);
    for (int position = 0; position < std::min(tokens, 30); ++position)
      rows.emplace_back(table.row(lengths.first_row(tokens) + position, frame), alone.back().row(position, frame));
  }
  for (const auto& [got, right] : rows) expect_same(got, right, 4);
}

TEST(RopeLengths, EachRowIsOfOneText) {
  for (const int positions : {1, 2, 64, 2048, 131072, 1 << 24}) {
    const RopeLengths lengths{positions, 2};
    const std::int64_t longest = lengths.longest();
    EXPECT_GT(longest, positions);
    EXPECT_LE(positions + (longest - positions) * longest, INT_MAX);
    EXPECT_GT(positions + (longest + 1 - positions) * (longest + 1), INT_MAX);
    EXPECT_EQ(lengths.first_row(positions), 0);
    int end = positions;
    for (const int tokens : {positions + 1, positions + 2, static_cast<int>(longest)}) {
      const int first = lengths.first_row(tokens);
      EXPECT_GE(first, end);
      end = first + tokens;  // would be negative where it doesn't fit
      EXPECT_GT(end, first);
      for (const int position : {0, 1, tokens - 1}) {
        const RopeLengths::Place place = lengths.place_of(first + position);
        EXPECT_EQ(place.tokens, tokens);
        EXPECT_EQ(place.position, position);
      }
    }
  }
}

TEST_P(RowOps, SplitQkvBiasNormAndRope) {
  const int n = 3, heads = 4, kv_heads = 2;
  for (const int d : {2, 8, 64, 80}) {
    const int width = (heads + 2 * kv_heads) * d;
    const auto qkv = random_row(n * width, 1), bias = random_row(width, 2), q_norm = random_row(d, 3),
               k_norm = random_row(d, 4), scales = random_row(n, 5);
    std::vector<double> frequencies;
    for (int i = 0; i < d / 2; ++i) frequencies.push_back(std::pow(10000.0, -2.0 * i / d));
    RopeTable rope(frequencies, 1.25);
    rope.grow(10);
    rope.grow(500);
    const int positions[] = {0, 7, 499};
    for (const auto& [with_extras, with_rope] :
         {std::pair(false, true), std::pair(true, true), std::pair(true, false)}) {
      const QkvShape shape = {heads,
                              kv_heads,
                              d,
                              with_extras ? bias.data() : nullptr,
                              with_extras ? q_norm.data() : nullptr,
                              with_extras ? k_norm.data() : nullptr,
                              1e-6f};
      std::vector<float> q(at(n * heads * d)), k(at(n * kv_heads * d)), v(at(n * kv_heads * d));
      split_qkv({qkv.data(), scales.data(), n, width}, shape, with_rope ? &rope : nullptr, positions, q.data(),
                k.data(), v.data(), test::scratch());

      for (int i = 0; i < n; ++i) {
        for (int h = 0; h < heads + 2 * kv_heads; ++h) {
          std::vector<double> x(at(d));
          double squares = 0;
          for (int j = 0; j < d; ++j) {
            x[at(j)] = qkv[at(i * width + h * d + j)] * static_cast<double>(scales[at(i)]);
            if (with_extras) x[at(j)] += bias[at(h * d + j)];
            squares += x[at(j)] * x[at(j)];
          }
          const bool is_q = h < heads, is_v = h >= heads + kv_heads;
          if (with_extras && !is_v) {
            for (int j = 0; j < d; ++j) x[at(j)] *= (is_q ? q_norm : k_norm)[at(j)] / std::sqrt(squares / d + 1e-6);
          }
          const float* result = is_q   ? q.data() + (i * heads + h) * d
                                : is_v ? v.data() + (i * kv_heads + h - heads - kv_heads) * d
                                       : k.data() + (i * kv_heads + h - heads) * d;
          for (int j = 0; j < d; ++j) {
            double expected = x[at(j)];
            if (!is_v && with_rope) {
              const int pair = j % (d / 2);
              const double angle = positions[i] * frequencies[at(pair)];
              const double other = j < d / 2 ? -x[at(j + d / 2)] : x[at(j - d / 2)];
              expected = 1.25 * (x[at(j)] * std::cos(angle) + other * std::sin(angle));
            }
            ASSERT_NEAR(result[j], expected, 1e-5) << d << " " << i << " " << h << " " << j;
          }
        }
      }
    }
  }
}

double reference_lse(const std::vector<float>& logits, double scale) {
  double most = -INFINITY, total = 0;
  for (const float x : logits) most = std::max(most, scale * x);
  for (const float x : logits) total += std::exp(scale * x - most);
  return most + std::log(total);
}

TEST_P(RowOps, LogSumExp) {
  for (const int n : {1, 5, 16, 511, 512, 513, 49152}) {
    for (const float offset : {-500.0f, 0.0f, 300.0f}) {
      auto logits = random_row(n, static_cast<unsigned>(n), 4.0f);
      for (float& x : logits) x += offset;
      const double expected = reference_lse(logits, 0.7f);
      EXPECT_NEAR(log_sum_exp(logits.data(), 0.7f, n), expected, 1e-6 + std::abs(expected) * 3e-7) << n;
    }
  }
}

// What can't be sampled has logits of -1e30: whole blocks of them come to nothing beside others, and to their number
// among themselves, whatever the scale.
TEST_P(RowOps, LogSumExpOfWhatCannotBeSampled) {
  for (const float scale : {0.1f, 0.3f, 0.5f, 0.7f, 1.0f, 1.0f / 1.1f, 1.3f, 2.0f, 3.3f}) {
    for (const int n : {7, 512, 1024, 5000}) {
      std::vector<float> logits(at(n), -1e30f);
      EXPECT_NEAR(log_sum_exp(logits.data(), scale, n) / (-1e30 * scale), 1, 1e-6) << n << " " << scale;
      for (const int possible : {0, n / 2, n - 1}) {
        std::vector<float> one = logits;
        one[at(possible)] = 3;
        EXPECT_NEAR(log_sum_exp(one.data(), scale, n), 3 * scale, 1e-5) << n << " " << scale << " " << possible;
      }
    }
  }
}

TEST_P(RowOps, ArgmaxTakesTheFirstOfATie) {
  for (const int n : {1, 9, 100, 2000}) {
    auto logits = random_row(n, 3);
    const auto best = std::max_element(logits.begin(), logits.end());
    EXPECT_EQ(argmax(logits.data(), n), best - logits.begin());
    logits[at(n - 1)] = logits[at(n / 2)] = 50;
    EXPECT_EQ(argmax(logits.data(), n), n / 2);
  }
  const std::vector<float> low(70, -1e30f);
  EXPECT_EQ(argmax(low.data(), 70), 0);
}

TEST_P(RowOps, WhatIsNotANumberIsSeen) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const int n : {1, 15, 64, 511, 1000, 2048}) {
    for (const int where : {0, n / 2, n - 1}) {
      for (const float spoilt : {nan, -nan, infinity, -infinity}) {
        std::vector<float> row = random_row(n, 5);
        row[at(where)] = spoilt;
        EXPECT_EQ(argmax(row.data(), n), -1) << n << " " << where << " " << spoilt;
        EXPECT_TRUE(spoilt == -infinity || !std::isfinite(log_sum_exp(row.data(), 0.5f, n))) << n << " " << where;
        Activations rounded;
        rounded.reshape(1, n, Precision::int8);
        pack_activations(row.data(), rounded);
        EXPECT_FALSE(std::isfinite(rounded.scales()[0])) << n << " " << where << " " << spoilt;
      }
    }
    const std::vector<float> row = random_row(n, 5);
    EXPECT_FALSE(std::isfinite(log_sum_exp(row.data(), nan, n)));
  }
}

TEST_P(RowOps, DivergenceOfStoredLogProbs) {
  for (const int n : {3, 40, 1000, 49152}) {
    const auto p_logits = random_row(n, 1, 3.0f);
    auto q_logits = p_logits;
    const auto noise = random_row(n, 2, 0.5f);
    for (int j = 0; j < n; ++j) q_logits[at(j)] += noise[at(j)];
    const float p_scale = 1.5f, q_scale = 1.25f;
    const double p_lse = reference_lse(p_logits, p_scale), q_lse = reference_lse(q_logits, q_scale);

    std::vector<std::uint16_t> stored(at(n));
    store_log_probs(p_logits.data(), p_scale, static_cast<float>(p_lse), n, stored.data());
    const Divergence result = divergence(stored.data(), q_logits.data(), q_scale, static_cast<float>(q_lse), n);

    double kl = 0;
    for (int j = 0; j < n; ++j) {
      const double log_p = p_scale * static_cast<double>(p_logits[at(j)]) - p_lse;
      kl += std::exp(log_p) * (log_p - (q_scale * static_cast<double>(q_logits[at(j)]) - q_lse));
    }
    // Half floats have 11 bits: log p of about -4 is off by up to 0.001, at random.
    EXPECT_NEAR(result.kl, kl, 2e-3 + 1e-3 * kl) << n;
    const auto best_p = std::max_element(p_logits.begin(), p_logits.end()) - p_logits.begin();
    const auto best_q = std::max_element(q_logits.begin(), q_logits.end()) - q_logits.begin();
    EXPECT_EQ(result.same_argmax, best_p == best_q);

    EXPECT_TRUE(divergence(stored.data(), p_logits.data(), p_scale, static_cast<float>(p_lse), n).same_argmax);
    EXPECT_NEAR(divergence(stored.data(), p_logits.data(), p_scale, static_cast<float>(p_lse), n).kl, 0, 2e-3);
  }
}

}  // namespace
}  // namespace layerboost
