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
    case MixerKind::hybrid:
      return "hybrid";
    case MixerKind::gated:
      return "gated";
    case MixerKind::map:
      return "map";
    case MixerKind::none:
      return "none";
  }
  LB_CHECK(false);
}

std::string to_string(const MixerSpec& spec) {
  if (!has_window(spec.kind)) return name_of(spec.kind);
  const std::string text = fmt::format("{}:{}", name_of(spec.kind), spec.window);
  return spec.sinks > 0 ? fmt::format("{}+{}", text, spec.sinks) : text;
}

MixerSpec parse_mixer(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(':'));
  for (const MixerKind kind : mixer_kinds) {
    if (name != name_of(kind)) continue;
    std::string_view rest = text.substr(name.size());
    MixerSpec spec{kind, 0, 0};
    if (has_window(kind) && rest.starts_with(':')) {
      rest.remove_prefix(1);
      spec.window = take_number(rest);
    }
    if (has_sinks(kind) && rest.starts_with('+')) {
      rest.remove_prefix(1);
      spec.sinks = take_number(rest);
    }
    if (rest.empty() && spec.window >= (has_window(kind) ? 1 : 0) && spec.sinks >= 0) return spec;
  }
  fail(
      "unknown mixer \"{}\"; allowed: softmax, window:W or window:W+S (W >= 1 recent positions, S sinks), hybrid:W or "
      "hybrid:W+S, gated:W, map, none",
      text);
}

}  // namespace layerboost
