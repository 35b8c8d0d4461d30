// Adapters merged into weights: W + (alpha / rank) B A, in f32, before anything is rounded.
#pragma once

#include <string>
#include <unordered_map>

#include "artifact/adapter.h"
#include "model/weights.h"

namespace layerboost {

/// What an adapter adds to the weights of its model. Immutable; safe to use from several threads.
class AdapterChange final : public WeightChange {
 public:
  /// `hash`: of the adapter's file.
  AdapterChange(const Adapter& adapter, const Config& config, std::string hash);

  void apply(const std::string& tensor, std::int64_t row, std::span<float> values) const override;
  [[nodiscard]] std::string hash() const override { return hash_; }

 private:
  std::unordered_map<std::string, LoraPair> pairs_;  // by the weight's Hugging Face name; b scaled by alpha / rank
  std::string hash_;
};

/// The parameters of a plan's mixers: the adapter's (nullptr: none) where it has learnt some, else those in the plan's
/// file. `where` begins messages. Throws Error for tensors that aren't those of mixers of this model.
MixerParameters merged_parameters(const Config& config, const MixerParameters& planned, const Adapter* adapter,
                                  const std::string& where);

}  // namespace layerboost
