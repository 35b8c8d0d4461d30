#include "engine/prompt_cost.h"

#include <algorithm>

namespace layerboost {
namespace {

constexpr double most_steps = 50;   // that count, about
constexpr double most_of_it = 0.9;  // of the time of a token that can be attention's
constexpr double telling = 0.1;     // how far bytes must differ, of their mean, to say as much as the arithmetic does

/// Multiplications of attention for each byte of keys and values, two of which make a number, against those of all
/// products.
double predicted_slope(const Config& config) {
  const double attention = 0.5 * config.heads / config.kv_heads;
  const double layer = 2.0 * config.q_size() + 2.0 * config.kv_size() + 3.0 * config.ffn;
  return attention / (config.layers * layer * config.hidden);
}

}  // namespace

PromptCost::PromptCost(const Config& config) : predicted_(predicted_slope(config)) {}

void PromptCost::measure(double bytes, double seconds) {
  steps_ = std::min(steps_ + 1, most_steps);
  const double weight = 1 / steps_, more_bytes = bytes - bytes_, more_seconds = seconds - seconds_;
  bytes_ += weight * more_bytes;
  seconds_ += weight * more_seconds;
  variance_ += weight * ((1 - weight) * more_bytes * more_bytes - variance_);
  covariance_ += weight * ((1 - weight) * more_bytes * more_seconds - covariance_);
}

double PromptCost::slope() const {
  const double predicted = seconds_ * predicted_ / (1 + predicted_ * bytes_);
  if (bytes_ <= 0) return predicted;
  const double trust = telling * telling * bytes_ * bytes_;
  return std::clamp((covariance_ + trust * predicted) / (variance_ + trust), 0.0, most_of_it * seconds_ / bytes_);
}

}  // namespace layerboost
