#include "text/regex_translation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/utf8.h"
#include "text/character_sets.h"

namespace layerboost {
namespace {

/// Whether any character of `first` to `last`, where case doesn't count, is or may be part of what Oniguruma takes for
/// several characters, as it takes "\u00DF" for "ss"; PCRE2 doesn't. Letters of ASCII aren't among them.
bool any_folds_with_others(char32_t first, char32_t last) {
  using Range = std::pair<char32_t, char32_t>;
  constexpr std::array ranges = {
      Range{0xDF, 0xDF},   Range{0x130, 0x130},   Range{0x149, 0x149},   Range{0x1F0, 0x1F0},   Range{0x2BC, 0x2BE},
      Range{0x300, 0x345}, Range{0x390, 0x390},   Range{0x399, 0x399},   Range{0x3B0, 0x3B0},   Range{0x3B9, 0x3B9},
      Range{0x531, 0x587}, Range{0x1E96, 0x1E9E}, Range{0x1F50, 0x1FFF}, Range{0xFB00, 0xFB06}, Range{0xFB13, 0xFB17}};
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return first <= range.second && last >= range.first; });
}

bool is_hexadecimal(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Translation {
 public:
  Translation(std::string_view pattern, bool additions) : pattern_(pattern), sets_(additions) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      check_size(out_.size());
      const char c = pattern_[at_];
      if (c == '\\') {
        escape();
      } else if (c == '[') {
        begin_atom();
        ++at_;
        out_ += character_class();
      } else if (c == '(') {
        group();
      } else if (c == ')') {
        end_group();
      } else if (const std::string interval = this->interval(); !interval.empty()) {
        repeat(interval);
      } else {
        character();
      }
    }
    out_.append(outermost_.closings, ')');
    return out_;
  }

 private:
  /// A group that isn't closed yet.
  struct Group {
    std::size_t begin = 0;     // in out_
    std::size_t closings = 0;  // of groups that options within it made
    bool fold = false;         // whether case didn't count where it began
  };

  [[noreturn]] void unfinished() const { fail("the regular expression {} has no end", in_quotes(pattern_)); }
  void check_size(std::size_t bytes) const {
    if (bytes > most_translated) fail("the regular expression {} has too many classes", in_quotes(pattern_));
  }
  [[noreturn]] void unsupported(std::string_view what) const {
    fail("the regular expression {} has {}, which is not supported", in_quotes(pattern_), what);
  }

  void begin_atom() {
    atom_ = out_.size();
    before_ = '\0';
  }

  // A character that stands for itself, or one such as "|" and "*" that both understand alike.
  void character() {
    const std::size_t length = decode_utf8(pattern_.substr(at_)).length;
    const std::string_view text = pattern_.substr(at_, length);
    if (std::string_view("?*+").find(text) == std::string_view::npos) {
      const char before = before_;
      begin_atom();
      check_folding(text, before);
    }
    out_ += text;
    at_ += length;
  }

  // Where case doesn't count, for Oniguruma "\u00DF" matches "ss" and the other way round.
  void check_folding(std::string_view text, char before) {
    if (!fold_) return;
    if (text == "\u017F") text = "s";  // the long s
    if (text.size() > 1) {
      const char32_t c = decode_utf8(text).code_point;
      if (any_folds_with_others(c, c)) unsupported_folding(text);
      return;
    }
    before_ = text[0] >= 'A' && text[0] <= 'Z' ? static_cast<char>(text[0] - 'A' + 'a') : text[0];
    const std::array pair = {before, before_};
    for (const std::string_view joined : {"ss", "st", "ff", "fi", "fl"})
      if (joined == std::string_view(pair.data(), pair.size())) unsupported_folding(joined);
  }

  [[noreturn]] void unsupported_folding(std::string_view text) const {
    unsupported(fmt::format("{} where case doesn't count", in_quotes(text)));
  }

  // The quantifier "{1,3}" at the current place, which is then behind; empty: none is there.
  std::string interval() {
    if (pattern_[at_] != '{') return "";
    const std::size_t end = pattern_.find_first_not_of("0123456789,", at_ + 1);
    if (end == std::string_view::npos || pattern_[end] != '}') return "";
    std::string inside(pattern_.substr(at_ + 1, end - at_ - 1));
    if (inside.empty() || inside == "," || std::count(inside.begin(), inside.end(), ',') > 1) return "";
    if (inside.starts_with(',')) inside.insert(0, "0");  // PCRE2 10.42 takes "{,3}" for a text
    at_ = end + 1;
    return "{" + inside + "}";
  }

  // For Oniguruma "x{1,3}+" is a repetition of x{1,3}, and "x{3}?" is x{3} or nothing; for PCRE2 they would be such as
  // give nothing back, and as few as possible.
  void repeat(const std::string& interval) {
    out_ += interval;
    const char next = at_ < pattern_.size() ? pattern_[at_] : '\0';
    if (next != '+' && (next != '?' || interval.find(',') != std::string::npos)) return;
    out_.insert(atom_, "(?:");
    (out_ += ')') += next;
    ++at_;
  }

  // "(", and the options that follow it: Oniguruma's m lets "." match line ends, which PCRE2 calls s.
  void group() {
    if (pattern_.substr(at_).starts_with("(?:")) {  // "s(?:s)" is as good as "ss"
      groups_.push_back({.begin = out_.size(), .fold = fold_});
      out_ += "(?:";
      at_ += 3;
      return;
    }
    before_ = '\0';
    if (pattern_.substr(at_).starts_with("(?#")) {
      at_ = pattern_.find(')', at_);
      if (at_ == std::string_view::npos) unfinished();
      ++at_;
      return;
    }
    const std::size_t begin = at_ + 2;
    const std::size_t end = pattern_.substr(at_).starts_with("(?") ? pattern_.find_first_not_of("imx-", begin) : begin;
    if (end == std::string_view::npos || end == begin || (pattern_[end] != ':' && pattern_[end] != ')')) {
      groups_.push_back({.begin = out_.size(), .fold = fold_});
      out_ += pattern_[at_++];
      return;
    }
    // "a(?i)b|c" is "a(?i:b|c)": what such options are for goes to the end of the group.
    if (pattern_[end] == ')')
      ++(groups_.empty() ? outermost_ : groups_.back()).closings;
    else
      groups_.push_back({.begin = out_.size(), .fold = fold_});
    out_ += "(?";
    bool on = true;
    for (const char option : pattern_.substr(begin, end - begin)) {
      if (option == 'x') unsupported("the option x");
      if (option == '-') on = false;
      if (option == 'i') fold_ = on;
      out_ += option == 'm' ? 's' : option;
    }
    out_ += ':';
    at_ = end + 1;
  }

  void end_group() {
    if (!groups_.empty()) {
      out_.append(groups_.back().closings, ')');
      atom_ = groups_.back().begin;
      fold_ = groups_.back().fold;
      groups_.pop_back();
    }
    out_ += pattern_[at_++];
  }

  void escape() {
    const char before = before_;
    begin_atom();
    if (const auto set = escaped_set(false)) {
      // Case counts in what has a name.
      out_ += fold_ ? "(?-i:" + expression_of(*set) + ")" : expression_of(*set);
      return;
    }
    const char kind = pattern_[at_ + 1];
    if (kind == 'b' || kind == 'B') {
      const std::string word = expression_of(sets_.word(false));
      out_ += kind == 'b' ? fmt::format("(?-i:(?<={0})(?!{0})|(?<!{0})(?={0}))", word)
                          : fmt::format("(?-i:(?<={0})(?={0})|(?<!{0})(?!{0}))", word);
      at_ += 2;
      return;
    }
    const std::string written = escaped_character();
    out_ += written;
    if (!fold_) return;
    const bool is_named = (kind >= 'a' && kind <= 'z' && kind != 'x' && kind != 'u' && kind != 'o') ||
                          (kind >= 'A' && kind <= 'Z');  // "\n", "\A": no letter
    if (is_named) return;
    const auto c = code_point_of(written);
    if (!c) unsupported_folding(written);
    std::string text;
    append_utf8(*c, text);
    check_folding(text, before);
  }

  // The set that an escape at the current place stands for, which is then behind.
  std::optional<CharacterSet> escaped_set(bool in_brackets) {
    if (at_ + 1 >= pattern_.size()) unfinished();
    const char kind = pattern_[at_ + 1];
    if (kind == 'p' || kind == 'P') return escaped_property(kind == 'P');
    CharacterSet set;
    switch (kind) {
      case 's':
      case 'S':
        set = CharacterSets::white_space();
        break;
      case 'd':
      case 'D':
        set = sets_.property("Nd");
        break;
      case 'w':
      case 'W':
        set = sets_.word(in_brackets);
        break;
      case 'h':
      case 'H':
        set = CharacterSets::hexadecimal();
        break;
      default:
        return std::nullopt;
    }
    at_ += 2;
    set.negated = kind >= 'A' && kind <= 'Z';
    return set;
  }

  CharacterSet escaped_property(bool negated) {
    if (at_ + 2 >= pattern_.size() || pattern_[at_ + 2] != '{')
      unsupported(in_quotes(pattern_.substr(at_, 2)) + " without \"{\"");
    const std::size_t end = pattern_.find('}', at_);
    if (end == std::string_view::npos) unfinished();
    std::string_view name = pattern_.substr(at_ + 3, end - at_ - 3);
    const bool not_it = name.starts_with('^');
    if (not_it) name.remove_prefix(1);
    at_ = end + 1;
    CharacterSet set = sets_.property(name);
    set.negated = negated != not_it;
    return set;
  }

  std::string escaped_character() {
    const char kind = pattern_[at_ + 1];
    const std::string_view after = pattern_.substr(at_ + 2);
    // For Oniguruma the letters stand for themselves, "\xE9" is a byte, and "\X" ends at other places.
    if (kind == 'X' || kind == 'Q' || kind == 'E' || kind == 'V' || (kind == 'N' && after.starts_with('{')) ||
        (kind == 'x' && after.size() > 1 && after[0] >= '8' && is_hexadecimal(after[0]) && is_hexadecimal(after[1])))
      unsupported(in_quotes(pattern_.substr(at_, 2)));
    if (kind == 'v') {
      at_ += 2;
      return "\\x{0b}";
    }
    if (kind == 'u' && after.size() >= 4) {
      at_ += 6;
      return fmt::format("\\x{{{}}}", after.substr(0, 4));
    }
    const std::size_t begin = at_;
    at_ += 1 + decode_utf8(pattern_.substr(at_ + 1)).length;
    for (int digits = 0; kind == 'x' && digits < 2 && at_ < pattern_.size() && is_hexadecimal(pattern_[at_]); ++digits)
      ++at_;
    // "\x{e9}" and its like: no quantifier.
    if (std::string_view("xokg").find(kind) != std::string_view::npos && pattern_.substr(at_, 1) == "{") {
      at_ = pattern_.find('}', at_);
      if (at_ == std::string_view::npos) unfinished();
      ++at_;
    }
    return std::string(pattern_.substr(begin, at_ - begin));
  }

  // A class, whose "[" is behind and which is within `depth` others, as an expression that matches one character.
  std::string character_class(int depth = 0) {
    constexpr int most = 16;
    if (depth > most) fail("the regular expression {} nests classes more than {} deep", in_quotes(pattern_), most);
    const bool negated = at_ < pattern_.size() && pattern_[at_] == '^';
    if (negated) ++at_;
    std::vector<std::string> operands;  // all of which a character must match
    std::string inside;                 // of the last operand: what a pair of brackets can hold
    std::vector<std::string> others;    // and what they can't
    // Atomic groups: that a character may be in two of the sets gives a search no second way to go.
    const auto end_operand = [&] {
      if (inside.empty() && others.empty()) unsupported("\"&&\" without a set on both sides");
      std::string whole = inside.empty() ? "" : "[" + inside + "]";
      for (const std::string& other : others) whole += (whole.empty() ? "" : "|") + other;
      operands.push_back(others.empty() ? whole : "(?>" + whole + ")");
    };
    const auto add = [&](const CharacterSet& set) {
      if (fold_ && !set.folded) unsupported("a set of characters in brackets where case doesn't count");
      made_of_sets_ += set.inside.size();
      check_size(made_of_sets_);
      if (set.negated || !set.except.empty())
        others.push_back(expression_of(set));
      else
        inside += set.inside;
    };
    bool after_set = false;
    const std::size_t begin = at_;
    while (true) {
      const bool behind_set = std::exchange(after_set, false);
      if (at_ >= pattern_.size()) unfinished();
      const char c = pattern_[at_];
      if (c == ']' && at_ != begin) {
        ++at_;
        break;
      }
      if (pattern_.substr(at_, 2) == "&&") {
        at_ += 2;
        end_operand();
        inside.clear();
        others.clear();
      } else if (const auto set = posix_class()) {
        add(*set);
        after_set = true;
      } else if (c == '[') {
        ++at_;
        others.push_back(character_class(depth + 1));
        after_set = true;
      } else if (const auto escaped = c == '\\' ? escaped_set(true) : std::nullopt) {
        add(*escaped);
        after_set = true;
      } else if (c == '-' && behind_set) {
        inside += "\\-";  // no range begins with a set
        ++at_;
      } else {
        inside += member_of_class();
      }
    }
    if (operands.empty() && others.empty()) return (negated ? "[^" : "[") + inside + "]";
    end_operand();
    std::string whole;
    for (std::size_t i = 1; i < operands.size(); ++i) whole += "(?=" + operands[i] + ")";
    whole += operands[0];
    return negated ? "(?>(?!" + whole + ")(?s:.))" : "(?>" + whole + ")";
  }

  // "[:alpha:]" or "[:^alpha:]" at the current place, which is then behind.
  std::optional<CharacterSet> posix_class() {
    if (pattern_.substr(at_, 2) != "[:") return std::nullopt;
    const std::size_t end = pattern_.find_first_not_of("^abcdefghijklmnopqrstuvwxyz", at_ + 2);
    if (end == std::string_view::npos || pattern_.substr(end, 2) != ":]") return std::nullopt;
    std::string_view name = pattern_.substr(at_ + 2, end - at_ - 2);
    const bool negated = name.starts_with('^');
    if (negated) name.remove_prefix(1);
    auto set = sets_.posix(name);
    if (!set) unsupported(in_quotes(pattern_.substr(at_, end + 2 - at_)));
    set->negated = negated;
    at_ = end + 2;
    return set;
  }

  // A character or a range of them at the current place, which is then behind, as what stands between brackets.
  std::string member_of_class() {
    std::string member = character_of_class();
    const std::string_view rest = pattern_.substr(at_);
    if (rest.size() > 1 && rest[0] == '-' && rest[1] != ']') {
      if (rest[1] == '[' || rest.starts_with("-&&"))
        unsupported("a hyphen between a character and what is no character");
      const auto first = code_point_of(member);
      ++at_;
      const std::string last = character_of_class();
      const auto end = code_point_of(last);
      if (fold_ && (!first || !end || any_folds_with_others(*first, *end)))
        unsupported("a range with letters that are several where case doesn't count");
      return member + "-" + last;
    }
    const auto alone = code_point_of(member);
    if (fold_ && alone && any_folds_with_others(*alone, *alone)) unsupported_folding(member);
    return member;
  }

  std::string character_of_class() {
    if (pattern_[at_] == '\\') {
      if (escaped_set(true)) unsupported("a range that ends with a set");
      return escaped_character();
    }
    const std::size_t length = decode_utf8(pattern_.substr(at_)).length;
    const std::string_view text = pattern_.substr(at_, length);
    at_ += length;
    return (std::string_view("]^-[").find(text) != std::string_view::npos ? "\\" : "") + std::string(text);
  }

  // The character that a translated member of a class stands for; nullopt: one that isn't told by its letter or number.
  static std::optional<char32_t> code_point_of(std::string_view member) {
    if (!member.starts_with('\\')) return decode_utf8(member).code_point;
    if (member.size() > 1 && ((member[1] >= '0' && member[1] <= '9') || member[1] == 'o')) return std::nullopt;
    if (!member.starts_with("\\x")) return decode_utf8(member.substr(1)).code_point;
    if (member.size() == 2) return std::nullopt;
    char32_t code = 0;
    for (const char digit : member.substr(2)) {
      if (digit == '{' || digit == '}') continue;
      const std::size_t value = std::string_view("0123456789abcdef").find(static_cast<char>(digit | 0x20));
      if (value == std::string_view::npos) return std::nullopt;
      code = code * 16 + static_cast<char32_t>(value);
    }
    return code;
  }

  std::string_view pattern_;
  CharacterSets sets_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t atom_ = 0;          // where what a quantifier would repeat begins in out_
  char before_ = '\0';            // the small letter right before, where case doesn't count
  bool fold_ = false;             // whether case doesn't count
  std::size_t made_of_sets_ = 0;  // of what stands between brackets, in bytes
  Group outermost_;               // the whole
  std::vector<Group> groups_;
};

}  // namespace

std::string to_pcre2(std::string_view pattern, bool additions) { return Translation(pattern, additions).run(); }

}  // namespace layerboost
