#include "grammar/expression.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr int most_repeats = 10000;  // that an expression may name

bool take(std::string_view& rest, char c) {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

std::optional<int> take_number(std::string_view& rest) {
  std::size_t length = 0;
  int value = 0;
  while (length < rest.size() && rest[length] >= '0' && rest[length] <= '9') {
    value = std::min(value * 10 + (rest[length] - '0'), most_repeats * 10);
    ++length;
  }
  rest.remove_prefix(length);
  return length == 0 ? std::nullopt : std::optional(value);
}

}  // namespace

Part Part::of(CodePoints set) { return {.kind = Kind::characters, .characters = std::move(set)}; }

Part Part::one_of(std::vector<Part> alternatives) {
  if (alternatives.size() == 1) return std::move(alternatives.front());
  return {.kind = Kind::choice, .parts = std::move(alternatives)};
}

Part Part::repeated(Part part, const Repeats& repeats) {
  Part repeat{.kind = Kind::repeat, .least = repeats.least, .most = repeats.most};
  repeat.parts.push_back(std::move(part));
  return repeat;
}

void Part::append(Part part) {
  if (part.kind != Kind::sequence || !part.parts.empty()) parts.push_back(std::move(part));
}

bool Repeats::make_sense() const {
  return least <= most_repeats && (most == no_end || most <= most_repeats) && least <= most;
}

std::optional<Repeats> take_repeats(std::string_view& rest) {
  if (take(rest, '*')) return Repeats{0, Repeats::no_end};
  if (take(rest, '+')) return Repeats{1, Repeats::no_end};
  if (take(rest, '?')) return Repeats{0, 1};
  const std::string_view before = rest;
  if (!take(rest, '{')) return std::nullopt;
  const auto least = take_number(rest);
  std::optional<int> most = least;
  if (take(rest, ',')) most = rest.starts_with('}') ? Repeats::no_end : take_number(rest);
  if (least && most && take(rest, '}')) return Repeats{*least, *most};
  rest = before;
  return std::nullopt;
}

std::optional<char32_t> take_code(std::string_view& rest, int digits) {
  char32_t code = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = rest.empty() ? '\0' : rest.front();
    const auto digit = std::string_view("0123456789abcdef").find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
    if (digit == std::string_view::npos || code > last_code_point / 16) return std::nullopt;
    code = code * 16 + static_cast<char32_t>(digit);
    rest.remove_prefix(1);
  }
  if (code > last_code_point || (code >= 0xD800 && code <= 0xDFFF)) return std::nullopt;
  return code;
}

int ExpressionWriter::write(const Part& part, int from) {
  switch (part.kind) {
    case Part::Kind::characters:
      return write_characters(part.characters, from);
    case Part::Kind::sequence:
      for (const Part& item : part.parts) from = write(item, from);
      return from;
    case Part::Kind::choice: {
      const int to = grammar_.add_node();
      for (const Part& item : part.parts) grammar_.jump(write(item, from), to);
      return to;
    }
    case Part::Kind::repeat:
      return write_repeat(part, from);
    case Part::Kind::rule:
      return grammar_.call(from, part.rule);
    case Part::Kind::text_begin:
    case Part::Kind::text_end:
      fail("a regular expression may have ^ and $ only at its ends");
  }
  LB_CHECK(false);
}

int ExpressionWriter::write_characters(const CodePoints& set, int from) {
  const bool simple = set.size() == 1 && set.front().second < 0x80 && !in_json_;
  if (!simple) return grammar_.call(from, rule_of(set));
  return grammar_.edge(from, static_cast<std::uint8_t>(set.front().first),
                       static_cast<std::uint8_t>(set.front().second));
}

/// Characters that take many nodes are written once.
int ExpressionWriter::rule_of(const CodePoints& set) {
  int& rule = rules_of_parts_.try_emplace(&set, -1).first->second;
  if (rule >= 0) return rule;  // in a repeat: large sets aren't compared as often as that says
  const auto [found, is_new] = rules_of_sets_.try_emplace(set, -1);
  if (!is_new) return rule = found->second;
  rule = found->second = grammar_.add_rule();
  const int to = grammar_.add_node();
  if (in_json_)
    spell_in_json(grammar_, grammar_.first(rule), set, to);
  else
    spell(grammar_, grammar_.first(rule), set, to);
  grammar_.end(to);
  return rule;
}

int ExpressionWriter::write_repeat(const Part& part, int from) {
  const Part& item = part.parts.front();
  for (int i = 0; i < part.least; ++i) {
    const int next = write(item, from);
    if (next == from) break;  // of nothing, however often
    from = next;
  }
  const int to = grammar_.add_node();
  if (part.most == Repeats::no_end) {
    const int loop = grammar_.add_node();
    grammar_.jump(from, loop);
    grammar_.jump(write(item, loop), loop);
    grammar_.jump(loop, to);
    return to;
  }
  for (int i = part.least; i < part.most; ++i) {
    grammar_.jump(from, to);
    const int next = write(item, from);
    if (next == from) break;
    from = next;
  }
  grammar_.jump(from, to);
  return to;
}

}  // namespace layerboost
