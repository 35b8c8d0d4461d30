#include "grammar/regex_grammar.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/utf8.h"
#include "grammar/code_points.h"
#include "grammar/expression.h"

namespace layerboost {
namespace {

const CodePoints digits = {{'0', '9'}};
const CodePoints word = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CodePoints space = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CodePoints any_character = {{0, last_code_point}};
const CodePoints line_ends = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class RegexParser {
 public:
  explicit RegexParser(std::string_view regex) : whole_(regex), rest_(regex) {}

  Part parse() {
    Part part = choice(0);
    if (!rest_.empty()) refuse("an unmatched \")\"");
    return part;
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    fail("the regular expression {} has {} at byte {}, which is not supported", in_quotes(whole_), what,
         whole_.size() - rest_.size());
  }

  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  char32_t character() {
    if (rest_.empty()) refuse("an end where a character is missing");
    const Utf8Char c = decode_utf8(rest_);
    if (c.kind != Utf8Char::Kind::valid) refuse("a byte that isn't UTF-8");
    rest_.remove_prefix(c.length);
    return c.code_point;
  }

  Part choice(int depth) {
    if (depth > deepest_group) refuse("groups within too many groups");
    std::vector<Part> alternatives;
    do alternatives.push_back(sequence(depth));
    while (take("|"));
    return Part::one_of(std::move(alternatives));
  }

  Part sequence(int depth) {
    Part all{.kind = Part::Kind::sequence};
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') all.append(repeated(depth));
    return all;
  }

  Part repeated(int depth) {
    Part part = single(depth);
    if (const auto repeats = quantifier()) {
      if (part.kind == Part::Kind::text_begin || part.kind == Part::Kind::text_end) refuse("a repeated ^ or $");
      part = Part::repeated(std::move(part), *repeats);
      if (!take("?") && quantifier()) refuse("a quantifier of a quantifier");
    }
    return part;
  }

  /// nullopt also where there is a brace and nothing else.
  std::optional<Repeats> quantifier() {
    const auto repeats = take_repeats(rest_);
    if (repeats && !repeats->make_sense()) refuse("a quantifier out of range");
    return repeats;
  }

  Part single(int depth) {
    if (take("(")) return group(depth);
    if (take("[")) return Part::of(characters_in_brackets());
    if (take("^")) return {.kind = Part::Kind::text_begin};
    if (take("$")) return {.kind = Part::Kind::text_end};
    if (take(".")) return Part::of(all_but(line_ends));
    if (take("\\")) return Part::of(escape(false));
    if (rest_.front() == '*' || rest_.front() == '+' || rest_.front() == '?') refuse("a quantifier of nothing");
    const char32_t c = character();
    return Part::of({{c, c}});
  }

  Part group(int depth) {
    if (rest_.starts_with("?") && !rest_.starts_with("?:") && !name_of_group()) refuse("a group that looks around");
    take("?:");
    Part part = choice(depth + 1);
    if (!take(")")) refuse("a group without an end");
    return part;
  }

  bool name_of_group() {
    const bool is_name =
        rest_.starts_with("?P<") || (rest_.starts_with("?<") && !rest_.starts_with("?<=") && !rest_.starts_with("?<!"));
    const std::size_t end = rest_.find('>');
    if (!is_name || end == std::string_view::npos) return false;
    rest_.remove_prefix(end + 1);
    return true;
  }

  /// What follows a backslash.
  CodePoints escape(bool in_brackets) {
    const char32_t c = character();
    switch (c) {
      case 'd':
        return digits;
      case 'D':
        return all_but(digits);
      case 'w':
        return word;
      case 'W':
        return all_but(word);
      case 's':
        return space;
      case 'S':
        return all_but(space);
      case 'n':
        return {{'\n', '\n'}};
      case 'r':
        return {{'\r', '\r'}};
      case 't':
        return {{'\t', '\t'}};
      case 'f':
        return {{'\f', '\f'}};
      case 'v':
        return {{'\v', '\v'}};
      case '0':
        return {{0, 0}};
      case 'x':
        return coded(2);
      case 'u':
        return coded(4);
      case 'b':
        if (in_brackets) return {{'\b', '\b'}};
        break;
      default:
        break;
    }
    const bool letter_or_digit = c < 0x80 && common({{c, c}}, word).size() == 1 && c != '_';
    if (letter_or_digit) refuse("an escape of a letter or digit that it doesn't know");
    return {{c, c}};
  }

  CodePoints coded(int length) {
    const bool braces = length == 4 && take("{");
    const auto end = rest_.find('}');
    if (braces) length = end == std::string_view::npos ? 0 : static_cast<int>(end);
    const auto code = take_code(rest_, length);
    if (length == 0 || !code) refuse("a code that is no character's");
    if (braces) take("}");
    return {{*code, *code}};
  }

  CodePoints characters_in_brackets() {
    const bool others = take("^");
    CodePoints set;
    for (bool first = true; first || !rest_.starts_with("]"); first = false) {
      if (first && rest_.starts_with("]")) break;
      if (rest_.starts_with("[:")) refuse("a named class");
      const CodePoints item = item_in_brackets();
      const bool one = item.size() == 1 && item.front().first == item.front().second;
      if (one && rest_.starts_with("-") && !rest_.starts_with("-]")) {
        take("-");
        const CodePoints end = item_in_brackets();
        if (end.size() != 1 || end.front().first != end.front().second || end.front().first < item.front().first)
          refuse("a range without an order");
        set.emplace_back(item.front().first, end.front().first);
        continue;
      }
      set.insert(set.end(), item.begin(), item.end());
    }
    if (!take("]")) refuse("a class without an end");
    set = united(std::move(set));
    return others ? all_but(set) : set;
  }

  CodePoints item_in_brackets() {
    if (take("\\")) return escape(true);
    const char32_t c = character();
    return {{c, c}};
  }

  std::string_view whole_, rest_;
};

/// Makes nodes of a parsed expression. An anchor must have nothing of the text on its other side.
class RegexWriter {
 public:
  RegexWriter(Grammar& grammar, const RegexRules& rules)
      : grammar_(grammar), whole_(rules.whole), parts_(grammar, rules.in_json) {}

