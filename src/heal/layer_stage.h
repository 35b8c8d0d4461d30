// One layer learns, with a mixer that must be trained, to add what the unchanged model's attention adds there: a stage
// of a chain (DSLA, arXiv 2506.09316, section 4.4). Nothing else of the model is run backward.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "artifact/ladder_weights.h"
#include "heal/student_mixer.h"

namespace layerboost {

struct StageOptions {
  LoraOptions lora;  // of Wq
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, clip = 1;
  double ridge = 1e-4;  // of the mean square of what Wo reads
  double keeps = 0.8;   // of the moments of what came before, at each fit
  std::uint64_t seed = 0;
};

/// Throws Error for a model whose layers can't learn alone: where a norm follows, what Wo puts out isn't what the layer
/// adds, and no regression finds Wo.
void check_layers_can_learn(const Config& config);

/// The output is Wo out, out the mixer's. Wo is the best one for that, again and again: ridge regression of the target
/// on out. The mixer's parameters and a pair of LoRA on Wq go down the gradient of the squared distance to the target
/// over the target's squared size, so that layers count alike.
class LayerStage {
 public:
  /// What is learnt so far, to go on from.
  struct State {
    std::vector<float> x;                  // pairs of LoRA (of which only Wq's moves), then the mixer's parameters
    std::vector<float> m, v;               // AdamW's moments; empty: none yet
    std::vector<float> o;                  // Wo [D, H d]
    std::vector<float> moments, products;  // what the next fit adds to: [H d, H d] of out, [H d, D] of out and target;
                                           // empty: nothing yet
    std::int64_t step = 0;
  };

  /// Begins with the layer's own projections and the mixer's initial parameters. Throws as Student does. Requires:
  /// `model` outlives this.
  LayerStage(const Model& model, int layer, const MixerSpec& spec, const StageOptions& options);
  /// Goes on from a state of the same layer, mixer and options.
  LayerStage(const Model& model, int layer, const MixerSpec& spec, const StageOptions& options, State state);
  ~LayerStage();

  /// Runs a batch, whose hidden [N, D] is the layer's input in the residual stream and target [N, D] what is to be
  /// added to it, and adds to the moments that fit() then solves for Wo.
  void gather(const float* hidden, const float* target, const CoreBatch& batch);
  void fit();

  /// gather(), adds the gradient of the batch, and returns its relative squared distance; update() then takes a step of
  /// AdamW with the mean over the batches, and fits.
  double learn(const float* hidden, const float* target, const CoreBatch& batch);
  void update(double rate);
  /// The distance alone.
  double distance(const float* hidden, const float* target, const CoreBatch& batch);

  /// As update() or fit() left it: what was gathered or learnt since isn't in it.
  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] LearntLayer learnt() const;

 private:
  void make_student();
  void add_moments(const float* target, const CoreBatch& batch);
  /// Runs the batch; leaves in `difference_` what is added, less the target. Returns |difference|^2 / |target|^2.
  double run(const float* hidden, const float* target, const CoreBatch& batch);

  const Model& model_;
  const int layer_;
  const MixerSpec spec_;
  const StageOptions options_;
  std::vector<LoraSite> sites_;  // qkv and o of this layer
  State state_;
  std::vector<float> gradients_;
  int batches_ = 0;
  StudentScratch scratch_;
  std::unique_ptr<StudentMixer> student_;
  MixerSaved saved_;
  AlignedBuffer hidden_;
  std::vector<double> moments_, products_;  // those since the last fit
};

}  // namespace layerboost
