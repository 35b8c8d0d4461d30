// How long a decode step takes with a plan: a sum of measured parts.
#pragma once

#include <span>
#include <vector>

#include "model/mixer.h"

namespace layerboost {

/// Seconds of one part of a decode step with B sequences, P positions read of each: fixed + row B + position B P. All
/// not negative.
struct CostTerms {
  double fixed = 0, row = 0, position = 0;

  [[nodiscard]] double seconds(int batch, int positions) const { return fixed + batch * (row + position * positions); }
};

/// One measured time.
struct CostSample {
  int batch = 0, positions = 0;
  double seconds = 0;
};

/// The terms with the least sum of squared relative errors over the samples, none negative.
CostTerms fit_cost(std::span<const CostSample> samples);

/// Times of one model on one machine. The parts: each layer's mixer, and the rest (embedding, MLPs, head).
struct CostModel {
  CostTerms rest = {};  // P = 0
  CostTerms softmax = {}, window = {}, hybrid = {}, gated = {}, map = {};

  /// One layer's mixer in a step of `batch` sequences at position `context`. Softmax reads all positions; window,
  /// hybrid and gated at most w + s (the states of the latter are in `row`), map none; `none` costs nothing.
  [[nodiscard]] double mixer_seconds(const MixerSpec& spec, int batch, int context) const;

  /// A whole step.
  [[nodiscard]] double step_seconds(const std::vector<MixerSpec>& specs, int batch, int context) const;
};

}  // namespace layerboost
