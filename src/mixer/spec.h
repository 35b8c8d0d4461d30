// What a plan says of one layer: a kind of mixer and its numbers, and how both are written.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/head_set.h"
#include "mixer/kinds.h"

namespace layerboost {

/// Some of a kind's named variants, a bit for each in the order of MixerDescriptor::variants.
using VariantSet = std::uint8_t;

/// Written "softmax", "window:64+4" (w = 64 recent positions and s = 4 sinks), "window:64+4/full:0,2" (the same, but KV
/// heads 0 and 2 keep all positions), "dual_state:x+norm" (with two of its variants), "map", ...: the kind's descriptor
/// has the grammar. The numbers of all kinds stand side by side, those that a kind doesn't have being 0, so that specs
/// are compared, ordered and used as keys as the plain values that they are.
struct MixerSpec {
  MixerKind kind = MixerKind::softmax;
  int window = 0;    // w
  int sinks = 0;     // s
  HeadSet full = 0;  // the KV heads that keep everything, whatever the window
  VariantSet variants = 0;

  auto operator<=>(const MixerSpec&) const = default;
};

/// The mixer of pretrained models, and that of a layer whose attention was removed.
inline constexpr MixerSpec full_attention = {MixerKind::softmax, 0, 0}, no_mixer = {MixerKind::none, 0, 0};

/// One of a spec's numbers, as a kind's written form and its entry in a plan have it.
struct SpecField {
  const char* key;        // in plans, such as "window"
  char mark;              // what stands before the number in the written form
  int MixerSpec::*value;  // where a spec has it
  int least;              // 0: it may be left out, which means 0
};

/// No number is larger than this.
inline constexpr int largest_spec_number = 1 << 24;

inline constexpr SpecField window_field = {"window", ':', &MixerSpec::window, 1};
inline constexpr SpecField sinks_field = {"sinks", '+', &MixerSpec::sinks, 0};
/// The numbers of kinds with a window, without and with sinks.
inline constexpr SpecField window_alone[] = {window_field}, window_and_sinks[] = {window_field, sinks_field};

/// The numbers of all kinds, each once.
inline constexpr std::span<const SpecField> spec_fields() { return window_and_sinks; }

/// Whether specs of this kind have the number.
bool has_field(MixerKind kind, const SpecField& field);
/// Whether it looks back over a window of w positions.
inline bool has_window(MixerKind kind) { return has_field(kind, window_field); }
inline bool has_sinks(MixerKind kind) { return has_field(kind, sinks_field); }
/// Whether some of its KV heads may keep everything.
bool has_full_heads(MixerKind kind);

/// Whether it projects queries, keys and values, and its output, with the layer's own weights.
bool has_attention(MixerKind kind);

/// Whether a layer with it sees and keeps all positions in all heads, as pretrained models do.
bool sees_everything(MixerKind kind);

/// Whether nothing is left of a layer's attention with it, and nothing stands in its place.
bool removes_attention(MixerKind kind);

/// Whether its parameters say nothing before they are fitted or trained.
bool must_be_trained(MixerKind kind);

/// "softmax", "window", ...
const char* name_of(MixerKind kind);
/// The names of a spec's variants, in the order of its kind's.
std::vector<std::string> variant_names(const MixerSpec& spec);
/// The set of a kind's variants that have these names. Throws Error naming those that there are.
VariantSet variants_of(MixerKind kind, std::span<const std::string> names);
/// The heads of a set, rising: {0, 2}.
std::vector<int> heads_of(HeadSet heads);

/// The kinds that have the number, for people: "window, hybrid and gated", where `last` is "and".
std::string kinds_with(const SpecField& field, std::string_view last);

/// The same of kinds in which some KV heads may keep everything.
std::string kinds_with_full_heads();

/// The written form, such as "window:64+4"; parse_mixer() reads it back.
std::string to_string(const MixerSpec& spec);
/// Throws Error naming what is allowed. "window:64" has no sinks.
MixerSpec parse_mixer(std::string_view text);

}  // namespace layerboost
