#include "grammar/expression.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace layerboost {
namespace {

constexpr int most_repeats = 10000;  // that an expression may name
constexpr int most_copied = 4;       // nodes that a repeat takes again, about; a call of a rule takes one

bool take(std::string_view& rest, char c) {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

/// How often a repeat is written.
int copies(const Part& repeat) { return std::max(1, repeat.most == Repeats::no_end ? repeat.least : repeat.most); }

/// How many nodes a part takes, about; of more than most_copied no more than that it does.
int weight(const Part& part) {
  int sum = 0;
  switch (part.kind) {
    case Part::Kind::sequence:
    case Part::Kind::choice:
      for (const Part& item : part.parts) {
        sum += std::max(1, weight(item));
        if (sum > most_copied) break;
      }
      return sum;
    case Part::Kind::repeat:
      return 1 + std::min(copies(part), most_copied) * std::min(weight(part.parts.front()), most_copied);
    default:
      return 1;
  }
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
  if (part.kind == Kind::sequence)
    std::ranges::move(part.parts, std::back_inserter(parts));
  else
    parts.push_back(std::move(part));
}

bool Repeats::make_sense() const {
  return least <= most_repeats && (most == no_end || most <= most_repeats) && least <= most;
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
    case Part::Kind::choice:
      return write_choice(part.parts, from);
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

bool ExpressionWriter::is_one_byte(const CodePoints& set) const {
  return set.size() == 1 && set.front().second < 0x80 && !in_json_;
}

int ExpressionWriter::write_characters(const CodePoints& set, int from) {
  if (!is_one_byte(set)) return grammar_.call(from, rule_of(set));
  return grammar_.edge(from, static_cast<std::uint8_t>(set.front().first),
                       static_cast<std::uint8_t>(set.front().second));
}

std::vector<ExpressionWriter::Step> ExpressionWriter::steps_of(const CodePoints& set) {
  if (is_one_byte(set)) {
    const auto& [first, last] = set.front();
    return {{.low = static_cast<std::uint8_t>(first), .high = static_cast<std::uint8_t>(last)}};
  }
  const bool one = set.size() == 1 && set.front().first == set.front().second;
  if (!one || (in_json_ && needs_escape(set.front().first))) return {{.rule = rule_of(set)}};
  std::string spelt;
  append_utf8(set.front().first, spelt);
  std::vector<Step> steps;
  for (const char c : spelt)
    steps.push_back({.low = static_cast<std::uint8_t>(c), .high = static_cast<std::uint8_t>(c)});
  return steps;
}

/// Alternatives share the nodes of the characters that they begin with, byte by byte: of thousands few ways leave a
/// node. A text by thousands of ways couldn't be read.
int ExpressionWriter::write_choice(const std::vector<Part>& alternatives, int from) {
  const int to = grammar_.add_node();
  std::map<std::pair<int, Step>, int> next;
  std::set<int> ends;
  for (const Part& alternative : alternatives) {
    const bool is_sequence = alternative.kind == Part::Kind::sequence;
    const std::span<const Part> parts = is_sequence ? std::span(alternative.parts) : std::span(&alternative, 1);
    const auto rest = std::ranges::find_if(parts, [](const Part& part) { return part.kind != Part::Kind::characters; });
    int node = from;
    for (const Part& part : std::span(parts.begin(), rest)) {
      for (const Step& step : steps_of(part.characters)) {
        int& child = next.try_emplace({node, step}, -1).first->second;
        if (child < 0)
          child = step.rule < 0 ? grammar_.edge(node, step.low, step.high) : grammar_.call(node, step.rule);
        node = child;
      }
    }
    for (const Part& part : std::span(rest, parts.end())) node = write(part, node);
    if (ends.insert(node).second) grammar_.jump(node, to);
  }
  return to;
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

/// Each repeat takes the nodes of the part again. What takes more than a few becomes a rule, of which a repeat is a
/// call: repeats of repeats would multiply.
int ExpressionWriter::write_repeat(const Part& part, int from) {
  const Part& item = part.parts.front();
  int rule = -1;
  if (copies(part) > 1 && weight(item) > most_copied) {
    rule = grammar_.add_rule();
    grammar_.end(write(item, grammar_.first(rule)));
  }
  const auto write_one = [&](int at) { return rule < 0 ? write(item, at) : grammar_.call(at, rule); };
  const bool endless = part.most == Repeats::no_end;
  // Of an endless repeat, the last one that must be there is the one that is gone through again and again. Of single
  // characters it is one more, which has a node that leads to itself and costs no more.
  const bool again = endless && part.least > 0 && item.kind != Part::Kind::characters;
  for (int i = 0; i < part.least - (again ? 1 : 0); ++i) {
    const int next = write_one(from);
    if (next == from) break;  // of nothing, however often
    from = next;
  }
  const int to = grammar_.add_node();
  if (endless) {
    const int loop = grammar_.add_node();
    grammar_.jump(from, loop);
    const int end = write_one(loop);
    grammar_.jump(end, loop);
    grammar_.jump(again ? end : loop, to);
    return to;
  }
  for (int i = part.least; i < part.most; ++i) {
    grammar_.jump(from, to);
    const int next = write_one(from);
    if (next == from) break;
    from = next;
  }
  grammar_.jump(from, to);
  return to;
}

}  // namespace layerboost
