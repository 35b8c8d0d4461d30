// A model with one choice of mixers, and the memory to run it.
#pragma once

#include "model/runner.h"

namespace layerboost {

/// A model with the mixers [L] that it runs with.
struct ModelWithMixers {
  const Model& model;
  const MixerList& mixers;
};

/// A model that is run, with its mixers, a runner and the memory for caches. Not thread-safe: one per thread of
/// control. Requires: it outlives the sequences made with it.
struct Subject {
  /// Requires: `its_model` and `its_mixers` [L] outlive this.
  Subject(const Model& its_model, const MixerList& its_mixers)
      : model(its_model), mixers(its_mixers), runner(its_model) {}

  const Model& model;
  const MixerList& mixers;
  Runner runner;
  CachePools pools;
};

}  // namespace layerboost
