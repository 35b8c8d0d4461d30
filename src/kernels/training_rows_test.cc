// Each backward against finite differences of its forward, written out in double.
#include "kernels/training_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "base/random.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"
#include "kernels/scratch_for_tests.h"

namespace layerboost {
namespace {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

Floats normal(std::size_t size, std::uint64_t seed, double spread = 1) {
  Random random(seed);
  Floats values(size);
  for (float& v : values) v = static_cast<float>(spread * random.normal());
  return values;
}

Doubles doubles(const Floats& values) { return {values.begin(), values.end()}; }

/// The gradient of `f` at x by central differences.
Doubles differences(Doubles x, const std::function<double(const Doubles&)>& f) {
  Doubles gradient(x.size());
  constexpr double step = 1e-5;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + step;
    const double above = f(x);
    x[i] = at - step;
    gradient[i] = (above - f(x)) / (2 * step);
    x[i] = at;
  }
  return gradient;
}

template <typename Got>
void expect_near(const Got& got, const Doubles& expected, double tolerance) {
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(static_cast<double>(got[i]), expected[i], tolerance) << "at " << i;
}

/// Calls test() at every level of the machine.
void everywhere(const std::function<void()>& test) {
  const Isa best = best_isa();
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (isa > best) continue;
    SCOPED_TRACE(name_of(isa));
    use_isa(isa);
    test();
  }
  use_isa(best);
}

Floats bf16_values(const std::uint16_t* data, std::size_t size) {
  Floats values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = from_bf16(data[i]);
  return values;
}

TEST(TrainingRows, RmsNorm) {
  everywhere([] {
    constexpr int rows = 3, cols = 37;
    constexpr double eps = 1e-3;
    const Floats x = normal(rows * cols, 1), w = normal(cols, 2), dy = normal(rows * cols, 3);
    const Doubles expected = differences(doubles(x), [&](const Doubles& at) {
      double total = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        double squares = 0;
        for (std::size_t j = 0; j < cols; ++j) squares += at[i * cols + j] * at[i * cols + j];
        for (std::size_t j = 0; j < cols; ++j)
          total += at[i * cols + j] / std::sqrt(squares / cols + eps) * static_cast<double>(w[j] * dy[i * cols + j]);
      }
      return total;
    });
    Floats dx(x.size(), 0);
    rms_norm_backward(x.data(), w.data(), static_cast<float>(eps), dy.data(), rows, cols, dx.data());
    expect_near(dx, expected, 1e-5);
    rms_norm_backward(x.data(), w.data(), static_cast<float>(eps), dy.data(), rows, cols, dx.data());  // adds
    EXPECT_NEAR(dx[5], 2 * expected[5], 2e-5);
  });
}

double gated(Gate gate, double v) {
  if (gate == Gate::silu) return v / (1 + std::exp(-v));
  return 0.5 * v * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v)));
}

void check_gate_mul(Gate gate) {
  everywhere([&] {
    constexpr int rows = 2, cols = 43;
    const Floats gate_up = normal(std::size_t{rows} * 2 * cols, 1, 3), dy = normal(std::size_t{rows} * cols, 2);
    const Doubles expected = differences(doubles(gate_up), [&](const Doubles& at) {
      double total = 0;
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < cols; ++j)
          total +=
              gated(gate, at[2 * i * cols + j]) * at[(2 * i + 1) * cols + j] * static_cast<double>(dy[i * cols + j]);
      return total;
    });
    const Product product{gate_up.data(), nullptr, rows, 2 * cols};
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      Activations forward, again, gradient;
      forward.reshape(rows, cols, precision);
      again.reshape(rows, cols, precision);
      gradient.reshape(rows, 2 * cols, precision);
      Floats kept(gate_up.size());
      gate_mul_keep(product, gate, forward, kept.data());
      gate_mul_backward(kept.data(), dy.data(), gate, gradient, again);
      const bool f32 = precision == Precision::f32;
      const Floats got = f32 ? Floats(gradient.f32(0), gradient.f32(0) + gate_up.size())
                             : bf16_values(gradient.bf16(0), gate_up.size());
      expect_near(got, expected, f32 ? 2e-5 : 0.1);
      Activations plain;
      plain.reshape(rows, cols, precision);
      gate_mul(product, gate, 0, plain, test::scratch());
      for (int j = 0; j < rows * cols; ++j) {
        const auto at = [&](const Activations& x) { return f32 ? x.f32(0)[j] : from_bf16(x.bf16(0)[j]); };
        ASSERT_NEAR(at(forward), at(plain), f32 ? 1e-5 : 0.05);
        ASSERT_NEAR(at(again), at(plain), f32 ? 1e-5 : 0.1);
      }
    }
  });
}

