#include "model/mixer.h"

#include <charconv>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr int largest_window = 1 << 24;

/// Reads a whole number at the front of `text` and takes it away; -1 if there is none.
int take_number(std::string_view& text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0 || value > largest_window) return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

const char* name_of(MixerKind kind) {
  switch (kind) {
    case MixerKind::softmax:
      return "softmax";
    case MixerKind::window:
      return "window";
    case MixerKind::map:
      return "map";
    case MixerKind::none:
      return "none";
  }
  LB_CHECK(false);
}

std::string to_string(const MixerSpec& spec) {
  if (spec.kind != MixerKind::window) return name_of(spec.kind);
  return spec.sinks > 0 ? fmt::format("window:{}+{}", spec.window, spec.sinks) : fmt::format("window:{}", spec.window);
}

MixerSpec parse_mixer(std::string_view text) {
  for (const MixerKind kind : {MixerKind::softmax, MixerKind::map, MixerKind::none})
    if (text == name_of(kind)) return {kind, 0, 0};
  constexpr std::string_view prefix = "window:";
  std::string_view rest = text;
  if (rest.starts_with(prefix)) {
    rest.remove_prefix(prefix.size());
    MixerSpec spec{MixerKind::window, take_number(rest), 0};
    if (rest.starts_with('+')) {
      rest.remove_prefix(1);
      spec.sinks = take_number(rest);
    }
    if (rest.empty() && spec.window >= 1 && spec.sinks >= 0) return spec;
  }
  fail("unknown mixer \"{}\"; allowed: softmax, window:W or window:W+S (W >= 1 recent positions, S sinks), map, none",
       text);
}

}  // namespace layerboost
