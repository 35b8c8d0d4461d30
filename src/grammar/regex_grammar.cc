#include "grammar/regex_grammar.h"

#include <array>
#include <deque>
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

const CodePoints digits = {{'0', '9'}};
const CodePoints word = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CodePoints space = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CodePoints any_character = any_but({});
const CodePoints line_ends = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

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
    if (take(".")) return Part::of(any_but(line_ends));
    if (take("\\")) return Part::of(escape(false));
    if (std::string_view rest = rest_; take_repeats(rest)) refuse("a quantifier of nothing");
    if (begins_count()) refuse("a \"{\" that is not {m}, {m,} or {m,n} (write \\{ for the character)");
    const char32_t c = character();
    return Part::of({{c, c}});
  }

  /// Whether a brace begins what some dialects read as a quantifier and others as characters: {,n}, {m, n} and the
  /// like.
  [[nodiscard]] bool begins_count() const {
    if (!rest_.starts_with('{')) return false;
    const std::size_t first = rest_.find_first_not_of(' ', 1);
    if (first == std::string_view::npos) return false;
    if (rest_[first] != ',') return is_digit(rest_[first]);
    const std::size_t second = rest_.find_first_not_of(' ', first + 1);
    return second != std::string_view::npos && (rest_[second] == '}' || is_digit(rest_[second]));
  }

  Part group(int depth) {
    if (rest_.starts_with("?") && !rest_.starts_with("?:") && !name_of_group()) refuse(kind_of_group());
    take("?:");
    Part part = choice(depth + 1);
    if (!take(")")) refuse("a group without an end");
    return part;
  }

  /// Of one that isn't supported.
  [[nodiscard]] std::string_view kind_of_group() const {
    const std::string_view kind = rest_.substr(1, 2);
    if (kind.starts_with('=') || kind.starts_with('!') || kind == "<=" || kind == "<!")
      return "a group that looks around";
    if (kind == "P=") return "a reference to a group";
    if (kind.starts_with('#')) return "a comment";
    if (kind.starts_with('>')) return "an atomic group";
    const bool flag = kind.starts_with('-') || (!kind.empty() && kind[0] >= 'a' && kind[0] <= 'z');
    return flag ? "a flag, as (?i)" : "a group of a kind that isn't known";
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
        return any_but(digits);
      case 'w':
        return word;
      case 'W':
        return any_but(word);
      case 's':
        return space;
      case 'S':
        return any_but(space);
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
    // To some dialects it is a class of no characters or of all, to others the class goes on with that character.
    if (rest_.starts_with("]")) refuse("a class that begins with \"]\" (write \\] for the character)");
    CodePoints set;
    while (!rest_.starts_with("]")) {
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
    return others ? any_but(set) : set;
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

  /// `whole`: the expression. Its alternatives with the same anchors are written as one choice.
  int write_whole(Part whole, int from) {
    std::vector<Part> alternatives;
    if (whole.kind == Part::Kind::choice)
      alternatives = std::move(whole.parts);
    else
      alternatives.push_back(std::move(whole));
    for (Part& alternative : alternatives) {
      std::vector<Part>& parts = alternative.parts;  // a sequence's
      const bool begins = !parts.empty() && parts.front().kind == Part::Kind::text_begin;
      if (begins) parts.erase(parts.begin());
      const bool ends = !parts.empty() && parts.back().kind == Part::Kind::text_end;
      if (ends) parts.pop_back();
      anchored(begins, ends).push_back(std::move(alternative));
    }
    const int to = grammar_.add_node();
    for (const bool begins : {false, true}) {
      for (const bool ends : {false, true}) {
        std::vector<Part>& same = anchored(begins, ends);
        if (same.empty()) continue;
        const Part& choice = choices_.emplace_back(Part::one_of(std::move(same)));
        const int end = parts_.write(choice, whole_ || begins ? from : anything(from));
        grammar_.jump(whole_ || ends ? end : anything(end), to);
      }
    }
    return to;
  }

 private:
  std::vector<Part>& anchored(bool begins, bool ends) { return anchored_[(begins ? 2U : 0U) + (ends ? 1U : 0U)]; }

  int anything(int from) {
    const int loop = grammar_.add_node();
    grammar_.jump(from, loop);
    grammar_.call(loop, parts_.rule_of(any_character), loop);
    return loop;
  }

  Grammar& grammar_;
  const bool whole_;
  std::array<std::vector<Part>, 4> anchored_;  // alternatives by their anchors, which are taken off
  std::deque<Part> choices_;                   // of these; the next one knows them by their places
  ExpressionWriter parts_;
};

}  // namespace

int add_regex(Grammar& grammar, int from, std::string_view regex, const RegexRules& rules) {
  Part part = RegexParser(regex).parse();
  // Nothing that was there before is to be in the way of a loop at the expression's beginning.
  const int begin = grammar.add_node();
  grammar.jump(from, begin);
  return RegexWriter(grammar, rules).write_whole(std::move(part), begin);
}

}  // namespace layerboost
