// States that fade, on every level that this machine has: chunks and single tokens against the recurrence in double,
// gradients against its central differences.
#include "kernels/decaying_states.h"

#include <gtest/gtest.h>

#include <algorithm>
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

struct Shape {
  int count, d, heads, states;
  double gate;  // the logarithms' mean size
};

// A gate of 3 halves a state in a quarter of a token: chunks end early.
const std::vector<Shape> shapes = {{1, 8, 1, 1, 0.1},  {5, 8, 2, 2, 0.1},    {40, 8, 2, 2, 0.3},  {64, 16, 3, 2, 0.05},
                                   {150, 10, 1, 2, 3}, {130, 64, 3, 2, 0.3}, {70, 24, 7, 1, 0.01}};

Doubles normal(std::ptrdiff_t count, std::mt19937& engine) {
  std::normal_distribution<double> distribution(0, 1);
  Doubles values(at(count));
  for (double& x : values) x = static_cast<double>(static_cast<float>(distribution(engine)));
  return values;
}

struct Inputs {
  explicit Inputs(const Shape& of) : shape(of), engine(static_cast<unsigned>(of.count * 100 + of.d)) {
    const std::ptrdiff_t keys = std::ptrdiff_t{shape.count} * shape.d;
    q = normal(keys * shape.heads, engine);
    k = normal(keys, engine);
    v = normal(keys, engine);
    gates = normal(keys * shape.states, engine);
    for (double& gate : gates) gate = static_cast<double>(static_cast<float>(-shape.gate * std::fabs(gate)));
    weights = {0.25, -0.75};
    weights.resize(at(shape.states));
  }

  /// out [count, R, d]
  [[nodiscard]] Doubles definition() const {
    const auto& [count, d, heads, states, unused] = shape;
    Doubles out(q.size()), state(at(states * d * d));
    for (int t = 0; t < count; ++t)
      for (int s = 0; s < states; ++s)
        for (int i = 0; i < d; ++i) {
          const double gate = std::exp(gates[at((s * count + t) * d + i)]);
          for (int j = 0; j < d; ++j) {
            double& number = state[at((s * d + i) * d + j)];
            number = gate * number + k[at(t * d + i)] * v[at(t * d + j)];
            for (int r = 0; r < heads; ++r)
              out[at((t * heads + r) * d + j)] += weights[at(s)] * q[at((t * heads + r) * d + i)] * number;
          }
        }
    return out;
  }

  Shape shape;
  std::mt19937 engine;
  Doubles q, k, v, gates, weights;  // gates: [states, count, d]
};

/// The same in f32.
struct Floats {
  explicit Floats(const Inputs& in)
      : shape(in.shape),
        q(in.q.begin(), in.q.end()),
        k(in.k.begin(), in.k.end()),
        v(in.v.begin(), in.v.end()),
        gates(in.gates.begin(), in.gates.end()),
        weights(in.weights) {}

  [[nodiscard]] DecayingHeads heads(int first, int count) const {
    const std::ptrdiff_t d = shape.d, R = shape.heads;
    DecayingHeads heads = {count,
                           shape.d,
                           shape.heads,
                           shape.states,
                           q.data() + first * R * d,
                           k.data() + first * d,
                           v.data() + first * d,
                           R * d,
                           d,
                           d,
                           {},
                           d,
                           {}};
    for (int s = 0; s < shape.states; ++s) {
      heads.log_gates[s] = gates.data() + (std::ptrdiff_t{s} * shape.count + first) * d;
      heads.weights[s] = static_cast<float>(weights[at(s)]);
    }
    return heads;
  }

  Shape shape;
  std::vector<float> q, k, v, gates;
  Doubles weights;
};

class DecayingStates : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this machine has no " << name_of(GetParam());
    use_isa(GetParam());
  }
  void TearDown() override { use_isa(best_isa()); }
};

