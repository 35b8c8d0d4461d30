// How long a decode step takes with a plan: a sum of measured parts.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mixer/spec.h"

namespace layerboost {

/// Seconds of one part of a decode step with B sequences, P positions read of each (the mean over KV heads):
/// fixed + row B + position B P. All not negative.
struct CostTerms {
  double fixed = 0, row = 0, position = 0;

  [[nodiscard]] double seconds(int batch, double positions) const {
    return fixed + batch * (row + position * positions);
  }
};

/// One measured time.
struct CostSample {
  int batch = 0;
  double positions = 0, seconds = 0;
};

/// The terms with the least sum of squared relative errors over the samples, none negative.
CostTerms fit_cost(std::span<const CostSample> samples);

/// Times of one model on one machine. The parts: each layer's mixer, and the rest (embedding, MLPs, head).
struct CostModel {
  CostTerms rest = {};                                        // P = 0
  std::map<std::string, CostTerms, std::less<>> mixers = {};  // by CostLaw::name
  int kv_heads = 1;                                           // of the model

  /// One layer's mixer in a step of `batch` sequences at position `context`, P as its CostLaw says; what doesn't depend
  /// on positions, such as a linear state, is in `row`. Requires: the kind was measured, or takes no time.
  [[nodiscard]] double mixer_seconds(const MixerSpec& spec, int batch, int context) const;

  /// A whole step.
  [[nodiscard]] double step_seconds(const std::vector<MixerSpec>& specs, int batch, int context) const;
};

}  // namespace layerboost
