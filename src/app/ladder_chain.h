// The rungs of a ladder whose mixers must be trained: what each layer learns alone, the order that this gives, and one
// layer after another trained on top of those before it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analyze/calibration.h"
#include "artifact/ladder.h"
#include "artifact/opened_model.h"

namespace layerboost {

struct LadderChainOptions {
  std::vector<std::string> text = {"self"};  // as HealTextOptions::files
  std::int64_t tokens = 300'000;             // that a rung learns from; as many are read by all layers before the first
  int length = 1024;                         // tokens of a sequence; LadderOptions::length
};

/// What it works on. Requires: what references lead to outlives the call.
struct LadderChainTask {
  const OpenedModel& opened;  // the unchanged model
  const LadderChainOptions& options;
  MixerSpec mixer;
  int rungs = 1;
  std::vector<int> layers;  // those that may be changed, rising
  double retrieval_weight = 1;
  const Calibration& calibration;  // what the order is chosen by
  std::uint64_t seed = 0;
  std::string made_with;  // tells apart what may go on from each other: the model and all options but the rungs' number
  fs::path directory;
  std::function<void()> save;  // writes the ladder
};

/// Adds rungs to `ladder` until it has so many, and keeps what layers learn in the directory's
/// ladder-HASH.safetensors. Goes on after the last rung that is there. Throws Error, Interrupted.
void train_rungs(const LadderChainTask& task, Ladder& ladder);

/// Removes from the ladder's directory what ladder.json, as it was written last, has made useless: the weights of fewer
/// rungs and the stage that its last rung came from. A stage of a later rung stays. Throws Error,
/// fs::filesystem_error.
void clear_up_after_rung(const fs::path& directory, const Ladder& ladder);

}  // namespace layerboost
