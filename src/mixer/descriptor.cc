#include "mixer/descriptor.h"

#include <algorithm>

namespace layerboost {

int all_positions(const MixerSpec& /*spec*/, int length) { return length; }

int window_positions(const MixerSpec& spec, int length) { return std::min(length, spec.window + spec.sinks); }

int no_positions(const MixerSpec& /*spec*/, int /*length*/) { return 0; }

std::size_t no_state(const Config& /*config*/, const MixerSpec& /*spec*/, int /*length*/) { return 0; }

}  // namespace layerboost
