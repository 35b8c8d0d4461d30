// The list of all kinds of mixer. Each declares itself in a MixerDescriptor, in the files of its own name.
#pragma once

#include <span>
#include <string_view>

namespace layerboost {

/// From the most to the least that a layer keeps of a sequence; plans and analyses list mixers in this order.
enum class MixerKind { softmax, window, hybrid, gated, dual_state, map, none };

struct MixerDescriptor;

/// What a kind says of itself.
const MixerDescriptor& descriptor_of(MixerKind kind);

/// The kind of this name; nullptr where there is none.
const MixerDescriptor* find_kind(std::string_view name);

/// The descriptors of all kinds, in the order of MixerKind.
std::span<const MixerDescriptor* const> mixer_descriptors();

}  // namespace layerboost
