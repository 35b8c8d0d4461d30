// Linear attention on every level that this machine has: chunks against the recurrence and the quadratic definition in
// double, gradients against central differences of the definition.
#include "kernels/linear_attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "base/cpu.h"
#include "kernels/dispatch.h"
#include "kernels/scratch_for_tests.h"

namespace layerboost {
namespace {

using Doubles = std::vector<double>;

std::size_t at(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

struct Inputs {
  int count, d, f;
  Doubles q, k, v, q_map, k_map, log_decay;  // log_decay empty: none
};

Doubles features(const Inputs& in, const Doubles& x, const Doubles& map, int i) {
  Doubles result(at(2 * in.f));
  for (const int sign : {1, -1}) {
    double total = 0;
    for (int c = 0; c < in.f; ++c) {
      double u = 0;
      for (int j = 0; j < in.d; ++j) u += x[at(i * in.d + j)] * map[at(j * in.f + c)];
      total += result[at(c + (sign < 0 ? in.f : 0))] = std::exp(sign * u);
    }
    for (int c = 0; c < in.f; ++c) result[at(c + (sign < 0 ? in.f : 0))] /= total;
  }
  return result;
}

/// [count, d + 1]: sums, then the total.
Doubles definition(const Inputs& in) {
  Doubles out(at(in.count * (in.d + 1)));
  std::vector<Doubles> keys;
  for (int i = 0; i < in.count; ++i) {
    keys.push_back(features(in, in.k, in.k_map, i));
    const Doubles query = features(in, in.q, in.q_map, i);
    double decay = 0;
    for (int j = i; j >= 0; --j) {
      double weight = 0;
      for (int c = 0; c < 2 * in.f; ++c) weight += query[at(c)] * keys[at(j)][at(c)];
      weight *= std::exp(decay);
      if (!in.log_decay.empty()) decay += in.log_decay[at(j)];
      for (int c = 0; c < in.d; ++c) out[at(i * (in.d + 1) + c)] += weight * in.v[at(j * in.d + c)];
      out[at(i * (in.d + 1) + in.d)] += weight;
    }
  }
  return out;
}

Doubles normal(std::ptrdiff_t count, double spread, std::mt19937& engine) {
  std::normal_distribution<double> distribution(0, spread);
  Doubles values(at(count));
  for (double& x : values) x = static_cast<double>(static_cast<float>(distribution(engine)));
  return values;
}

Inputs make_inputs(int count, int d, int f, bool decays) {
  std::mt19937 engine(static_cast<unsigned>(count * 100 + d));
  Inputs in{count,
            d,
            f,
            normal(count * d, 1, engine),
            normal(count * d, 1, engine),
            normal(count * d, 1, engine),
            normal(d * f, 0.7, engine),
            normal(d * f, 0.7, engine),
            {}};
  if (decays) in.log_decay = normal(count, 0.3, engine);
  for (double& x : in.log_decay) x = -std::fabs(x);
  return in;
}

/// The same in f32, as one piece of memory each.
struct Floats {
  explicit Floats(const Inputs& in)
      : q(in.q.begin(), in.q.end()),
        k(in.k.begin(), in.k.end()),
        v(in.v.begin(), in.v.end()),
        q_map(in.q_map.begin(), in.q_map.end()),
        k_map(in.k_map.begin(), in.k_map.end()),
        log_decay(in.log_decay.begin(), in.log_decay.end()) {}
  std::vector<float> q, k, v, q_map, k_map, log_decay;

  [[nodiscard]] LinearHead head(const Inputs& in, int first, int count) const {
    const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(first) * in.d;
    return {count,
            in.d,
            in.f,
            q.data() + offset,
            k.data() + offset,
            v.data() + offset,
            in.d,
            in.d,
            in.d,
            q_map.data(),
            k_map.data(),
            log_decay.empty() ? nullptr : log_decay.data() + first};
  }
};

class LinearAttention : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this machine has no " << name_of(GetParam());
    use_isa(GetParam());
  }
  void TearDown() override { use_isa(best_isa()); }
};

const std::vector<std::array<int, 3>> shapes = {{1, 8, 4}, {40, 8, 4}, {64, 16, 16}, {150, 10, 5}, {70, 64, 32}};

TEST_P(LinearAttention, AnyCutGivesTheDefinition) {
  for (const auto& [count, d, f] : shapes) {
    for (const bool decays : {false, true}) {
      const Inputs in = make_inputs(count, d, f, decays);
      const Doubles expected = definition(in);
      const Floats floats(in);
      for (const int cut : {1, 7, 64, 1000}) {
        std::vector<float> state(linear_state_floats(d, f)), got(expected.size(), NAN);
        for (int first = 0; first < count; first += cut) {
          float* const out = got.data() + static_cast<std::ptrdiff_t>(first) * (d + 1);
          linear_attention(floats.head(in, first, std::min(cut, count - first)), state.data(), out, d + 1, out + d,
                           d + 1, test::scratch().caller());
        }
        for (std::size_t i = 0; i < got.size(); ++i)
          ASSERT_NEAR(got[i], expected[i], 2e-5 * (1 + std::fabs(expected[i])))
              << count << " cut " << cut << " at " << i;
      }
    }
  }
}

TEST_P(LinearAttention, GradientIsThatOfTheDefinition) {
  for (const auto& [count, d, f] : shapes) {
    for (const bool decays : {false, true}) {
      SCOPED_TRACE(testing::Message() << count << (decays ? " decaying" : ""));
      Inputs in = make_inputs(count, d, f, decays);
      std::mt19937 engine(5);
      const Doubles dout = normal(count * (d + 1), 1, engine);
      const std::vector<float> dout_floats(dout.begin(), dout.end());
      const Floats floats(in);
      Floats sums(in);  // gradients are added to whatever is there
      const LinearGradients gradients{sums.q.data(),
                                      sums.k.data(),
                                      sums.v.data(),
                                      d,
                                      d,
                                      d,
                                      sums.q_map.data(),
                                      sums.k_map.data(),
                                      decays ? sums.log_decay.data() : nullptr};
      linear_attention_backward(floats.head(in, 0, count), dout_floats.data(), d + 1, dout_floats.data() + d, d + 1,
                                gradients, test::scratch().caller());
      const auto loss = [&] {
        const Doubles out = definition(in);
        double sum = 0;
        for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * dout[i];
        return sum;
      };
      const auto check = [&](Doubles& values, const std::vector<float>& got, const std::vector<float>& before,
                             const char* what) {
        const std::size_t stride = std::max<std::size_t>(1, values.size() / 10);
        for (std::size_t i = 0; i < values.size(); i += stride) {
          constexpr double step = 1e-5;
          const double kept = values[i];
          values[i] = kept + step;
          const double above = loss();
          values[i] = kept - step;
          const double expected = (above - loss()) / (2 * step);
          values[i] = kept;
          EXPECT_NEAR(got[i] - before[i], expected, 1e-4 * (1 + std::fabs(expected))) << what << " " << i;
        }
      };
      check(in.q, sums.q, floats.q, "dq");
      check(in.k, sums.k, floats.k, "dk");
      check(in.v, sums.v, floats.v, "dv");
      check(in.q_map, sums.q_map, floats.q_map, "dq_map");
      check(in.k_map, sums.k_map, floats.k_map, "dk_map");
      check(in.log_decay, sums.log_decay, floats.log_decay, "dlog_decay");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, LinearAttention, testing::Values(Isa::avx2, Isa::avx512));

}  // namespace
}  // namespace layerboost
