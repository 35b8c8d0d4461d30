// For tests: what the mixers are, written down plainly in double, query by query.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/soft_cap.h"
#include "mixer/dual_state_gates.h"
#include "mixer/gated_parameters.h"
#include "mixer/spec.h"
#include "model/config.h"

namespace layerboost::test {

using Doubles = std::vector<double>;

/// The CoreInputs of one sequence.
struct DefinitionInputs {
  int length = 0;
  Doubles x, q_plain, k_plain, q, k, v;
};

class Definition {
 public:
  Definition(const Config& config, const MixerSpec& spec, const Doubles& parameters)
      : config_(config), spec_(spec), parameters_(parameters) {
    std::size_t first = 0;
    for (const ParameterShape& shape : parameter_shapes(config, spec)) {
      tensors_.push_back(first);
      first += shape.count();
    }
  }

  /// out [length, H, d]
  [[nodiscard]] Doubles operator()(const DefinitionInputs& in) const {
    if (spec_.kind == MixerKind::dual_state) return dual_state(in);
    Doubles out;
    for (int i = 0; i < in.length; ++i)
      for (int head = 0; head < config_.heads; ++head) {
        const Doubles row = output(in, i, head);
        out.insert(out.end(), row.begin(), row.end());
      }
    return out;
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] int d() const { return config_.head_size; }
  [[nodiscard]] int f() const { return feature_map_size(config_); }
  [[nodiscard]] std::size_t query(int i, int head) const { return at((i * config_.heads + head) * d()); }
  [[nodiscard]] std::size_t key(int j, int head) const {
    return at((j * config_.kv_heads + head / (config_.heads / config_.kv_heads)) * d());
  }
  /// Where the tensor number n of the kind's parameters begins.
  [[nodiscard]] std::size_t tensor(std::size_t n) const { return tensors_[n]; }

  [[nodiscard]] Doubles features(const double* x, std::size_t map, int head) const {
    Doubles result;
    for (const int sign : {1, -1}) {
      double total = 0;
      for (int c = 0; c < f(); ++c) {
        double u = 0;
        for (int r = 0; r < d(); ++r) u += x[r] * parameters_[map + at((head * d() + r) * f() + c)];
        result.push_back(std::exp(sign * u));
        total += result.back();
      }
      for (int c = 0; c < f(); ++c) result[result.size() - 1 - at(c)] /= total;
    }
    return result;
  }

  /// phi_q(q) . phi_k(k)
  [[nodiscard]] double likeness(const double* q, const double* k, int head) const {
    const Doubles a = features(q, tensor(0), head), b = features(k, tensor(1), head);
    double sum = 0;
    for (std::size_t c = 0; c < a.size(); ++c) sum += a[c] * b[c];
    return sum;
  }

  void add(Doubles& sums, double weight, const DefinitionInputs& in, int j, int head) const {
    for (int c = 0; c < d(); ++c) sums[at(c)] += weight * in.v[key(j, head) + at(c)];
    sums[at(d())] += weight;  // the total
  }

