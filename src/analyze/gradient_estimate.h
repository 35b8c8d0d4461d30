// What each layer loses by each change, estimated from gradients: a few backward passes for all layers and changes
// together, where a sweep runs the rest of the model once for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "analyze/calibration.h"
#include "mixer/mixers.h"

namespace layerboost {

/// What is lost by one change of one layer, as a sweep would measure it; nats.
struct EstimatedLoss {
  std::vector<double> kl;         // [texts] KL(unchanged || changed), mean over tokens
  std::vector<double> nll;        // [texts] change of -log p of the text's own tokens, mean over tokens; if asked for
  std::vector<double> retrieval;  // [questions] drop of the mean log p of the answer's tokens
};

/// The losses by layer, and by what its mixer is changed to where it keeps less then (keeps_less()).
using EstimatedLosses = std::vector<std::map<MixerSpec, EstimatedLoss>>;

/// Whether a change only restricts what a layer's heads look at. Such changes are small, and the estimate is good for
/// them; what a removal or another computation costs it says too low.
bool is_restriction(const Config& config, const MixerSpec& choice);

struct EstimateOptions {
  std::vector<MixerSpec> choices;  // of each, those layers' losses that would keep less with it
  int samples = 3;                 // backward passes for each text's KL
  std::uint64_t seed = 0;
  bool nll = true;  // one more, for the text's own tokens
};

/// Bytes that estimate_losses() takes beside the model, about, where sequences have up to `length` tokens.
std::size_t estimate_bytes(const Model& model, int length);

/// Whether estimate_losses() can compute with layers of such sizes, in such a precision.
bool can_estimate(const Config& config, Precision precision);

/// A change of layer l moves what its mixer adds to the residual stream by delta_l [T, D] (computed: both mixers run on
/// the unchanged model's input of the layer; windows once for all heads, whose parts add up). To second order, with g
/// the gradient of log p of tokens that are sampled from the model's own predictions,
///   KL = 1/2 E[(sum over rows of g . delta)^2],
/// the Fisher information's quadratic form; tokens sampled at different rows are independent, so that one backward pass
/// for all rows gives an unbiased sample of it. The change of the text's own likelihood is the first-order term of its
/// own tokens, and the KL; an answer's loss is the first-order term alone.
///
/// Requires: can_estimate(), and choices that are restrictions. Throws Error, Interrupted.
EstimatedLosses estimate_losses(const Model& model, MixerSet& mixers, const Calibration& calibration,
                                const EstimateOptions& options);

}  // namespace layerboost
