#include "app/plan_strip.h"

#include <fmt/format.h>

#include <map>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr int cells_per_line = 40;

/// Widths by rising size: w, W for two; 1, 2, ... 9 and then + for more. Of hybrids and gated ones h and g is the
/// least, H and G are all others.
char width_letter(MixerKind kind, std::size_t rank, std::size_t widths) {
  if (kind == MixerKind::hybrid) return rank + 1 == widths || rank > 0 ? 'H' : 'h';
  if (kind == MixerKind::gated) return rank + 1 == widths || rank > 0 ? 'G' : 'g';
  if (widths <= 2) return rank + 1 == widths ? 'W' : 'w';
  return rank < 9 ? static_cast<char>('1' + rank) : '+';
}

std::map<MixerSpec, char> letters_of(const std::vector<MixerSpec>& specs) {
  std::map<MixerSpec, char> letters;
  for (const MixerSpec& spec : specs) {
    switch (spec.kind) {
      case MixerKind::softmax:
        letters[spec] = 'S';
        break;
      case MixerKind::map:
        letters[spec] = 'M';
        break;
      case MixerKind::none:
        letters[spec] = '.';
        break;
      case MixerKind::window:
      case MixerKind::hybrid:
      case MixerKind::gated:
        letters[spec] = '?';
        break;
    }
  }
  std::map<MixerKind, std::size_t> widths, ranks;
  for (const auto& [spec, letter] : letters) ++widths[spec.kind];
  for (auto& [spec, letter] : letters)  // in the order of width
    if (has_window(spec.kind)) letter = width_letter(spec.kind, ranks[spec.kind]++, widths[spec.kind]);
  return letters;
}

/// ANSI: black on a background of the kind's colour.
const char* color_of(MixerKind kind) {
  switch (kind) {
    case MixerKind::softmax:
      return "\033[30;43m";  // yellow
    case MixerKind::window:
      return "\033[30;46m";  // cyan
    case MixerKind::hybrid:
      return "\033[30;42m";  // green
    case MixerKind::gated:
      return "\033[30;44m";  // blue
    case MixerKind::map:
      return "\033[30;45m";  // magenta
    case MixerKind::none:
      return "\033[37;100m";  // grey
  }
  LB_CHECK(false);
}

std::string cell(const MixerSpec& spec, char letter, bool color) {
  return color ? fmt::format("{}{}\033[0m", color_of(spec.kind), letter) : std::string(1, letter);
}

/// "0-3 7 9-12"
std::string ranges(const std::vector<int>& layers) {
  std::string text;
  for (std::size_t first = 0; first < layers.size();) {
    std::size_t last = first;
    while (last + 1 < layers.size() && layers[last + 1] == layers[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : " ", layers[first]);
    if (last > first) text += fmt::format("-{}", layers[last]);
    first = last + 1;
  }
  return text;
}

}  // namespace

std::string draw_plan(const std::vector<MixerSpec>& specs, bool color) {
  const auto letters = letters_of(specs);
  std::map<MixerSpec, std::vector<int>> layers;
  std::string text;
  for (std::size_t l = 0; l < specs.size(); ++l) {
    if (l % cells_per_line == 0) text += fmt::format("{}{:>5}  ", l > 0 ? "\n" : "", l);
    text += cell(specs[l], letters.at(specs[l]), color);
    layers[specs[l]].push_back(static_cast<int>(l));
  }
  text += "\n\n";
  for (const auto& [spec, of] : layers)
    text += fmt::format("    {}  {:<14} {:>3}  {}\n", cell(spec, letters.at(spec), color), to_string(spec), of.size(),
                        ranges(of));
  return text;
}

}  // namespace layerboost
