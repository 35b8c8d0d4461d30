// The parameters of kind gated by name, and the small functions that its forward and backward share.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "mixer/feature_maps.h"

namespace layerboost {

/// Sink logits of a head.
inline constexpr int gated_sink_logits = 4;

/// Views of the flat array (Number: float or const float), in the order of the kind's parameter_shapes().
template <typename Number>
struct GatedParameters {
  std::span<Number> q_features, k_features;      // [H, d, f]
  std::span<Number> gate;                        // [H, D]
  std::span<Number> gate_bias;                   // [H]
  std::span<Number> sink_logits;                 // [H, gated_sink_logits]
  std::span<Number> linear_scale, window_scale;  // [H]

  GatedParameters(const Config& config, std::span<Number> all) {
    const auto H = static_cast<std::size_t>(config.heads);
    const std::size_t map =
        static_cast<std::size_t>(config.q_size()) * static_cast<std::size_t>(feature_map_size(config));
    const auto take = [&](std::size_t count) {
      const std::span<Number> part = all.first(count);
      all = all.subspan(count);
      return part;
    };
    q_features = take(map);
    k_features = take(map);
    gate = take(H * static_cast<std::size_t>(config.hidden));
    gate_bias = take(H);
    sink_logits = take(H * gated_sink_logits);
    linear_scale = take(H);
    window_scale = take(H);
    LB_CHECK(all.empty());
  }

  [[nodiscard]] std::span<Number> sinks_of(int head) const {
    return sink_logits.subspan(static_cast<std::size_t>(head) * gated_sink_logits, gated_sink_logits);
  }

  /// log2 sum_m e^sink_logits_m of a head.
  [[nodiscard]] float log2_sinks(int head) const {
    const auto logits = sinks_of(head);
    const float most = *std::max_element(logits.begin(), logits.end());
    float sum = 0;
    for (const float logit : logits) sum += std::exp(logit - most);
    return std::log2(sum) + most * 1.44269504088896341F;
  }
};

/// log(1 / (1 + e^-z))
inline float log_sigmoid(float z) { return std::min(z, 0.0F) - std::log1p(std::exp(-std::fabs(z))); }

/// The share of a window's positions beside the sinks, 2^log_sum / (2^log_sum + 2^sinks).
inline float share_beside_sinks(float log2_sum, float log2_sinks) { return 1 / (1 + std::exp2(log2_sinks - log2_sum)); }

}  // namespace layerboost