TEST(TrainingRows, SiluMul) { check_gate_mul(Gate::silu); }

TEST(TrainingRows, GeluMul) { check_gate_mul(Gate::gelu_tanh); }

TEST(TrainingRows, SplitQkv) {
  everywhere([] {
    constexpr int rows = 2, heads = 4, kv_heads = 2, d = 6, width = (heads + 2 * kv_heads) * d;
    const std::vector<double> frequencies = {1.0, 0.3, 0.1}, negative = {-1.0, -0.3, -0.1};
    RopeTable rope(frequencies, 1.2), back(negative, 1.2);
    rope.grow(9);
    back.grow(9);
    const int positions[] = {3, 8};
    const Floats qkv = normal(rows * width, 1), bias = normal(width, 2), q_norm = normal(d, 3), k_norm = normal(d, 4);
    const Floats dq = normal(rows * heads * d, 5), dk = normal(rows * kv_heads * d, 6),
                 dv = normal(rows * kv_heads * d, 7);
    const Floats dq_plain = normal(dq.size(), 8), dk_plain = normal(dk.size(), 9);
    for (const auto& with : {std::pair(false, true), std::pair(true, true), std::pair(true, false)}) {
      const bool norms = with.first, turned = with.second;  // Clang 14 can't capture structured bindings
      const QkvShape shape{
          heads, kv_heads, d, bias.data(), norms ? q_norm.data() : nullptr, norms ? k_norm.data() : nullptr, 1e-2F};
      const Doubles expected = differences(doubles(qkv), [&](const Doubles& at) {
        double total = 0;
        for (std::size_t i = 0; i < rows; ++i) {
          for (std::size_t h = 0; h < heads + 2 * kv_heads; ++h) {
            double x[d], squares = 0;
            for (std::size_t j = 0; j < d; ++j) {
              x[j] = at[i * width + h * d + j] + static_cast<double>(bias[h * d + j]);
              squares += x[j] * x[j];
            }
            const bool is_q = h < heads, is_v = h >= heads + kv_heads;
            const std::size_t head = is_q ? h : is_v ? h - heads - kv_heads : h - heads;
            const std::size_t first = (i * (is_q ? heads : kv_heads) + head) * d;
            if (is_v) {
              for (std::size_t j = 0; j < d; ++j) total += x[j] * static_cast<double>(dv[first + j]);
              continue;
            }
            for (std::size_t j = 0; j < d && norms; ++j)
              x[j] = x[j] / std::sqrt(squares / d + 1e-2) * static_cast<double>((is_q ? q_norm : k_norm)[j]);
            const Floats &g = is_q ? dq : dk, &plain = is_q ? dq_plain : dk_plain;
            for (std::size_t j = 0; j < d; ++j) total += x[j] * static_cast<double>(plain[first + j]);
            for (std::size_t j = 0; j < d / 2; ++j) {
              const double angle = positions[i] * frequencies[j];
              const double c = turned ? 1.2 * std::cos(angle) : 1, s = turned ? 1.2 * std::sin(angle) : 0;
              total += (x[j] * c - x[j + d / 2] * s) * static_cast<double>(g[first + j]);
              total += (x[j + d / 2] * c + x[j] * s) * static_cast<double>(g[first + j + d / 2]);
            }
          }
        }
        return total;
      });
      Floats q = dq, k = dk;
      Activations got;
      got.reshape(rows, width, Precision::f32);
      split_qkv_backward(qkv.data(), shape, turned ? &back : nullptr, positions, q.data(), k.data(), dv.data(),
                         dq_plain.data(), dk_plain.data(), got, test::scratch());
      expect_near(Floats(got.f32(0), got.f32(0) + rows * width), expected, 3e-5);
    }
  });
}

