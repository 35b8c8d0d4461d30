// Training attention on every level that this machine has: against its definition in double, its gradient against
// central differences of that definition.
#include "kernels/attention_training.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "base/cpu.h"
#include "kernels/dispatch.h"
#include "kernels/scratch_for_tests.h"
#include "kernels/soft_cap.h"

namespace layerboost {
namespace {

using Doubles = std::vector<double>;

struct Inputs {
  Doubles q, k, v;
};

Doubles definition(const TrainingAttention& s, const Inputs& in, Doubles* log_sums = nullptr) {
  const int d = s.head_size;
  Doubles out(in.q.size());
  for (int sequence = 0; sequence < s.sequences; ++sequence)
    for (int i = 0; i < s.length; ++i)
      for (int head = 0; head < s.heads; ++head) {
        const auto row = static_cast<std::size_t>((sequence * s.length + i) * s.heads + head);
        const bool full = has_head(s.full, head / (s.heads / s.kv_heads));
        double total = 0;
        for (int j = 0; j <= i; ++j) {
          if (!(full || s.window == 0 || i - j < s.window || j < s.sinks)) continue;
          const auto key =
              static_cast<std::size_t>((sequence * s.length + j) * s.kv_heads + head / (s.heads / s.kv_heads));
          double score = 0;
          for (std::size_t c = 0; c < static_cast<std::size_t>(d); ++c)
            score += in.q[row * static_cast<std::size_t>(d) + c] * in.k[key * static_cast<std::size_t>(d) + c];
          const double p = std::exp(soft_capped(score * static_cast<double>(s.scale), static_cast<double>(s.soft_cap)));
          total += p;
          for (std::size_t c = 0; c < static_cast<std::size_t>(d); ++c)
            out[row * static_cast<std::size_t>(d) + c] += p * in.v[key * static_cast<std::size_t>(d) + c];
        }
        for (std::size_t c = 0; c < static_cast<std::size_t>(d); ++c)
          out[row * static_cast<std::size_t>(d) + c] /= total;
        if (log_sums != nullptr) log_sums->push_back(std::log2(total));
      }
  return out;
}

double loss(const TrainingAttention& s, const Inputs& in, const Doubles& dout) {
  const Doubles out = definition(s, in);
  double sum = 0;
  for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * dout[i];
  return sum;
}

/// d loss / d values[at], values a part of `in`.
double slope(const TrainingAttention& s, Inputs& in, const Doubles& dout, double& value) {
  constexpr double step = 1e-5;
  const double before = value;
  value = before + step;
  const double above = loss(s, in, dout);
  value = before - step;
  const double below = loss(s, in, dout);
  value = before;
  return (above - below) / (2 * step);
}

std::vector<float> floats(const Doubles& values) { return {values.begin(), values.end()}; }

/// Numbers that bf16 holds, so that only products' results are rounded.
Doubles normal(std::ptrdiff_t count, std::mt19937& engine) {
  std::normal_distribution<double> distribution;
  Doubles values(static_cast<std::size_t>(count));
  for (double& x : values) x = std::nearbyint(distribution(engine) * 32) / 32;
  return values;
}

void expect_close(const std::vector<float>& got, const Doubles& expected, double tolerance, const char* what) {
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], tolerance * (1 + std::fabs(expected[i]))) << what << " " << i;
}

struct Gradients {
  std::vector<float> out, log_sums, q, k, v;
};

Gradients run(const TrainingAttention& s, const Inputs& in, const Doubles& dout) {
  const auto q = floats(in.q), k = floats(in.k), v = floats(in.v), d = floats(dout);
  Gradients g{std::vector<float>(q.size()), std::vector<float>(q.size() / static_cast<std::size_t>(s.head_size)),
              std::vector<float>(q.size(), 1), std::vector<float>(k.size(), 2), std::vector<float>(v.size(), 3)};
  training_attention(s, q.data(), k.data(), v.data(), g.out.data(), g.log_sums.data(), test::scratch());
  training_attention_backward(s, q.data(), k.data(), v.data(), g.out.data(), g.log_sums.data(), d.data(), g.q.data(),
                              g.k.data(), g.v.data(), nullptr, test::scratch());
  for (float& x : g.q) x -= 1;  // it adds
  for (float& x : g.k) x -= 2;
  for (float& x : g.v) x -= 3;
  return g;
}

