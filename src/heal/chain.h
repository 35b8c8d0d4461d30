// Layers that must be trained, one after another: a stage each, fed by the model with all layers before it in place
// (DSLA's chained fine-tuning, arXiv 2506.09316, section 4.4). One set of weights is then valid for every number of
// converted layers.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "heal/heal_text.h"
#include "heal/layer_stage.h"
#include "model/runner.h"

namespace layerboost {

struct ChainOptions {
  std::int64_t tokens = 300'000;         // that a stage learns from
  std::int64_t alone_tokens = 300'000;   // that all layers learn from at once, each alone, before the first stage
  int length = 1024;                     // tokens of a sequence
  int batch = 8192;                      // tokens of a step, in whole sequences
  int fit_tokens = 32 * 1024;            // that an output product is fitted on
  double rate = 1e-3, final_rate = 0.1;  // AdamW's learning rate at its highest, after 5 % of the steps; the share left
  StageOptions stage;
};

/// Runs the unchanged model, and the one with the layers so far, and hands each stage its inputs and targets.
class Chain {
 public:
  /// Requires: `model` and `text` outlive this.
  Chain(const Model& model, HealText& text, const ChainOptions& options);

  using Stages = std::map<int, std::unique_ptr<LayerStage>>;  // by layer
  using States = std::map<int, LayerStage::State>;

  /// What watches a stage, and lets it go on where it was stopped.
  struct Watcher {
    /// What it has come to, for people; called after each step.
    std::function<void(std::int64_t tokens, double distance)> report;
    /// Keeps it as it is after so many steps; called now and then, and when it is interrupted. nullptr: it isn't kept.
    std::function<void(std::int64_t steps, const Stages& stages)> save = nullptr;
    /// What save() was given last. No states: the stage begins.
    std::int64_t steps = 0;
    States states = {};
  };

  /// Stage 0: `layers` all at once, each fed with the unchanged model's hidden states. Throws Interrupted.
  States train_alone(const std::vector<int>& layers, const MixerSpec& spec, const Watcher& watcher);

  /// A stage: `layer`, from what it has learnt alone, in the model that `below` runs. Throws Interrupted.
  LearntLayer train(int layer, const MixerSpec& spec, LayerStage::State from, const MixerList& below,
                    const Watcher& watcher);

 private:
  using See = std::function<void(int layer, const float* hidden, const float* target, const CoreBatch& batch)>;
  void run(std::int64_t first, int sequences, const std::vector<int>& layers, const MixerList* below, const See& see);
  void train_stages(Stages& stages, std::int64_t tokens, const MixerList* below, const Watcher& watcher);
  void fit(Stages& stages, std::int64_t first, const MixerList* below);

  const Model& model_;
  HealText& text_;
  const ChainOptions options_;
  MixerSet mixers_;
  const MixerList& native_;
  Runner runner_;
  CachePools pools_;
  AlignedBuffer hidden_, before_, target_, below_;
};

}  // namespace layerboost
