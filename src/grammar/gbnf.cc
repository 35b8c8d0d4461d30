#include "grammar/gbnf.h"

#include <algorithm>
#include <cstddef>
#include <deque>
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
#include "grammar/named_rules.h"

namespace layerboost {
namespace {

bool is_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

constexpr std::string_view white_space = " \t\r\n";

class GbnfParser {
 public:
  struct Rule {
    std::string_view name;
    std::size_t begin = 0;  // in the text: what defines it, or first names it until there is that
    std::optional<Part> part = std::nullopt;
  };

  GbnfParser(Grammar& grammar, std::string_view text) : grammar_(grammar), whole_(text), rest_(text) {}

  void parse() {
    skip_space();
    if (looks_like_lark()) fail("the grammar looks like Lark; write it as GBNF (`name ::= ...`)");
    while (!rest_.empty()) {
      const std::string_view name = name_of_next_rule();
      if (name.empty()) refuse("something that is no rule (`name ::= ...`)");
      Rule& made = rules_[static_cast<std::size_t>(number_of(name))];  // stays there while others are added
      if (made.part) refuse(fmt::format("the rule {} a second time", in_quotes(name)));
      made.begin = position();
      rest_.remove_prefix(static_cast<std::size_t>(rest_.find("::=") + 3));
      made.part = body();
      if (!rest_.empty() && name_of_next_rule().empty()) refuse_character();
    }
    for (const Rule& rule : rules_)
      if (!rule.part) fail("the grammar has no rule {} (line {})", in_quotes(rule.name), line(rule.begin));
    if (!numbers_.contains("root")) fail("the grammar has no rule \"root\", which is the whole text's");
    check_rules();
  }

  [[nodiscard]] const std::deque<Rule>& rules() const { return rules_; }
  [[nodiscard]] int root() const { return numbers_.at("root"); }
  /// In the grammar, where the rules have been added one after the other.
  [[nodiscard]] int index(int rule) const { return first_index_ + rule; }

 private:
  void check_rules() const {
    std::vector<const Part*> parts;
    for (const Rule& rule : rules_) parts.push_back(&*rule.part);
    const NamedRules named(std::move(parts), first_index_);
    const auto rule = [&](int number) -> const Rule& { return rules_[static_cast<std::size_t>(number)]; };
    const std::vector<int> circle = named.beginning_with_themselves();
    if (!circle.empty()) {
      const Rule& first = rule(circle.front());
      const std::string way =
          circle.size() > 1 ? fmt::format(", by way of {}", in_quotes(rule(circle[1]).name)) : std::string();
      fail("the rule {} begins with itself{} (line {})", in_quotes(first.name), way, line(first.begin));
    }
    if (const int endless = named.endless(); endless >= 0)
      fail("the rule {} never comes to an end (line {})", in_quotes(rule(endless).name), line(rule(endless).begin));
  }

  [[nodiscard]] std::size_t position() const { return whole_.size() - rest_.size(); }

  /// Lines end with \n, \r or both, as for llama.cpp.
  [[nodiscard]] int line(std::size_t position) const {
    int line = 1;
    for (std::size_t i = 0; i < position; ++i)
      if (whole_[i] == '\n' || (whole_[i] == '\r' && !whole_.substr(i + 1).starts_with('\n'))) ++line;
    return line;
  }

  [[noreturn]] void refuse(std::string_view what, std::size_t position) const {
    fail("the grammar has {} in line {}", what, line(position));
  }
  [[noreturn]] void refuse(std::string_view what) const { refuse(what, position()); }

  /// What comes next is of no use here.
  [[noreturn]] void refuse_character() const {
    if (rest_.starts_with('<') || rest_.starts_with("!<")) {
      const std::string_view token = rest_.substr(0, std::min(rest_.find_first_of("> \t\r\n"), rest_.size() - 1) + 1);
      refuse(fmt::format("the token {}, which is not supported,", in_quotes(token)));
    }
    refuse(fmt::format("\"{}\" without a meaning", printable(rest_.substr(0, decode_utf8(rest_).length))));
  }

  /// White space and comments.
  void skip_space() {
    while (!rest_.empty()) {
      if (rest_.front() == '#')
        rest_.remove_prefix(std::min(rest_.find_first_of("\r\n"), rest_.size()));
      else if (white_space.find(rest_.front()) != std::string_view::npos)
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

  /// Whether nothing but white space stands before this in its line.
  [[nodiscard]] bool begins_line() const {
    const std::size_t before = whole_.substr(0, position()).find_last_not_of(" \t");
    return before == std::string_view::npos || whole_[before] == '\n' || whole_[before] == '\r';
  }

  /// A text that begins with `name: ...`, perhaps with ? or ! before and a priority behind the name, or a directive.
  [[nodiscard]] bool looks_like_lark() const {
    std::string_view rest = rest_;
    if (rest.starts_with('%') || rest.starts_with("//")) return true;
    rest.remove_prefix(std::min(rest.find_first_not_of("?!"), rest.size()));
    const auto end = std::find_if_not(rest.begin(), rest.end(), [](char c) { return is_in_name(c) || c == '.'; });
    const bool named = end != rest.begin();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.begin()));
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    return named && rest.starts_with(':') && !rest.starts_with("::=");
  }