struct Case {
  TrainingAttention shape;
  Inputs in;
  Doubles dout;
};

Case make_case(int sequences, int length, int heads, int kv_heads, int d, int window, int sinks, bool bf16,
               HeadSet full = 0, float soft_cap = 0) {
  std::mt19937 engine(static_cast<unsigned>(length * 31 + window));
  TrainingAttention s{sequences, length, heads,   kv_heads, d, window, sinks, 1 / std::sqrt(static_cast<float>(d)),
                      bf16,      full,   soft_cap};
  const std::ptrdiff_t q = s.rows() * heads * d, kv = s.rows() * kv_heads * d;
  return {s, {normal(q, engine), normal(kv, engine), normal(kv, engine)}, normal(q, engine)};
}

class TrainingAttentionTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "not on this machine";
    use_isa(GetParam());
  }
  void TearDown() override { use_isa(best_isa()); }
};

struct Shape {
  int sequences, length, heads, kv_heads, d, window, sinks;
  HeadSet full;
  float soft_cap = 0;
};
const std::vector<Shape> shapes = {
    {1, 1, 2, 1, 8, 0, 0, 0},          {2, 13, 6, 2, 8, 0, 0, 0},        {1, 70, 3, 1, 16, 0, 0, 0},
    {1, 150, 2, 1, 6, 20, 0, 0},       {2, 90, 4, 4, 8, 7, 3, 0},        {1, 200, 2, 1, 8, 64, 70, 0},
    {9, 40, 4, 2, 10, 16, 40, 0},      {1, 140, 1, 1, 64, 1, 5, 0},      {2, 90, 4, 4, 8, 7, 3, 0b1010},
    {1, 150, 6, 3, 6, 20, 0, 0b100},   {9, 140, 4, 2, 10, 16, 70, 0b01}, {1, 70, 3, 1, 16, 0, 0, 0, 1.5F},
    {1, 150, 4, 2, 8, 20, 3, 0, 0.5F}, {2, 90, 4, 4, 8, 7, 3, 0b1010, 1}};

TEST_P(TrainingAttentionTest, IsTheDefinitionAndItsGradient) {
  for (const auto& [sequences, length, heads, kv_heads, d, window, sinks, full, soft_cap] : shapes) {
    for (const bool bf16 : {false, true}) {
      SCOPED_TRACE(testing::Message() << "length " << length << " window " << window << (bf16 ? " bf16" : " f32"));
      Case c = make_case(sequences, length, heads, kv_heads, d, window, sinks, bf16, full, soft_cap);
      const Gradients got = run(c.shape, c.in, c.dout);
      const double tolerance = bf16 ? 4e-2 : 2e-5;
      Doubles log_sums;
      expect_close(got.out, definition(c.shape, c.in, &log_sums), tolerance, "out");
      expect_close(got.log_sums, log_sums, tolerance, "log_sums");
      // Of each gradient some elements, among them the ends.
      const auto check = [&](Doubles& values, const std::vector<float>& gradient, const char* what) {
        const std::size_t stride = std::max<std::size_t>(1, values.size() / 12);
        for (std::size_t i = 0; i < values.size(); i += stride) {
          const std::size_t at = i + stride < values.size() ? i : values.size() - 1;
          const double expected = slope(c.shape, c.in, c.dout, values[at]);
          EXPECT_NEAR(gradient[at], expected, tolerance * (1 + std::fabs(expected))) << what << " " << at;
        }
      };
      check(c.in.q, got.q, "dq");
      check(c.in.k, got.k, "dk");
      check(c.in.v, got.v, "dv");
    }
  }
}

