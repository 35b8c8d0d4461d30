#include "grammar/gbnf.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/utf8.h"
#include "grammar/code_points.h"
#include "grammar/expression.h"

namespace layerboost {
namespace {

bool is_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfParser {
 public:
  struct Rule {
    int index = -1;  // in the grammar
    std::optional<Part> part = std::nullopt;
  };

  GbnfParser(Grammar& grammar, std::string_view text) : grammar_(grammar), whole_(text), rest_(text) {}

  std::map<std::string_view, Rule> parse() {
    skip_space();
    while (!rest_.empty()) {
      const std::string_view name = name_of_next_rule();
      if (name.empty()) refuse("something that is no rule (`name ::= ...`)");
      Rule& made = rule(name);
      if (made.part) refuse(fmt::format("the rule {} a second time", in_quotes(name)));
      rest_.remove_prefix(static_cast<std::size_t>(rest_.find("::=") + 3));
      made.part = choice(0);
      if (!rest_.empty() && name_of_next_rule().empty()) refuse(fmt::format("\"{}\" without a meaning", character()));
    }
    for (const auto& [name, rule] : rules_)
      if (!rule.part) fail("the grammar has no rule {}", in_quotes(name));
    if (!rules_.contains("root")) fail("the grammar has no rule \"root\", which is the whole text's");
    return std::move(rules_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    const std::string_view before = whole_.substr(0, whole_.size() - rest_.size());
    fail("the grammar has {} in line {}", what, 1 + std::count(before.begin(), before.end(), '\n'));
  }

  /// White space and comments.
  void skip_space() {
    while (!rest_.empty()) {
      if (rest_.front() == '#')
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      else if (std::string_view(" \t\r\n").find(rest_.front()) != std::string_view::npos)
        rest_.remove_prefix(1);
      else
        return;
    }
  }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  [[nodiscard]] std::string_view name() const {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_in_name);
    return rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
  }

  /// Its name if a rule begins here; nothing is taken.
  [[nodiscard]] std::string_view name_of_next_rule() const {
    const std::string_view found = name();
    const std::size_t next = rest_.find_first_not_of(" \t", found.size());
    return next != std::string_view::npos && rest_.substr(next).starts_with("::=") ? found : std::string_view();
  }

  Rule& rule(std::string_view name) {
    Rule& found = rules_[name];
    if (found.index < 0) found.index = grammar_.add_rule();
    return found;
  }

  Part choice(int depth) {
    if (depth > deepest_group) refuse("groups within too many groups");
    std::vector<Part> alternatives;
    do alternatives.push_back(sequence(depth));
    while (take('|'));
    return Part::one_of(std::move(alternatives));
  }

  Part sequence(int depth) {
    Part all{.kind = Part::Kind::sequence};
    for (skip_space(); begins_item(); skip_space()) all.append(repeated(single(depth)));
    return all;
  }

  [[nodiscard]] bool begins_item() const {
    if (rest_.empty()) return false;
    if (is_in_name(rest_.front())) return name_of_next_rule().empty();
    return std::string_view("\"[(.").find(rest_.front()) != std::string_view::npos;
  }

  Part repeated(Part part) {
    skip_space();
    const auto repeats = take_repeats(rest_);
    if (!repeats) return part;
    if (!repeats->make_sense()) refuse("a number of repeats out of range");
    skip_space();
    if (take_repeats(rest_)) refuse("repeats of repeats, which need a group");
    return Part::repeated(std::move(part), *repeats);
  }

  Part single(int depth) {
    if (take('"')) return literal();
    if (take('[')) return Part::of(characters_in_brackets());
    if (take('.')) return Part::of({{0, last_code_point}});
    if (take('(')) {
      Part part = choice(depth + 1);
      if (!take(')')) refuse("a group without an end");
      return part;
    }
    const std::string_view called = name();
    rest_.remove_prefix(called.size());
    return {.kind = Part::Kind::rule, .rule = rule(called).index};
  }

  Part literal() {
    Part all{.kind = Part::Kind::sequence};
    while (!take('"')) {
      const char32_t c = character_or_escape();
      all.parts.push_back(Part::of({{c, c}}));
    }
    return all;
  }

  CodePoints characters_in_brackets() {
    const bool others = take('^');
    CodePoints set;
    while (!take(']')) {
      const char32_t first = character_or_escape();
      const bool is_range = rest_.starts_with('-') && !rest_.starts_with("-]");
      if (is_range) take('-');
      const char32_t last = is_range ? character_or_escape() : first;
      if (last < first) refuse("a range without an order");
      set.emplace_back(first, last);
    }
    set = united(std::move(set));
    return others ? all_but(set) : set;
  }

  char32_t character_or_escape() {
    if (rest_.empty()) refuse("a text or class without an end");
    if (!take('\\')) return character_code();
    const char32_t c = rest_.empty() ? U'\0' : character_code();
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return code(2);
      case 'u':
        return code(4);
      case 'U':
        return code(8);
      case '"':
      case '\\':
      case '[':
      case ']':
      case '-':
      case '^':
      case '/':
        return c;
      default:
        refuse("an escape that isn't known");
    }
  }

  char32_t code(int digits) {
    const auto found = take_code(rest_, digits);
    if (!found) refuse("a code that is no character's");
    return *found;
  }

  char32_t character_code() {
    const Utf8Char c = decode_utf8(rest_);
    if (c.kind != Utf8Char::Kind::valid) refuse("a byte that isn't UTF-8");
    rest_.remove_prefix(c.length);
    return c.code_point;
  }

  /// The next one as a message may show it.
  [[nodiscard]] std::string character() const { return printable(rest_.substr(0, decode_utf8(rest_).length)); }

  Grammar& grammar_;
  std::string_view whole_, rest_;
  std::map<std::string_view, Rule> rules_;
};

}  // namespace

int add_gbnf(Grammar& grammar, int from, std::string_view text) {
  const auto rules = GbnfParser(grammar, text).parse();
  ExpressionWriter writer(grammar);
  for (const auto& [name, rule] : rules) grammar.end(writer.write(*rule.part, grammar.first(rule.index)));
  return grammar.call(from, rules.at("root").index);
}

}  // namespace layerboost
