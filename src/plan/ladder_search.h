// Finding the order in which layers give way: a ladder, each rung of which costs least on top of those below it.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "artifact/ladder.h"
#include "plan/joint_search.h"

namespace layerboost {

struct LadderSearchOptions {
  /// What layers are changed to, from the most to the least that they keep. A layer goes down this list, and may leave
  /// some out.
  std::vector<MixerSpec> to;
  int rungs = 1;
  std::set<int> keep = {};  // layers that don't change
  double retrieval_weight = 1;
  int tries = 6;  // at most so many candidates are measured for one rung
};

/// What a change of one layer loses on its own, expected; as JointLossValue::total().
using FirstLoss = std::function<double(int layer, const MixerSpec& mixer)>;

/// Bytes that one layer keeps of a sequence with this mixer.
using LayerMemory = std::function<double(const MixerSpec& mixer)>;

struct LadderStep {
  Rung rung;
  JointLossValue measured;  // with all rungs up to this one
  double loss = 0;          // its total
};

/// The most rungs that a ladder can have: every layer goes down the whole list.
int most_rungs(const std::vector<MixerSpec>& level_0, const LadderSearchOptions& options);

/// Takes, rung by rung, the change that adds least to the measured loss of all changes together, for the memory that it
/// frees. Deterministic for a deterministic `measure`.
///
/// Lazily: what a change adds grows slowly with the rungs below, so what it added when it was last measured (at first:
/// alone, as `first_loss` expects) tells which are worth measuring again. The candidate that seems best is measured on
/// top of the present rungs, and taken if it still seems best then; else the next one is, up to `tries` for a rung, of
/// which the best is taken. That is a few measurements a rung, where trying all layers would be as many as those.
///
/// `taken`: called when the first rung begins, with nullptr, and with each rung when it is taken, for progress; may be
/// empty. Requires: rungs is at most most_rungs(), and at least 1.
std::vector<LadderStep> search_ladder(const std::vector<MixerSpec>& level_0, const LadderSearchOptions& options,
                                      const FirstLoss& first_loss, const LayerMemory& memory,
                                      const MeasurePlan& measure,
                                      const std::function<void(const LadderStep*)>& taken = {});

}  // namespace layerboost