  [[nodiscard]] Doubles output(const DefinitionInputs& in, int i, int head) const {
    const bool window = has_window(spec_.kind) && !has_head(spec_.full, head / (config_.heads / config_.kv_heads));
    Doubles near(at(d() + 1)), far(at(d() + 1));
    double largest = -INFINITY, log_decay = 0;
    std::vector<std::pair<int, double>> scores;
    for (int j = i; j >= 0; --j) {
      if (!window || i - j < spec_.window || j < spec_.sinks) {
        double score = 0;
        for (int c = 0; c < d(); ++c) score += in.q[query(i, head) + at(c)] * in.k[key(j, head) + at(c)];
        scores.emplace_back(j, soft_capped(score / std::sqrt(d()), static_cast<double>(config_.attention_soft_cap)));
        largest = std::max(largest, scores.back().second);
      } else if (spec_.kind == MixerKind::hybrid) {
        add(far, likeness(&in.q[query(i, head)], &in.k[key(j, head)], head), in, j, head);
      }
      if (spec_.kind != MixerKind::gated) continue;
      add(far, std::exp(log_decay) * likeness(&in.q_plain[query(i, head)], &in.k_plain[key(j, head)], head), in, j,
          head);
      double z = parameters_[tensor(3) + at(head)];
      for (int c = 0; c < config_.hidden; ++c)
        z += in.x[at(j * config_.hidden + c)] * parameters_[tensor(2) + at(head * config_.hidden + c)];
      log_decay -= std::log1p(std::exp(-z));
    }
    for (const auto& [j, score] : scores) add(near, std::exp(score - largest), in, j, head);

    double near_factor = 1 / near.back(), far_factor = 0;
    if (spec_.kind == MixerKind::hybrid) {
      const double r = std::exp(parameters_[tensor(2) + at(head)]);
      near_factor = r / (r * near.back() + far.back());
      far_factor = 1 / (r * near.back() + far.back());
    }
    if (spec_.kind == MixerKind::gated) {
      double sinks = 0;
      for (int m = 0; m < gated_sink_logits; ++m)
        sinks += std::exp(parameters_[tensor(4) + at(head * gated_sink_logits + m)] - largest);
      near_factor = parameters_[tensor(6) + at(head)] / (near.back() + sinks);
      far_factor = parameters_[tensor(5) + at(head)] / far.back();
    }
    Doubles out;
    for (int c = 0; c < d(); ++c) out.push_back(near_factor * near[at(c)] + far_factor * far[at(c)]);
    return out;
  }

  /// Token after token.
  [[nodiscard]] Doubles dual_state(const DefinitionInputs& in) const {
    const int G = config_.kv_heads, ratio = config_.heads / G, states = state_count(spec_);
    const bool on_x = has_variant(spec_, DualStateVariant::gates_on_x);
    Doubles out(in.q.size()), state(at(states * G * d() * d())), weights = {1};
    if (states > 1) {
      const double a = std::exp(parameters_[tensor(4)]), b = std::exp(parameters_[tensor(4) + 1]);
      weights = {a / (a + b), b / (a + b)};
    }
    for (int t = 0; t < in.length; ++t)
      for (int s = 0; s < states; ++s)
        for (int g = 0; g < G; ++g)
          for (int i = 0; i < d(); ++i) {
            double z = parameters_[tensor(at(2 * s + 1)) + at(g * d() + i)];
            for (int j = 0; j < (on_x ? config_.hidden : d()); ++j)
              z += on_x ? in.x[at(t * config_.hidden + j)] * parameters_[tensor(at(2 * s)) + at((j * G + g) * d() + i)]
                        : in.k_plain[at((t * G + g) * d() + j)] *
                              parameters_[tensor(at(2 * s)) + at((g * d() + j) * d() + i)];
            const double gate = std::exp(std::max(-50.0, -std::log1p(std::exp(-z)) / 16));
            for (int j = 0; j < d(); ++j) {
              double& number = state[at(((s * G + g) * d() + i) * d() + j)];
              number = gate * number + in.k_plain[at((t * G + g) * d() + i)] * in.v[at((t * G + g) * d() + j)];
              for (int head = g * ratio; head < (g + 1) * ratio; ++head)
                out[query(t, head) + at(j)] +=
                    weights[at(s)] / std::sqrt(d()) * in.q_plain[query(t, head) + at(i)] * number;
            }
          }
    for (std::size_t first = 0; has_variant(spec_, DualStateVariant::output_norm) && first < out.size();
         first += at(d())) {
      double squares = 0;
      for (int j = 0; j < d(); ++j) squares += out[first + at(j)] * out[first + at(j)];
      for (int j = 0; j < d(); ++j)
        out[first + at(j)] *= parameters_[tensor(tensors_.size() - 1) + at(j)] /
                              std::sqrt(squares / d() + static_cast<double>(config_.norm_eps));
    }
    return out;
  }

  const Config& config_;
  const MixerSpec spec_;
  const Doubles& parameters_;
  std::vector<std::size_t> tensors_;
};

}  // namespace layerboost::test
