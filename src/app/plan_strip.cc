#include "app/plan_strip.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "mixer/descriptor.h"

namespace layerboost {
namespace {

constexpr int cells_per_line = 40;

/// The letter of a kind's number `rank` of `widths` windows by rising width.
char letter_of(const TerminalLook& look, std::size_t rank, std::size_t widths) {
  if (look.numbered && widths > 2) return rank < 9 ? static_cast<char>('1' + rank) : '+';
  const std::string_view letters = look.letters;
  return rank == 0 && widths > 1 ? letters.front() : letters.back();
}

MixerSpec in_all_heads(MixerSpec spec) {
  spec.full = 0;
  return spec;
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

MixerLetters::MixerLetters(const std::vector<MixerSpec>& drawn) {
  std::map<MixerKind, std::size_t> widths, ranks;
  for (const MixerSpec& spec : drawn)
    if (letters_.emplace(in_all_heads(spec), ' ').second) ++widths[spec.kind];
  for (auto& [spec, letter] : letters_)  // in the order of width
    letter = letter_of(descriptor_of(spec.kind).terminal, ranks[spec.kind]++, widths[spec.kind]);
}

std::string MixerLetters::cell(const MixerSpec& spec, bool color) const {
  const char letter = letters_.at(in_all_heads(spec));
  return color ? fmt::format("\033[{}m{}\033[0m", descriptor_of(spec.kind).terminal.color, letter)
               : std::string(1, letter);
}

std::string draw_plan(const std::vector<MixerSpec>& specs, bool color) {
  const MixerLetters letters(specs);
  std::map<MixerSpec, std::vector<int>> layers;
  std::string text;
  for (std::size_t l = 0; l < specs.size(); ++l) {
    if (l % cells_per_line == 0) text += fmt::format("{}{:>5}  ", l > 0 ? "\n" : "", l);
    text += letters.cell(specs[l], color);
    layers[specs[l]].push_back(static_cast<int>(l));
  }
  text += "\n\n";
  std::size_t width = 14;
  for (const auto& [spec, of] : layers) width = std::max(width, to_string(spec).size());
  for (const auto& [spec, of] : layers)
    text += fmt::format("    {}  {:<{}} {:>3}  {}\n", letters.cell(spec, color), to_string(spec), width, of.size(),
                        ranges(of));
  return text;
}

}  // namespace layerboost