TEST_P(DecayingStates, AnyCutGivesTheRecurrence) {
  for (const Shape& shape : shapes) {
    const Inputs in(shape);
    const Doubles expected = in.definition();
    const Floats floats(in);
    const std::ptrdiff_t row = std::ptrdiff_t{shape.heads} * shape.d;
    double size = 0;
    for (const double x : expected) size = std::max(size, std::fabs(x));
    for (const int cut : {1, 7, 64, 1000}) {
      std::vector<float> state(decaying_state_floats(shape.d, shape.states)), got(expected.size(), NAN);
      for (int first = 0; first < shape.count; first += cut)
        decaying_states(floats.heads(first, std::min(cut, shape.count - first)), state.data(), got.data() + first * row,
                        row, test::scratch().caller());
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], expected[i], 2e-6 * size) << shape.count << " cut " << cut << " at " << i;
    }
  }
}

TEST_P(DecayingStates, GatesThatForgetAllLeaveTheTokenAlone) {
  Inputs in({100, 16, 2, 2, 0});
  for (double& gate : in.gates) gate = -50;
  const Doubles expected = in.definition();
  const Floats floats(in);
  std::vector<float> state(decaying_state_floats(16, 2)), got(expected.size(), NAN);
  decaying_states(floats.heads(0, 100), state.data(), got.data(), 32, test::scratch().caller());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-4) << i;
}

TEST_P(DecayingStates, GradientIsThatOfTheRecurrence) {
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(testing::Message() << shape.count << " x " << shape.d);
    Inputs in(shape);
    const Doubles dout = normal(std::ssize(in.q), in.engine);
    const std::vector<float> dout_floats(dout.begin(), dout.end());
    const Floats floats(in);
    Floats sums(in);  // gradients are added to whatever is there
    const std::ptrdiff_t d = shape.d, row = shape.heads * d;
    DecayingGradients gradients = {sums.q.data(), sums.k.data(), sums.v.data(), row, d, d, {}, d, sums.weights.data()};
    for (int s = 0; s < shape.states; ++s) gradients.log_gates[s] = sums.gates.data() + s * shape.count * d;
    decaying_states_backward(floats.heads(0, shape.count), dout_floats.data(), row, gradients,
                             test::scratch().caller());
    const auto loss = [&] {
      const Doubles out = in.definition();
      double sum = 0;
      for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * dout[i];
      return sum;
    };
    const auto check = [&](Doubles& values, const auto& got, const auto& before, const char* what) {
      const std::size_t stride = std::max<std::size_t>(1, values.size() / 9);
      for (std::size_t i = 0; i < values.size(); i += stride) {
        constexpr double step = 1e-5;
        const double kept = values[i];
        values[i] = kept + step;
        const double above = loss();
        values[i] = kept - step;
        const double expected = (above - loss()) / (2 * step);
        values[i] = kept;
        EXPECT_NEAR(got[i] - before[i], expected, 2e-4 * (1 + std::fabs(expected))) << what << " " << i;
      }
    };
    check(in.q, sums.q, floats.q, "dq");
    check(in.k, sums.k, floats.k, "dk");
    check(in.v, sums.v, floats.v, "dv");
    check(in.gates, sums.gates, floats.gates, "dgates");
    check(in.weights, sums.weights, floats.weights, "dweights");
  }
}

TEST_P(DecayingStates, LogGatesAreBoundedAndExact) {
  for (const int n : {1, 5, 16, 40}) {
    std::vector<float> z, bias, out(at(n));
    for (int i = 0; i < n; ++i) {
      z.push_back(static_cast<float>((i - n / 2) * std::pow(1.3, i)));
      bias.push_back(0.25F);
    }
    log_gates(z.data(), bias.data(), n, out.data());
    for (int i = 0; i < n; ++i) {
      const double x = static_cast<double>(z[at(i)]) + 0.25;
      const double expected = std::max(-50.0, (std::min(x, 0.0) - std::log1p(std::exp(-std::fabs(x)))) / 16);
      EXPECT_NEAR(out[at(i)], expected, 4e-7 * std::fabs(expected) + 1e-12) << x;
      const double step = 1e-6, above = (std::min(x + step, 0.0) - std::log1p(std::exp(-std::fabs(x + step)))) / 16;
      if (expected > -49.9)
        EXPECT_NEAR(log_gate_slope(out[at(i)]), (above - expected) / step, 1e-5) << x;
      else
        EXPECT_EQ(log_gate_slope(out[at(i)]), 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, DecayingStates, testing::Values(Isa::avx2, Isa::avx512));

}  // namespace
}  // namespace layerboost