  /// `whole`: the expression, or one of its alternatives.
  int write_whole(const Part& part, int from) {
    if (part.kind != Part::Kind::choice) return write_alternative(part, from);
    const int to = grammar_.add_node();
    for (const Part& alternative : part.parts) grammar_.jump(write_whole(alternative, from), to);
    return to;
  }

 private:
  int write_alternative(const Part& part, int from) {
    std::vector<const Part*> parts;
    if (part.kind == Part::Kind::sequence)
      for (const Part& item : part.parts) parts.push_back(&item);
    else
      parts.push_back(&part);
    const bool begins = !parts.empty() && parts.front()->kind == Part::Kind::text_begin;
    if (begins) parts.erase(parts.begin());
    const bool ends = !parts.empty() && parts.back()->kind == Part::Kind::text_end;
    if (ends) parts.pop_back();
    if (parts.size() == 1 && parts.front()->kind == Part::Kind::choice && begins == ends && (begins || whole_))
      return parts_.write(*parts.front(), from);  // ^(a|b)$
    if (!whole_ && !begins) from = anything(from);
    for (const Part* const item : parts) from = parts_.write(*item, from);
    return whole_ || ends ? from : anything(from);
  }

  int anything(int from) {
    const int loop = grammar_.add_node();
    grammar_.jump(from, loop);
    grammar_.call(loop, parts_.rule_of(any_character), loop);
    return loop;
  }

  Grammar& grammar_;
  const bool whole_;
  ExpressionWriter parts_;
};

}  // namespace

int add_regex(Grammar& grammar, int from, std::string_view regex, const RegexRules& rules) {
  const Part part = RegexParser(regex).parse();
  // Nothing that was there before is to be in the way of a loop at the expression's beginning.
  const int begin = grammar.add_node();
  grammar.jump(from, begin);
  return RegexWriter(grammar, rules).write_whole(part, begin);
}

}  // namespace layerboost