TEST_P(TrainingAttentionTest, LogSumsHaveGradients) {
  // The loss sum_i e_i log sum_j e^s_ij: dout is zero, and the slopes are e_i p_ij.
  Case c = make_case(1, 90, 2, 1, 8, 20, 3, false, 0, 2);
  const auto q = floats(c.in.q), k = floats(c.in.k), v = floats(c.in.v);
  const Gradients forward = run(c.shape, c.in, c.dout);
  const std::vector<float> zeros(q.size()), weights(forward.log_sums.size(), 0.5F);
  std::vector<float> dq(q.size()), dk(k.size()), dv(v.size());
  training_attention_backward(c.shape, q.data(), k.data(), v.data(), forward.out.data(), forward.log_sums.data(),
                              zeros.data(), dq.data(), dk.data(), dv.data(), weights.data(), test::scratch());
  const auto sum_of_logs = [&] {
    Doubles log_sums;
    definition(c.shape, c.in, &log_sums);
    double sum = 0;
    for (const double x : log_sums) sum += 0.5 * x * std::log(2.0);
    return sum;
  };
  for (const std::size_t i : {std::size_t{0}, std::size_t{100}, k.size() - 1}) {
    const double before = c.in.k[i];
    c.in.k[i] = before + 1e-5;
    const double above = sum_of_logs();
    c.in.k[i] = before - 1e-5;
    EXPECT_NEAR(dk[i], (above - sum_of_logs()) / 2e-5, 1e-4);
    c.in.k[i] = before;
  }
}

TEST_P(TrainingAttentionTest, FindsTheLargestScores) {
  for (const auto& [sequences, length, heads, kv_heads, d, window, sinks, full, soft_cap] : shapes) {
    if (full != 0) continue;
    const Case c = make_case(sequences, length, heads, kv_heads, d, window, sinks, false, 0, soft_cap);
    const TrainingAttention& s = c.shape;
    std::vector<float> maxima(static_cast<std::size_t>(s.rows() * heads)), keys(maxima.size());
    training_maxima(s, floats(c.in.q).data(), floats(c.in.k).data(), maxima.data(), keys.data(), test::scratch());
    for (std::size_t row = 0; row < maxima.size(); ++row) {
      const int head = static_cast<int>(row) % heads, i = static_cast<int>(row) / heads % length,
                sequence = static_cast<int>(row) / heads / length;
      const auto width = static_cast<std::size_t>(s.head_size);
      const auto score = [&](int j) {
        const auto key =
            static_cast<std::size_t>((sequence * s.length + j) * s.kv_heads + head / (s.heads / s.kv_heads));
        double sum = 0;
        for (std::size_t n = 0; n < width; ++n) sum += c.in.q[row * width + n] * c.in.k[key * width + n];
        return soft_capped(sum * static_cast<double>(s.scale), static_cast<double>(s.soft_cap)) / std::log(2.0);
      };
      double most = -INFINITY;
      for (int j = 0; j <= i; ++j)
        if (window == 0 || i - j < window || j < sinks) most = std::max(most, score(j));
      EXPECT_NEAR(maxima[row], most, 1e-4);
      EXPECT_NEAR(score(static_cast<int>(keys[row])), most, 1e-4);
    }
  }
}

TEST_P(TrainingAttentionTest, ThreadsDontChangeIt) {
  const Case c = make_case(2, 130, 6, 2, 16, 30, 4, true);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Gradients one = run(c.shape, c.in, c.dout);
  omp_set_num_threads(3);
  const Gradients three = run(c.shape, c.in, c.dout);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.out, three.out);
  EXPECT_EQ(one.q, three.q);
  EXPECT_EQ(one.k, three.k);
  EXPECT_EQ(one.v, three.v);
}

INSTANTIATE_TEST_SUITE_P(Levels, TrainingAttentionTest, testing::Values(Isa::avx2, Isa::avx512));

}  // namespace
}  // namespace layerboost
