#include "mixer/mixers.h"

#include <algorithm>

#include "base/error.h"
#include "mixer/none.h"
#include "mixer/softmax.h"
#include "mixer/window.h"

namespace layerboost {
namespace {

/// Throws Error when the layer has been left without the weights that this mixer needs.
void check_weights(const Config& config, int layer, const MixerSpec& spec) {
  const AttentionParts parts = config.attention_of(layer);
  if (parts == AttentionParts::all || spec.kind == MixerKind::none) return;
  if (parts == AttentionParts::norm && spec.kind == MixerKind::map) return;
  fail("layer {} can't have the mixer {}: its attention was left out when the model was exported", layer,
       to_string(spec));
}

std::unique_ptr<Mixer> make_mixer(const Model& model, int layer, const MixerSpec& spec, const LayerMaps& maps) {
  check_weights(model.config, layer, spec);
  switch (spec.kind) {
    case MixerKind::softmax:
      return std::make_unique<SoftmaxMixer>(model, layer);
    case MixerKind::window:
      return std::make_unique<WindowMixer>(model, layer, spec);
    case MixerKind::none:
      return std::make_unique<NoMixer>();
    case MixerKind::map: {
      const auto map = maps.find(layer);
      if (map == maps.end()) fail("layer {} is to use a map, but there are no parameters of one", layer);
      return std::make_unique<MapMixer>(model, layer, map->second);
    }
  }
  LB_CHECK(false);
}

}  // namespace

MixerSet::MixerSet(const Model& model, LayerMaps maps) : model_(model), maps_(std::move(maps)) {}

const Mixer& MixerSet::mixer(int layer, const MixerSpec& spec) {
  auto& slot = mixers_[{layer, spec}];
  if (!slot) slot = make_mixer(model_, layer, spec, maps_);
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

void MixerSet::set_map(int layer, LayerMap map) {
  LB_CHECK(!mixers_.contains({layer, MixerSpec{MixerKind::map, 0, 0}}));
  maps_[layer] = std::move(map);
}

std::vector<MixerSpec> native_specs(const Config& config) {
  std::vector<MixerSpec> specs;
  for (int layer = 0; layer < config.layers; ++layer) {
    const int window = config.windows[static_cast<std::size_t>(layer)];
    if (config.attention_of(layer) != AttentionParts::all)
      specs.push_back({MixerKind::none, 0, 0});
    else
      specs.push_back(window > 0 ? MixerSpec{MixerKind::window, window, 0} : MixerSpec{MixerKind::softmax, 0, 0});
  }
  return specs;
}

std::size_t kv_bytes(const Config& config, const MixerSpec& spec, int length, std::size_t element) {
  const std::size_t per_position = 2 * static_cast<std::size_t>(config.kv_size()) * element;
  switch (spec.kind) {
    case MixerKind::softmax:
      return per_position * static_cast<std::size_t>(length);
    case MixerKind::window:
      return per_position * static_cast<std::size_t>(std::min(length, spec.window + spec.sinks));
    case MixerKind::map:
    case MixerKind::none:
      return 0;
  }
  LB_CHECK(false);
}

}  // namespace layerboost
