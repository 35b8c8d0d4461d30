#include "mixer/mixers.h"

#include <algorithm>

#include "base/error.h"
#include "mixer/gated.h"
#include "mixer/hybrid.h"
#include "mixer/map.h"
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

std::unique_ptr<Mixer> make_mixer(const Model& model, int layer, const MixerSpec& spec,
                                  const MixerParameters& parameters, KvType kv) {
  check_weights(model.config, layer, spec);
  const auto own = [&] { return parameters_for(model.config, layer, spec.kind, parameters); };
  switch (spec.kind) {
    case MixerKind::softmax:
      return std::make_unique<SoftmaxMixer>(model, layer, kv);
    case MixerKind::window:
      return std::make_unique<WindowMixer>(model, layer, spec, kv);
    case MixerKind::none:
      return std::make_unique<NoMixer>();
    case MixerKind::hybrid:
      return std::make_unique<HybridMixer>(model, layer, spec, own(), kv);
    case MixerKind::gated:
      return std::make_unique<GatedMixer>(model, layer, spec, own(), kv);
    case MixerKind::map:
      return std::make_unique<MapMixer>(model, layer, own());
  }
  LB_CHECK(false);
}

}  // namespace

MixerSet::MixerSet(const Model& model, MixerParameters parameters, KvType kv)
    : model_(model), parameters_(std::move(parameters)), kv_(kv) {}

const Mixer& MixerSet::mixer(int layer, const MixerSpec& spec) {
  auto& slot = mixers_[{layer, spec}];
  if (!slot) slot = make_mixer(model_, layer, spec, parameters_, kv_);
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
  LB_CHECK(std::none_of(mixers_.begin(), mixers_.end(), [&](const auto& made) {
    return made.second != nullptr && made.first.first == layer && made.first.second.kind == kind;
  }));
  parameters_[{layer, kind}] = std::move(values);
}

std::vector<float> parameters_for(const Config& config, int layer, MixerKind kind, const MixerParameters& given) {
  const auto found = given.find({layer, kind});
  if (found != given.end()) return found->second;
  if (kind == MixerKind::map) fail("layer {} is to use a map, but there are no parameters of one", layer);
  return initial_parameters(config, kind);
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
  const std::size_t state = sizeof(float) * static_cast<std::size_t>(config.heads * (config.head_size + 1)) * 2 *
                            static_cast<std::size_t>(feature_map_size(config));
  const std::size_t window = per_position * static_cast<std::size_t>(std::min(length, spec.window + spec.sinks));
  switch (spec.kind) {
    case MixerKind::softmax:
      return per_position * static_cast<std::size_t>(length);
    case MixerKind::window:
      return window;
    case MixerKind::hybrid:
      return window + (length > spec.window + spec.sinks ? state : 0);
    case MixerKind::gated:
      return window + (length > 0 ? state : 0);
    case MixerKind::map:
    case MixerKind::none:
      return 0;
  }
  LB_CHECK(false);
}

}  // namespace layerboost
