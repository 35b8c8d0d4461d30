// Opening a model for int8: a short calibration finds the channels whose activations stand out, and moves them into the
// weights.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "mixer/mixers.h"
#include "model/model.h"

namespace layerboost {

/// How large the inputs of a model's products get: the largest |x| of each channel over a calibration text.
struct InputRanges {
  struct Layer {
    std::vector<float> qkv, o, gate_up;  // [D], [H d], [D]
  };
  std::vector<Layer> layers;  // [L]
  std::vector<float> head;    // [D]
};

/// Observes the model (any precision but int8, no smoothing) with these mixers [L] while it writes `sequences` of
/// `length` tokens by sampling at temperature 1 (fewer, where it has fewer positions). Throws Error where its logits
/// aren't numbers, Interrupted.
InputRanges observe_ranges(const Model& model, const MixerList& mixers, int sequences, int length);

/// SmoothQuant's factors (Xiao et al. 2023, eq. 4): s_j = max|x_j|^alpha / max|w_j|^(1 - alpha), w_j the column of the
/// weight that reads channel j; scaled so that their geometric mean is 1.
/// The weights as `change` makes them; nullptr: as they are. Channels of products that a layer lacks get none.
Smoothing smoothing_factors(const Checkpoint& checkpoint, const InputRanges& ranges, float alpha,
                            const WeightChange* change = nullptr);

/// How a model will be run, where that isn't as it was trained.
struct ModelUse {
  const WeightChange* change = nullptr;
  std::string key;  // names change and mixers, for the cache of calibrations
  std::function<std::unique_ptr<MixerSet>(const Model&)> make_mixers;
  std::vector<MixerSpec> specs;  // [L]
};

/// Loads a model ready to run (load_model). Under int8 it is calibrated first, once: the ranges are kept beside the
/// model, as FILE.calibration.json or DIR/calibration.json, or in the cache where that can't be written. With `use`, it
/// is changed and calibrated as it will be used; those ranges are kept in the cache. With `needs_text`, its tokenizer
/// is seen to before it is calibrated, which takes a while. Throws Error.
std::unique_ptr<Model> load_calibrated(const std::shared_ptr<const Checkpoint>& checkpoint, Precision precision,
                                       const ModelUse* use = nullptr, bool needs_text = false);

}  // namespace layerboost
