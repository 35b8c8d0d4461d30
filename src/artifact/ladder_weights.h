// What the layers of a ladder have learnt, for mixers that must be trained: ladder.safetensors, beside ladder.json.
// Described in docs/formats/ladder.md.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "mixer/mixers.h"

namespace layerboost {

/// One layer, used beside the base model's weights, of which Wk and Wv stay in use.
struct LearntLayer {
  MixerSpec mixer;
  std::vector<float> parameters;  // the mixer's own
  std::vector<float> q, o;        // Wq [H d, D], Wo [D, H d]
};

/// By layer.
using LadderWeights = std::map<int, LearntLayer>;

inline fs::path ladder_weights_file(const fs::path& directory) { return directory / "ladder.safetensors"; }

/// Writes them, complete or not at all: the mixers' parameters as F32, projections as BF16. Returns "sha256:..." of the
/// file. Throws Error.
std::string write_ladder_weights(const fs::path& file, const Config& config, const LadderWeights& weights);

/// Those of layers that `specs` [L], a ladder's highest level, gives a mixer that must be trained. Throws Error, also
/// where one is missing, a tensor is none of theirs, or `hash` isn't the file's.
LadderWeights read_ladder_weights(const fs::path& file, const Config& config, std::span<const MixerSpec> specs,
                                  const std::string& hash);

/// Has `mixers` of `model` use them. Requires: no mixer of their kinds has been made of their layers; the model's files
/// are still open.
void use_weights(MixerSet& mixers, const Model& model, const LadderWeights& weights);

}  // namespace layerboost
