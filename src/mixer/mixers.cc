#include "mixer/mixers.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/attention.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

/// Throws Error when the layer has been left without the weights that this mixer needs.
void check_weights(const Config& config, int layer, const MixerSpec& spec) {
  const AttentionParts parts = config.attention_of(layer);
  if (parts <= descriptor_of(spec.kind).weights) return;
  fail("layer {} can't have the mixer {}: its attention was left out when the model was exported", layer,
       to_string(spec));
}

MixerSpec native_spec(const Config& config, int layer) {
  if (config.attention_of(layer) != AttentionParts::all) return no_mixer;
  const int window = config.windows[static_cast<std::size_t>(layer)];
  return window > 0 ? MixerSpec{MixerKind::window, window, 0} : full_attention;
}

}  // namespace

MixerSet::MixerSet(const Model& model, MixerParameters parameters, KvType kv, MixerProjections projections)
    : model_(model), parameters_(std::move(parameters)), kv_(kv), projections_(std::move(projections)) {
  if (kv == KvType::int8 && model.config.head_size > most_int8_head_size)
    fail("`kv` int8: is for heads of at most {} numbers; this model's have {}", most_int8_head_size,
         model.config.head_size);
  for (const auto& [place, own] : projections_) LB_CHECK(descriptor_of(place.second).weights == AttentionParts::all);
}

const Mixer& MixerSet::mixer(int layer, const MixerSpec& spec) {
  auto& slot = mixers_[{layer, spec}];
  if (!slot) {
    check_weights(model_.config, layer, spec);
    const auto own = projections_.find({layer, spec.kind});
    slot = descriptor_of(spec.kind).make({model_, layer, kv_, own == projections_.end() ? nullptr : &own->second}, spec,
                                         parameters_for(model_.config, layer, spec, parameters_));
  }
  return *slot;
}

const MixerList& MixerSet::list(const std::vector<MixerSpec>& specs) {
  LB_CHECK(std::ssize(specs) == model_.config.layers);
  auto& slot = lists_[specs];
  if (!slot) {
    auto list = std::make_unique<MixerList>();
    for (int layer = 0; layer < model_.config.layers; ++layer)
      list->push_back(&mixer(layer, specs[static_cast<std::size_t>(layer)]));
    slot = std::move(list);
  }
  return *slot;
}

void MixerSet::set_parameters(int layer, MixerKind kind, std::vector<float> values) {
  LB_CHECK(!made(layer, kind));
  parameters_[{layer, kind}] = std::move(values);
}

void MixerSet::set_projections(int layer, MixerKind kind, OwnProjections projections) {
  LB_CHECK(!made(layer, kind));
  projections_.insert_or_assign({layer, kind}, std::move(projections));
}

bool MixerSet::made(int layer, MixerKind kind) const {
  return std::any_of(mixers_.begin(), mixers_.end(), [&](const auto& entry) {
    return entry.second != nullptr && entry.first.first == layer && entry.first.second.kind == kind;
  });
}

std::size_t MixerSet::projection_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [place, own] : projections_) bytes += own.bytes();
  return bytes;
}

std::vector<MixerSpec> native_specs(const Config& config) {
  std::vector<MixerSpec> specs;
  for (int layer = 0; layer < config.layers; ++layer) specs.push_back(native_spec(config, layer));
  return specs;
}

bool keeps_less(const Config& config, int layer, const MixerSpec& choice) {
  const MixerSpec own = native_spec(config, layer);
  if (sees_everything(own.kind)) return choice != own;
  constexpr int length = 1 << 30;  // of which one whole head keeps more than all heads by windows
  constexpr std::size_t element = 2;
  return kv_bytes(config, choice, length, element) < kv_bytes(config, own, length, element);
}

std::size_t kv_bytes(const Config& config, const MixerSpec& spec, int length, std::size_t element) {
  const CostLaw& law = descriptor_of(spec.kind).cost;
  const std::size_t per_position = 2 * static_cast<std::size_t>(config.head_size) * element;  // of one head
  return per_position * static_cast<std::size_t>(law.positions(spec, config.kv_heads, length)) +
         law.state_bytes(config, spec, length);
}

}  // namespace layerboost
