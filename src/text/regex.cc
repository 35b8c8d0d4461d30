#include "text/regex.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "text/unicode_additions.h"

namespace layerboost {

namespace {

// What goes between brackets for Unicode's White_Space; PCRE2's own \s has U+180E as well.
constexpr std::string_view white_space =
    R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

/// What goes between brackets for the property `name`: PCRE2's, and the characters that it may not know yet.
std::string property(std::string_view name, bool additions) {
  constexpr std::array long_names = {
      std::pair{"Letter", "L"},      std::pair{"Mark", "M"},   std::pair{"Number", "N"},
      std::pair{"Punctuation", "P"}, std::pair{"Symbol", "S"}, std::pair{"Separator", "Z"},
  };
  for (const auto& [full, brief] : long_names)
    if (name == full) name = brief;
  std::string out;
  // For the commonest characters PCRE2 has a table of the class, which it asks before the property.
  if (name == "L") out = "A-Za-z";
  if (name == "N") out = "0-9";
  out += fmt::format("\\p{{{}}}", name);
  if (!additions) return out;
  const auto belongs = [&](const UnicodeAddition& addition) {
    if (name == "Han") return addition.first == 0x2B739 || addition.first == 0x2EBF0 || addition.first == 0x31350;
    return name == addition.category || (name.size() == 1 && name[0] == addition.category[0]);
  };
  char32_t first = 0, last = 0;
  const auto write = [&] {
    if (first != 0)
      out +=
          fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last));
  };
  for (const UnicodeAddition& addition : unicode_additions()) {
    if (!belongs(addition)) continue;
    if (first != 0 && addition.first == last + 1) {
      last = addition.last;
      continue;
    }
    write();
    first = addition.first;
    last = addition.last;
  }
  write();
  return out;
}

/// A set of characters, as what stands between brackets.
struct Set {
  std::string inside;
  bool negated = false;
};

class Translation {
 public:
  Translation(std::string_view pattern, bool additions) : pattern_(pattern), additions_(additions) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\') {
        begin_atom();
        if (const auto set = escaped_set())
          out_ += (set->negated ? "[^" : "[") + set->inside + "]";
        else
          out_ += escaped_character();
      } else if (c == '[') {
        begin_atom();
        ++at_;
        out_ += character_class();
      } else if (c == '(') {
        groups_.push_back(out_.size());
        group();
      } else if (c == ')') {
        if (!groups_.empty()) {
          atom_ = groups_.back();
          groups_.pop_back();
        }
        out_ += pattern_[at_++];
      } else if (const std::string interval = this->interval(); !interval.empty()) {
        out_ += interval;
        // For Oniguruma "x{1,3}+" is a repetition of x{1,3}, and "x{3}?" is x{3} or nothing; for PCRE2 they would be
        // such as give nothing back, and as few as possible.
        const char next = at_ < pattern_.size() ? pattern_[at_] : '\0';
        if (next == '+' || (next == '?' && interval.find(',') == std::string::npos)) {
          out_.insert(atom_, "(?:");
          (out_ += ')') += next;
          ++at_;
        }
      } else {
        if (std::string_view("?*+").find(c) == std::string_view::npos) begin_atom();
        out_ += c;
        ++at_;
      }
    }
    return out_;
  }

 private:
  [[noreturn]] void unfinished() const { fail("the regular expression {} has no end", in_quotes(pattern_)); }

  void begin_atom() { atom_ = out_.size(); }

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

  // "(", and the options that follow it: Oniguruma's m lets "." match line ends, which PCRE2 calls s.
  void group() {
    out_ += pattern_[at_++];
    if (at_ >= pattern_.size() || pattern_[at_] != '?') return;
    const std::size_t end = pattern_.find_first_not_of("imx-", at_ + 1);
    if (end == std::string_view::npos || end == at_ + 1 || (pattern_[end] != ':' && pattern_[end] != ')')) return;
    for (; at_ < end; ++at_) out_ += pattern_[at_] == 'm' ? 's' : pattern_[at_];
  }

  // The set that an escape at the current place stands for, which is then behind.
  std::optional<Set> escaped_set() {
    if (at_ + 1 >= pattern_.size()) unfinished();
    const char kind = pattern_[at_ + 1];
    if (kind == 'p' || kind == 'P') {
      if (at_ + 2 >= pattern_.size() || pattern_[at_ + 2] != '{') return std::nullopt;
      const std::size_t end = pattern_.find('}', at_);
      if (end == std::string_view::npos) unfinished();
      std::string_view name = pattern_.substr(at_ + 3, end - at_ - 3);
      const bool not_it = name.starts_with('^');
      if (not_it) name.remove_prefix(1);
      at_ = end + 1;
      return Set{property(name, additions_), (kind == 'P') != not_it};
    }
    std::string inside;
    switch (kind) {
      case 's':
      case 'S':
        inside = white_space;
        break;
      case 'd':
      case 'D':
        inside = property("Nd", additions_);
        break;
      case 'w':
      case 'W':
        inside = property("L", additions_) + property("M", additions_) + property("Nd", additions_) +
                 property("Nl", additions_) + property("Pc", additions_);
        break;
      case 'h':
      case 'H':
        inside = "0-9a-fA-F";
        break;
      default:
        return std::nullopt;
    }
    at_ += 2;
    return Set{std::move(inside), kind >= 'A' && kind <= 'Z'};
  }

  std::string escaped_character() {
    if (pattern_[at_ + 1] == 'u' && at_ + 6 <= pattern_.size()) {
      at_ += 6;
      return fmt::format("\\x{{{}}}", pattern_.substr(at_ - 4, 4));
    }
    const std::size_t begin = at_;
    at_ += 2;
    // "\x{e9}" and its like: no quantifier.
    if (std::string_view("xokg").find(pattern_[begin + 1]) != std::string_view::npos &&
        pattern_.substr(at_, 1) == "{") {
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
    const auto end_operand = [&] {
      std::string whole = inside.empty() ? "" : "[" + inside + "]";
      for (const std::string& other : others) whole += (whole.empty() ? "" : "|") + other;
      operands.push_back(others.empty() ? whole : "(?:" + whole + ")");
    };
    bool simple = true, after_set = false;
    for (bool first = true;; first = false) {
      const bool behind_set = std::exchange(after_set, false);
      if (at_ >= pattern_.size()) unfinished();
      const char c = pattern_[at_];
      if (c == ']' && !first) {
        ++at_;
        break;
      }
      if (c == '&' && pattern_.substr(at_, 2) == "&&") {
        at_ += 2;
        end_operand();
        inside.clear();
        others.clear();
        simple = false;
      } else if (pattern_.substr(at_, 2) == "[:") {
        const std::size_t end = pattern_.find(":]", at_);
        if (end == std::string_view::npos) unfinished();
        inside += pattern_.substr(at_, end + 2 - at_);
        at_ = end + 2;
        after_set = true;
      } else if (c == '[') {
        ++at_;
        others.push_back(character_class(depth + 1));
        simple = false;
        after_set = true;
      } else if (c == '\\') {
        if (const auto set = escaped_set()) {
          after_set = true;
          if (set->negated) {
            others.push_back("[^" + set->inside + "]");
            simple = false;
          } else {
            inside += set->inside;
          }
        } else {
          inside += escaped_character();
        }
      } else {
        // No range begins with a set: a hyphen behind one is a hyphen.
        if (c == ']' || (c == '-' && behind_set)) inside += '\\';
        inside += c;
        ++at_;
      }
    }
    if (simple) return (negated ? "[^" : "[") + inside + "]";
    end_operand();
    std::string whole;
    for (std::size_t i = 1; i < operands.size(); ++i) whole += "(?=" + operands[i] + ")";
    whole += operands[0];
    return negated ? "(?:(?!" + whole + ")(?s:.))" : "(?:" + whole + ")";
  }

  std::string_view pattern_;
  bool additions_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t atom_ = 0;             // where what a quantifier would repeat begins in out_
  std::vector<std::size_t> groups_;  // where the open groups begin in out_
};

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