TEST(TrainingRows, LogitsLoss) {
  everywhere([] {
    constexpr int rows = 2, vocab = 601;
    const Floats teacher = normal(rows * vocab, 1, 3), student = normal(rows * vocab, 2, 3);
    const std::int32_t targets[] = {600, 17};
    const LogitsLoss loss{0.8F, 0.3F, 0.5F};
    const auto log_probs = [](const double* x) {
      double sum = 0;
      for (int v = 0; v < vocab; ++v) sum += std::exp(x[v]);
      Doubles result(x, x + vocab);
      for (double& l : result) l -= std::log(sum);
      return result;
    };
    const Doubles fixed = doubles(teacher);
    Doubles kl(rows), nll(rows);
    const auto total = [&](const Doubles& at) {
      double sum = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        const Doubles p = log_probs(&fixed[i * vocab]), q = log_probs(&at[i * vocab]);
        kl[i] = 0;
        for (std::size_t v = 0; v < vocab; ++v) kl[i] += std::exp(p[v]) * (p[v] - q[v]);
        nll[i] = -q[static_cast<std::size_t>(targets[i])];
        sum += 0.5 * (0.8 * kl[i] + 0.3 * nll[i]);
      }
      return sum;
    };
    const Doubles expected = differences(doubles(student), total);
    total(doubles(student));
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      const bool f32 = precision == Precision::f32;
      Activations gradient;
      gradient.reshape(rows, vocab, precision);
      LogitsRow got[rows];
      logits_loss(teacher.data(), student.data(), targets, vocab, loss, &gradient, got, test::scratch());
      const Floats values =
          f32 ? Floats(gradient.f32(0), gradient.f32(0) + rows * vocab) : bf16_values(gradient.bf16(0), rows * vocab);
      expect_near(values, expected, f32 ? 1e-6 : 2e-3);
      for (std::size_t i = 0; i < rows; ++i) {
        EXPECT_NEAR(got[i].kl, kl[i], 1e-5);
        EXPECT_NEAR(got[i].nll, nll[i], 1e-5);
      }
    }
  });
}

TEST(TrainingRows, SoftCap) {
  everywhere([] {
    constexpr int rows = 3, cols = 37;
    const Floats x = normal(rows * cols, 1, 4), dy = normal(rows * cols, 2);
    const Doubles expected = differences(doubles(x), [&](const Doubles& at) {
      double total = 0;
      for (std::size_t i = 0; i < at.size(); ++i) total += 3 * std::tanh(at[i] / 3) * static_cast<double>(dy[i]);
      return total;
    });
    Floats capped = x;
    (void)soft_cap_rows({x.data(), nullptr, rows, cols}, 3, capped.data());
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      Activations gradient;
      gradient.reshape(rows, cols, precision);
      pack_activations(dy.data(), gradient);
      soft_cap_backward(capped.data(), 3, gradient);
      const bool f32 = precision == Precision::f32;
      expect_near(f32 ? Floats(gradient.f32(0), gradient.f32(0) + dy.size()) : bf16_values(gradient.bf16(0), dy.size()),
                  expected, f32 ? 1e-5 : 0.02);
    }
  });
}

TEST(TrainingRows, Adam) {
  everywhere([] {
    constexpr std::size_t size = 20000;
    const Floats start = normal(size, 1);
    Floats x = start, m(size, 0), v(size, 0);
    Doubles expected = doubles(start), first(size, 0), second(size, 0);
    AdamOptions options;
    options.rate = 0.01;
    options.decay = 0.1;
    options.gradient_factor = 0.5;
    for (options.step = 1; options.step <= 3; ++options.step) {
      const Floats g = normal(size, static_cast<std::uint64_t>(10 + options.step));
      adam_step(options, g, x, m, v);
      const auto t = static_cast<double>(options.step);
      for (std::size_t i = 0; i < size; ++i) {
        const double gradient = 0.5 * static_cast<double>(g[i]);
        first[i] = 0.9 * first[i] + 0.1 * gradient;
        second[i] = 0.95 * second[i] + 0.05 * gradient * gradient;
        const double change =
            first[i] / (1 - std::pow(0.9, t)) / (std::sqrt(second[i] / (1 - std::pow(0.95, t))) + 1e-8);
        expected[i] -= 0.01 * (0.1 * expected[i] + change);
      }
    }
    expect_near(x, expected, 2e-6);
    double squares = 0;
    for (const float value : x) squares += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(norm_of(x), std::sqrt(squares), 1e-4);
  });
}

}  // namespace
}  // namespace layerboost
