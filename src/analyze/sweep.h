// The sensitivity sweep: how much the model loses when one layer's mixer is changed, for each layer and each choice. A
// Calibration (analyze/calibration.h) is what it reads: texts, and questions about facts far back. Its measures are
// losses of the whole model (kl, nll, task, retrieval), and two that look at a layer alone (cosine, entropy). Changes
// that only restrict what heads see can be estimated from gradients instead (analyze/gradient_estimate.h), and several
// processes can share the layers. The result is an Analysis, which the planner reads. Its file is written after every
// layer, so that a sweep that was stopped goes on. A sweep changes one layer at a time, chooses nothing, and leaves the
// weights as they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "analyze/calibration.h"
#include "artifact/analysis_file.h"
#include "base/json.h"
#include "base/ranks.h"
#include "eval/task_file.h"
#include "mixer/mixers.h"

namespace layerboost {

struct SweepOptions {
  std::vector<MixerSpec> choices;     // what each layer is changed to, where it keeps less then
  std::vector<std::string> measures;  // of analysis_measures()
  std::vector<Task> tasks;            // for the measure "task"
  bool by_gradients = false;          // kl, nll and retrieval of restrictions from gradients
  std::uint64_t seed = 0;             // of the tokens that the estimate samples
  const Ranks* ranks = nullptr;       // processes that share the layers among them; nullptr: this one does all
};

/// Sweeps over all layers and returns the whole analysis. The file `path` is written after every layer; where it
/// already holds layers of the same sweep (model, data, choices, measures), these are not measured again. Maps (choice
/// map) are kept beside it, as STEM.maps.safetensors.
///
/// The unchanged model's hidden states at the current layer's input are kept, and each change restarts from there: on
/// average half of the layers run for each. By gradients, restrictions (analyze/gradient_estimate.h) run no more than
/// their own layer. Where several ranks share the layers, each but the first keeps its own in STEM.rankN.EXTENSION
/// until all are done; the first then has the whole analysis, the others what they measured. `run` gives the file's run
/// object each time it is written. Throws Error when `path` holds another sweep, Interrupted.
Analysis run_sweep(const Model& model, MixerSet& mixers, const Calibration& calibration, const SweepOptions& options,
                   const std::filesystem::path& path, const std::function<Json()>& run);

}  // namespace layerboost
