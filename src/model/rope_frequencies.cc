// RoPE's frequencies, as transformers' modeling_rope_utils.py defines them
// (`_compute_{default,linear_scaling,dynamic_ntk,llama3,yarn}_...`).
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "model/config.h"

namespace layerboost {
namespace {

constexpr double tau = 2 * std::numbers::pi;

/// Long wavelengths are stretched by `factor`, short ones kept, those between mixed smoothly.
double llama3_frequency(const RopeConfig& rope, double frequency) {
  const double wavelength = tau / frequency;
  if (wavelength < rope.original_positions / rope.high_freq_factor) return frequency;
  if (wavelength > rope.original_positions / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth =
      (rope.original_positions / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

/// YaRN (https://arxiv.org/abs/2309.00071): pairs that turn more than beta_fast times within the original positions are
/// kept, those that turn less than beta_slow times are stretched, with a linear ramp between.
void apply_yarn(const RopeConfig& rope, int head_size, std::vector<double>& frequencies) {
  const auto pair_that_turns = [&](double times) {
    return head_size * std::log(rope.original_positions / (times * tau)) / (2 * std::log(rope.base));
  };
  double low = pair_that_turns(rope.beta_fast);
  double high = pair_that_turns(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, head_size - 1.0);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double stretched = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] / rope.factor * stretched + frequencies[i] * (1 - stretched);
  }
}

}  // namespace

std::vector<double> RopeConfig::frequencies(int head_size, int tokens) const {
  LB_CHECK(head_size > 0 && head_size % 2 == 0);
  const int turned = rotated_of(head_size);
  std::vector<double> result(static_cast<std::size_t>(turned / 2));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = std::pow(base, -2.0 * static_cast<double>(i) / turned);
  switch (scaling) {
    case Scaling::none:
      break;
    case Scaling::linear:
      for (double& frequency : result) frequency /= factor;
      break;
    case Scaling::llama3:
      for (double& frequency : result) frequency = llama3_frequency(*this, frequency);
      break;
    case Scaling::yarn:
      apply_yarn(*this, turned, result);
      break;
    case Scaling::dynamic: {
      const std::vector<double> powers = exponents(head_size);
      for (std::size_t i = 0; i < result.size(); ++i) result[i] /= std::pow(lengths().stretch(tokens), powers[i]);
      break;
    }
  }
  const std::vector<double>& by = tokens > longest_short && !long_divisors.empty() ? long_divisors : divisors;
  LB_CHECK(by.empty() || by.size() == result.size());
  for (std::size_t i = 0; i < by.size(); ++i) result[i] /= by[i];
  result.resize(static_cast<std::size_t>(head_size / 2), 0);
  return result;
}

std::vector<double> RopeConfig::exponents(int head_size) const {
  LB_CHECK(scaling == Scaling::dynamic);
  // The base grows by stretch^(d / (d - 2)): the first pair keeps its frequency, and the last is stretched in full.
  std::vector<double> result(static_cast<std::size_t>(head_size / 2), 0);
  const int turned = rotated_of(head_size);
  for (int i = 1; i < turned / 2; ++i) result[static_cast<std::size_t>(i)] = 2.0 * i / (turned - 2);
  return result;
}

}  // namespace layerboost
