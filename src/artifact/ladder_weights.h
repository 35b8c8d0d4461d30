// What the layers of a ladder have learnt, for mixers that must be trained: ladder-HASH.safetensors, beside
// ladder.json. It is named after its content, so that the next one can be written beside it, and ladder.json always
// names one that is complete, wherever its writer is killed. Described in docs/formats/ladder.md.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
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

/// What layers have learnt, by layer.
using LadderWeights = std::map<int, LearntLayer>;

/// Requires: is_content_hash(hash).
fs::path ladder_weights_file(const fs::path& directory, const std::string& hash);

/// Writes them to a file of its own, complete or not at all: the mixers' parameters as F32, projections as BF16.
/// Returns "sha256:..." of it. Throws Error.
std::string write_ladder_weights(const fs::path& directory, const Config& config, const LadderWeights& weights);

/// Removes all such files of the directory but that of `hash`, which ladder.json names. Throws fs::filesystem_error.
void remove_other_ladder_weights(const fs::path& directory, const std::string& hash);

/// Reads what those layers have learnt to which `specs` [L], a ladder's highest level, gives a mixer that must be
/// trained. Throws Error, also where a layer is missing, a tensor is none of theirs, or `hash` isn't the file's.
LadderWeights read_ladder_weights(const fs::path& directory, const Config& config, std::span<const MixerSpec> specs,
                                  const std::string& hash);

/// The learnt projections in place of the model's own, on top of another change of the weights.
class LearntChange final : public WeightChange {
 public:
  /// `below`: the other change; nullptr: none. `weights_hash`: of the file that `weights` were read from.
  LearntChange(std::shared_ptr<const LadderWeights> weights, std::shared_ptr<const WeightChange> below,
               const std::string& weights_hash);

  void apply(const std::string& tensor, std::int64_t row, std::span<float> values) const override;
  [[nodiscard]] bool changes(const std::string& tensor) const override;
  [[nodiscard]] std::string hash() const override { return hash_; }

 private:
  const std::shared_ptr<const LadderWeights> weights_;
  const std::shared_ptr<const WeightChange> below_;
  const std::string hash_;
  std::unordered_map<std::string, const std::vector<float>*> matrices_;  // by the weight's Hugging Face name
};

/// Has `mixers` of `model` use them. Requires: no mixer of their kinds has been made of their layers; the model's files
/// are still open.
void use_weights(MixerSet& mixers, const Model& model, const LadderWeights& weights);

}  // namespace layerboost
