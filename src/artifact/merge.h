// Adapters merged into weights, or into copies of them: W + (alpha / rank) B A, in f32, before anything is rounded.
#pragma once

#include <string>
#include <unordered_map>

#include "artifact/adapter.h"
#include "mixer/mixers.h"

namespace layerboost {

/// What an adapter adds to the weights of its model. Immutable; safe to use from several threads.
class AdapterChange final : public WeightChange {
 public:
  /// `hash`: of the adapter's file.
  AdapterChange(const Adapter& adapter, const Config& config, std::string hash);

  void apply(const std::string& tensor, std::int64_t row, std::span<float> values) const override;
  [[nodiscard]] bool changes(const std::string& tensor) const override { return pairs_.contains(tensor); }
  [[nodiscard]] std::string hash() const override { return hash_; }

 private:
  std::unordered_map<std::string, LoraPair> pairs_;  // by the weight's Hugging Face name; b scaled by alpha / rank
  std::string hash_;
};

/// The projections that the mixers of a plan, `specs` [L], have where `change` is theirs alone and not merged into the
/// model: a MixerSet with them runs the changed plan, another one the model as it is, in one process and with one set
/// of base weights. Requires: `change` leaves all but projections as they are; the model's files are still open.
MixerProjections own_projections(const Model& model, const std::vector<MixerSpec>& specs, const WeightChange& change);

/// The parameters of a plan's mixers: the adapter's (nullptr: none) where it has learnt some, else those in the plan's
/// file. `specs` [L]: the plan's. `where` begins messages. Throws Error for tensors that aren't those of mixers of this
/// model.
MixerParameters merged_parameters(const Config& config, const MixerParameters& planned,
                                  std::span<const MixerSpec> specs, const Adapter* adapter, const std::string& where);

}  // namespace layerboost