  int number_of(std::string_view name) {
    const auto [found, is_new] = numbers_.try_emplace(name, static_cast<int>(rules_.size()));
    if (is_new) {
      const int index = grammar_.add_rule();
      if (rules_.empty()) first_index_ = index;
      rules_.push_back({.name = name, .begin = position()});
    }
    return found->second;
  }

  /// What a rule says. Alternatives of nothing make all of it optional, which nobody means who begins or ends a line
  /// with "|": there, nothing must be written as such.
  Part body() {
    std::vector<Part> alternatives;
    do {
      const std::size_t begin = position();
      skip_space();
      const std::string_view space = whole_.substr(begin, position() - begin);
      const bool is_empty = !begins_item();
      const bool first_in_new_line =
          alternatives.empty() && rest_.starts_with('|') && space.find_first_of("\r\n") != std::string_view::npos;
      const bool last_before_rule = !rest_.empty() && !name_of_next_rule().empty();
      if (is_empty && (first_in_new_line || last_before_rule))
        refuse("an alternative without anything (write \"\" if it is to be nothing)", begin);
      alternatives.push_back(sequence(0));
    } while (take('|'));
    return Part::one_of(std::move(alternatives));
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
    if (!is_in_name(rest_.front())) return std::string_view("\"[(.").find(rest_.front()) != std::string_view::npos;
    const std::string_view rule = name_of_next_rule();
    if (rule.empty()) return true;
    if (!begins_line()) refuse(fmt::format("the rule {}, which doesn't begin a line,", in_quotes(rule)));
    return false;
  }

  Part repeated(Part part) {
    skip_space();
    const auto how_often = repeats();
    if (!how_often) return part;
    if (!how_often->make_sense()) refuse("a number of repeats out of range");
    skip_space();
    if (repeats()) refuse("repeats of repeats, which need a group");
    return Part::repeated(std::move(part), *how_often);
  }

  /// As take_repeats(), with white space within braces.
  std::optional<Repeats> repeats() {
    const std::size_t begin = position();
    if (!take('{')) return take_repeats(rest_);
    const auto number = [&] {
      skip_space();
      const auto found = take_number(rest_);
      skip_space();
      return found;
    };
    const auto least = number();
    std::optional<int> most = least;
    if (least && take(',')) {
      most = number();
      if (!most && rest_.starts_with('}')) most = Repeats::no_end;
    }
    if (!least || !most || !take('}')) refuse("a \"{\" that is not {m}, {m,} or {m,n}", begin);
    return Repeats{*least, *most};
  }

  Part single(int depth) {
    const std::size_t begin = position();
    if (take('"')) return literal(begin);
    if (take('[')) return Part::of(characters_in_brackets(begin));
    if (take('.')) return Part::of(any_but({}));
    if (take('(')) {
      Part part = choice(depth + 1);
      if (rest_.empty() || !name_of_next_rule().empty()) refuse("a group without an end", begin);
      if (!take(')')) refuse_character();
      return part;
    }
    const std::string_view called = name();
    const int number = number_of(called);
    rest_.remove_prefix(called.size());
    return {.kind = Part::Kind::rule, .rule = index(number)};
  }

  Part literal(std::size_t begin) {
    Part all{.kind = Part::Kind::sequence};
    while (!take('"')) {
      if (rest_.empty()) refuse("a text without an end", begin);
      const char32_t c = character_or_escape();
      all.parts.push_back(Part::of({{c, c}}));
    }
    return all;
  }

  CodePoints characters_in_brackets(std::size_t begin) {
    const bool others = take('^');
    CodePoints set;
    while (!take(']')) {
      if (rest_.empty()) refuse("a class without an end", begin);
      const char32_t first = character_or_escape();
      const bool is_range = rest_.starts_with('-') && !rest_.starts_with("-]");
      if (is_range) take('-');
      const char32_t last = is_range ? character_or_escape() : first;
      if (last < first) refuse("a range without an order");
      set.emplace_back(first, last);
    }
    const bool is_written = !set.empty();
    set = united(std::move(set));
    if (others) set = any_but(set);
    if (!is_written || set.empty()) refuse("an empty class", begin);
    return set;
  }

  char32_t character_or_escape() {
    if (rest_.empty()) refuse("an end where a character is missing");
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

  Grammar& grammar_;
  std::string_view whole_, rest_;
  std::deque<Rule> rules_;
  std::map<std::string_view, int> numbers_;  // of the rules
  int first_index_ = 0;                      // in the grammar
};

}  // namespace

int add_gbnf(Grammar& grammar, int from, std::string_view text) {
  GbnfParser parser(grammar, text);
  parser.parse();
  ExpressionWriter writer(grammar);
  for (int i = 0; i < std::ssize(parser.rules()); ++i)
    grammar.end(writer.write(*parser.rules()[static_cast<std::size_t>(i)].part, grammar.first(parser.index(i))));
  return grammar.call(from, parser.index(parser.root()));
}

}  // namespace layerboost
