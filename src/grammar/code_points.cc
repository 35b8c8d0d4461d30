#include "grammar/code_points.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "base/utf8.h"

namespace layerboost {
namespace {

constexpr char32_t first_surrogate = 0xD800, last_surrogate = 0xDFFF;
const CodePoints need_escape = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};

/// Spells the characters first..last. Requires: they take equally many bytes.
void spell_range(Grammar& grammar, int from, char32_t first, char32_t last, int to) {
  // Bytes vary independently of each other only where all later ones go through their whole range.
  for (unsigned bits = 6; bits <= 18; bits += 6) {
    const char32_t low = (char32_t{1} << bits) - 1;
    if ((first | low) == (last | low)) continue;
    if (first > 0x7F && (first & low) != 0) {
      spell_range(grammar, from, first, first | low, to);
      return spell_range(grammar, from, (first | low) + 1, last, to);
    }
    if (first > 0x7F && (last & low) != low) {
      spell_range(grammar, from, first, (last & ~low) - 1, to);
      return spell_range(grammar, from, last & ~low, last, to);
    }
  }
  std::string lows, highs;
  append_utf8(first, lows);
  append_utf8(last, highs);
  for (std::size_t i = 0; i < lows.size(); ++i) {
    const auto low = static_cast<std::uint8_t>(lows[i]), high = static_cast<std::uint8_t>(highs[i]);
    if (i + 1 == lows.size())
      grammar.edge(from, low, high, to);
    else
      from = grammar.edge(from, low, high);
  }
}

}  // namespace

CodePoints united(CodePoints ranges) {
  std::ranges::sort(ranges);
  CodePoints set;
  for (const auto& [first, last] : ranges) {
    if (first > last) continue;
    if (!set.empty() && first <= set.back().second + 1)
      set.back().second = std::max(set.back().second, last);
    else
      set.emplace_back(first, last);
  }
  return set;
}

CodePoints all_but(const CodePoints& set) {
  CodePoints others;
  char32_t next = 0;
  for (const auto& [first, last] : set) {
    if (first > next) others.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= last_code_point) others.emplace_back(next, last_code_point);
  return others;
}

CodePoints any_but(const CodePoints& set) { return common(all_but(set), {{1, last_code_point}}); }

CodePoints common(const CodePoints& a, const CodePoints& b) {
  CodePoints both;
  for (const auto& [first, last] : a)
    for (const auto& [from, until] : b)
      if (std::max(first, from) <= std::min(last, until))
        both.emplace_back(std::max(first, from), std::min(last, until));
  return united(std::move(both));
}

void spell(Grammar& grammar, int from, const CodePoints& set, int to) {
  static const CodePoints sizes = {
      {0, 0x7F}, {0x80, 0x7FF}, {0x800, first_surrogate - 1}, {last_surrogate + 1, 0xFFFF}, {0x10000, last_code_point}};
  for (const auto& [first, last] : set) {
    for (const auto& [from_size, to_size] : sizes) {
      const char32_t begin = std::max(first, from_size), end = std::min(last, to_size);
      if (begin <= end) spell_range(grammar, from, begin, end, to);
    }
  }
}

bool needs_escape(char32_t c) { return !common({{c, c}}, need_escape).empty(); }

void spell_in_json(Grammar& grammar, int from, const CodePoints& set, int to) {
  spell(grammar, from, common(set, all_but(need_escape)), to);
  const CodePoints escaped = common(set, need_escape);
  if (escaped.empty()) return;
  const int after = grammar.edge(from, '\\', '\\');
  for (const auto& [first, last] : escaped) {
    for (char32_t c = first; c <= last; ++c) {
      static constexpr std::string_view characters = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
      const std::size_t at = characters.find(static_cast<char>(c));
      const std::string rest = at < letters.size() ? std::string(1, letters[at]) : fmt::format("u{:04x}", int(c));
      const int last_but_one = grammar.bytes(after, std::string_view(rest).substr(0, rest.size() - 1));
      const auto byte = static_cast<std::uint8_t>(rest.back());
      grammar.edge(last_but_one, byte, byte, to);
    }
  }
}

}  // namespace layerboost
