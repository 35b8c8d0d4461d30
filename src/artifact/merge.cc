#include "artifact/merge.h"

#include <utility>

#include "artifact/parameters_file.h"
#include "base/error.h"
#include "mixer/descriptor.h"
#include "model/tensor_names.h"

namespace layerboost {

AdapterChange::AdapterChange(const Adapter& adapter, const Config& config, std::string hash) : hash_(std::move(hash)) {
  const auto scale = static_cast<float>(adapter.alpha / adapter.rank);
  for (const auto& [name, pair] : adapter.pairs) {
    LoraPair& scaled = pairs_[adapted_weight(name, config, "adapter").name] = pair;
    for (float& value : scaled.b) value *= scale;
  }
}

void AdapterChange::apply(const std::string& tensor, std::int64_t row, std::span<float> values) const {
  const auto found = pairs_.find(tensor);
  if (found == pairs_.end()) return;
  const LoraPair& pair = found->second;
  LB_CHECK(std::ssize(values) == pair.in && row < pair.out);
  const float* const b = pair.b.data() + row * pair.rank;  // [rank]
  float* const out = values.data();
  for (int r = 0; r < pair.rank; ++r) {
    const float factor = b[r];
    const float* const a = pair.a.data() + static_cast<std::ptrdiff_t>(r) * pair.in;  // [in]
    for (int j = 0; j < pair.in; ++j) out[j] += factor * a[j];
  }
}

MixerProjections own_projections(const Model& model, const std::vector<MixerSpec>& specs, const WeightChange& change) {
  MixerProjections projections;
  for (int layer = 0; layer < model.config.layers; ++layer) {
    for (const LayerPart part : {LayerPart::gate, LayerPart::up, LayerPart::down})
      LB_CHECK(!change.changes(weight_name(layer, part)));
    const MixerKind kind = specs[static_cast<std::size_t>(layer)].kind;
    if (descriptor_of(kind).weights != AttentionParts::all) continue;
    OwnProjections own = load_projections(model.weights, layer, change);
    if (own.bytes() > 0) projections.emplace(std::pair(layer, kind), std::move(own));
  }
  return projections;
}

MixerParameters merged_parameters(const Config& config, const MixerParameters& planned,
                                  std::span<const MixerSpec> specs, const Adapter* adapter, const std::string& where) {
  if (adapter == nullptr || adapter->mixer.empty()) return planned;
  auto named = named_parameters(config, planned, specs);
  for (const auto& [name, parameter] : adapter->mixer) named[name] = parameter;
  return parameters_of(config, named, where, specs);
}

}  // namespace layerboost
