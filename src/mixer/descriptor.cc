#include "mixer/descriptor.h"

#include <algorithm>

namespace layerboost {

std::int64_t all_positions(const MixerSpec& /*spec*/, int kv_heads, int length) {
  return std::int64_t{kv_heads} * length;
}

std::int64_t window_positions(const MixerSpec& spec, int kv_heads, int length) {
  const std::int64_t full = head_count(spec.full & all_heads(kv_heads));
  return full * length + (kv_heads - full) * std::min(length, spec.window + spec.sinks);
}

std::int64_t no_positions(const MixerSpec& /*spec*/, int /*kv_heads*/, int /*length*/) { return 0; }

double mean_positions(const MixerSpec& spec, int kv_heads, int length) {
  return static_cast<double>(descriptor_of(spec.kind).cost.positions(spec, kv_heads, length)) / kv_heads;
}

bool always_folds(const MixerSpec& /*spec*/) { return true; }

bool never_folds(const MixerSpec& /*spec*/) { return false; }

std::size_t no_state(const Config& /*config*/, const MixerSpec& /*spec*/, int /*length*/) { return 0; }

const char* exported_layer_type(const MixerSpec& spec) {
  return descriptor_of(spec.full != 0 ? MixerKind::softmax : spec.kind).exported.layer_type;
}

}  // namespace layerboost