std::string to_pcre2(std::string_view pattern, bool additions) { return Translation(pattern, additions).run(); }

Regex::Regex(std::string_view pattern, const Options& options) : context_(pcre2_match_context_create(nullptr)) {
  constexpr std::size_t longest = 1 << 16, most_translated = 1 << 20;
  if (pattern.size() > longest)
    fail("the regular expression {} has {} bytes; at most {} are read", in_quotes(pattern), pattern.size(), longest);
  LB_CHECK(context_ != nullptr);
  // For Oniguruma ^ and $ are the ends of lines. \C would match a part of a character.
  const std::uint32_t flags =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | (options.anchored ? PCRE2_ANCHORED : 0);
  const auto compile = [&](const std::string& translated, auto& code) {
    int error = 0;
    std::size_t error_offset = 0;
    code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), flags, &error,
                             &error_offset, nullptr));
    if (code == nullptr) fail("the regular expression {} isn't understood: {}", in_quotes(pattern), message_of(error));
    // Where the system forbids writable and executable memory this fails, and pcre2_match() interprets.
    if (options.jit) pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  };
  const std::string whole = to_pcre2(pattern), plain = to_pcre2(pattern, false);
  if (whole.size() > most_translated) fail("the regular expression {} has too many classes", in_quotes(pattern));
  compile(whole, code_);
  if (plain != whole) compile(plain, plain_code_);
  if (options.limited) {
    pcre2_set_heap_limit(context_.get(), 64 << 10);  // KiB; match data keep what a search took
    return;
  }
  // A megabyte of spaces takes a million steps.
  constexpr auto unlimited = std::numeric_limits<std::uint32_t>::max();
  pcre2_set_match_limit(context_.get(), unlimited);
  pcre2_set_depth_limit(context_.get(), unlimited);
  pcre2_set_heap_limit(context_.get(), unlimited);
}

Regex::MatchData Regex::make_match_data() {
  MatchData data(pcre2_match_data_create(1, nullptr));
  LB_CHECK(data != nullptr);
  return data;
}

std::optional<Regex::Match> Regex::find(std::string_view text, std::size_t start, pcre2_match_data* data,
                                        bool additions) const {
  const pcre2_code* const code = additions || plain_code_ == nullptr ? code_.get() : plain_code_.get();
  const auto match = [&](std::uint32_t options) {
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                       PCRE2_NO_UTF_CHECK | options, data, context_.get());
  };
  int count = match(0);
  // The machine code has a small stack; the interpreter takes memory as it needs it.
  if (count == PCRE2_ERROR_JIT_STACKLIMIT) count = match(PCRE2_NO_JIT);
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0)
    fail("tokenizer: cutting {} bytes of text by a regular expression: {}; shorter texts may work", text.size(),
         message_of(count));
  const std::size_t* const offsets = pcre2_get_ovector_pointer(data);
  return Match{offsets[0], offsets[1]};
}

}  // namespace layerboost
