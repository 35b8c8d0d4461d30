// The kinds of mixer, by name: the one place that knows them all.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "mixer/map.h"
#include "model/mixer.h"
#include "model/model.h"

namespace layerboost {

/// Makes and keeps mixers of one model: one object per layer and spec, made on first use.
class MixerSet {
 public:
  /// `model` must outlive the set. `maps`: the parameters of layers that may use kind map.
  explicit MixerSet(const Model& model, LayerMaps maps = {});

  /// The mixer of this layer. Throws Error for a map whose parameters aren't there.
  const Mixer& mixer(int layer, const MixerSpec& spec);

  /// The mixers of a whole plan, `specs` [L]; the list lives as long as the set.
  const MixerList& list(const std::vector<MixerSpec>& specs);

  /// Adds or replaces the parameters of a layer's map.
  void set_map(int layer, LayerMap map);

 private:
  const Model& model_;
  LayerMaps maps_;
  std::map<std::pair<int, MixerSpec>, std::unique_ptr<Mixer>> mixers_;
  std::map<std::vector<MixerSpec>, std::unique_ptr<MixerList>> lists_;
};

/// What the pretrained model itself does: softmax, or a window where the model has one; none where an exported model
/// has no attention. [L]
std::vector<MixerSpec> native_specs(const Config& config);

/// Bytes of cache of one sequence of `length` positions: analytic (research/layerboost 3.11), without allocation
/// granularity. Softmax 2 G d bytes per position; window 2 G d min(length, w + s); others 0. `element`: bytes of a
/// number (bf16: 2).
std::size_t kv_bytes(const Config& config, const MixerSpec& spec, int length, std::size_t element);

/// Reads and writes maps as safetensors ("layers.3.map.weight", "layers.3.map.bias", F32). Throws Error.
LayerMaps read_maps(const std::filesystem::path& path, const Config& config);
void write_maps(const std::filesystem::path& path, const LayerMaps& maps);

}  // namespace layerboost
