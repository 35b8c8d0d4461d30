#include "mixer/kinds.h"

#include <algorithm>

#include "mixer/dual_state.h"
#include "mixer/gated.h"
#include "mixer/hybrid.h"
#include "mixer/map.h"
#include "mixer/none.h"
#include "mixer/softmax.h"
#include "mixer/window.h"

namespace layerboost {
namespace {

constexpr const MixerDescriptor* descriptors[] = {&softmax_descriptor, &window_descriptor,     &hybrid_descriptor,
                                                  &gated_descriptor,   &dual_state_descriptor, &map_descriptor,
                                                  &none_descriptor};
static_assert(std::size(descriptors) == static_cast<std::size_t>(MixerKind::none) + 1, "one for each kind");

}  // namespace

const MixerDescriptor& descriptor_of(MixerKind kind) { return *descriptors[static_cast<std::size_t>(kind)]; }

const MixerDescriptor* find_kind(std::string_view name) {
  const auto* const found = std::find_if(std::begin(descriptors), std::end(descriptors),
                                         [&](const auto* kind) { return name == kind->name; });
  return found == std::end(descriptors) ? nullptr : *found;
}

std::span<const MixerDescriptor* const> mixer_descriptors() { return descriptors; }

}  // namespace layerboost
