#include "text/character_sets.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <cstdint>
#include <utility>

#include "text/unicode_additions.h"
#include "text/word_character.h"

namespace layerboost {
namespace {

// PCRE2 10.40 took \p{Han} for all characters that are used with Han, as the comma "、" is; before that, and for
// Oniguruma, it is the script.
constexpr std::string_view script_prefix = PCRE2_MAJOR == 10 && PCRE2_MINOR < 40 ? "" : "sc:";

// What Unicode 15 and 16 made alphabetic, or small letters, of the characters that there were.
constexpr std::string_view alphabetic_since =
    R"(\x{363}-\x{36f}\x{c04}\x{f82}\x{f83}\x{1dd3}-\x{1de6}\x{11080}\x{11081})";
constexpr std::string_view lowercase_since = R"(\x{10fc}\x{a7f2}-\x{a7f4}\x{ab69})";

constexpr std::array long_names = {
    std::pair{"letter", "L"},
    std::pair{"casedletter", "LC"},
    std::pair{"uppercaseletter", "Lu"},
    std::pair{"lowercaseletter", "Ll"},
    std::pair{"titlecaseletter", "Lt"},
    std::pair{"modifierletter", "Lm"},
    std::pair{"otherletter", "Lo"},
    std::pair{"mark", "M"},
    std::pair{"combiningmark", "M"},
    std::pair{"nonspacingmark", "Mn"},
    std::pair{"spacingmark", "Mc"},
    std::pair{"enclosingmark", "Me"},
    std::pair{"number", "N"},
    std::pair{"decimalnumber", "Nd"},
    std::pair{"letternumber", "Nl"},
    std::pair{"othernumber", "No"},
    std::pair{"punctuation", "P"},
    std::pair{"punct", "P"},
    std::pair{"connectorpunctuation", "Pc"},
    std::pair{"dashpunctuation", "Pd"},
    std::pair{"openpunctuation", "Ps"},
    std::pair{"closepunctuation", "Pe"},
    std::pair{"initialpunctuation", "Pi"},
    std::pair{"finalpunctuation", "Pf"},
    std::pair{"otherpunctuation", "Po"},
    std::pair{"symbol", "S"},
    std::pair{"mathsymbol", "Sm"},
    std::pair{"currencysymbol", "Sc"},
    std::pair{"modifiersymbol", "Sk"},
    std::pair{"othersymbol", "So"},
    std::pair{"separator", "Z"},
    std::pair{"spaceseparator", "Zs"},
    std::pair{"lineseparator", "Zl"},
    std::pair{"paragraphseparator", "Zp"},
    std::pair{"other", "C"},
    std::pair{"control", "Cc"},
    std::pair{"cntrl", "Cc"},
    std::pair{"format", "Cf"},
    std::pair{"unassigned", "Cn"},
    std::pair{"privateuse", "Co"},
    std::pair{"surrogate", "Cs"},
};

/// `name` without what doesn't count in it.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

/// The general category, or the group of them, of this plain name, as "Lu"; empty: it is the name of none.
std::string category_named(std::string_view plain) {
  for (const auto& [full, brief] : long_names) {
    if (plain == full || plain == plain_name(brief)) return brief;
  }
  return "";
}

/// Whether `word` is one of the words of `list`.
bool among_words(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t end = list.find(' ');
    if (list.substr(0, end) == word) return true;
    if (end == std::string_view::npos) break;
    list.remove_prefix(end + 1);
  }
  return false;
}

/// What goes between brackets for the characters `first` to `last`.
std::string range_of(char32_t first, char32_t last) {
  return fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last));
}

/// Those of unicode_additions() that `belongs` takes, as what goes between brackets.
template <typename Belongs>
std::string additions_that(const Belongs& belongs) {
  std::string out;
  char32_t first = 0, last = 0;
  const auto write = [&] {
    if (first != 0) out += range_of(first, last);
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

}  // namespace

std::string expression_of(const CharacterSet& set) {
  std::string bracket = (set.negated ? "[^" : "[") + set.inside + "]";
  if (set.except.empty()) return bracket;
  return set.negated ? "(?:[" + set.except + "]|" + bracket + ")" : "(?:(?![" + set.except + "])" + bracket + ")";
}

/// What goes between brackets for the category `name`, "Lu" or "L", other than C and Cn.
std::string CharacterSets::category(std::string_view name) const {
  std::string out;
  // For the commonest characters PCRE2 has a table of the class, which it asks before the property.
  if (name == "L") out = "A-Za-z";
  if (name == "N") out = "0-9";
  out += fmt::format("\\p{{{}}}", name);
  if (additions_)
    out += additions_that([&](const UnicodeAddition& addition) {
      return name == addition.category || (name.size() == 1 && name[0] == addition.category[0]);
    });
  return out;
}

std::string CharacterSets::alphabetic() const {
  std::string out = "\\p{Alphabetic}" + std::string(alphabetic_since);
  if (additions_) out += additions_that([](const UnicodeAddition& addition) { return addition.alphabetic; });
  return out;
}

/// One of the properties that a character has or hasn't; an empty set: `plain` is none of them.
CharacterSet CharacterSets::binary(std::string_view plain) const {
  if (plain == "any") return {.inside = "\\p{Any}", .folded = true};
  if (plain == "alphabetic" || plain == "alpha") return {.inside = alphabetic()};
  if (plain == "alnum") return {.inside = alphabetic() + category("Nd")};
  if (plain == "uppercase" || plain == "upper")
    return {.inside = "\\p{Uppercase}" + (additions_ ? category("Lu") : "")};
  if (plain == "lowercase" || plain == "lower") {
    CharacterSet set{.inside = "\\p{Lowercase}" + std::string(lowercase_since)};
    if (additions_) set.inside += additions_that([](const UnicodeAddition& addition) { return addition.lowercase; });
    return set;
  }
  if (plain == "digit") return {.inside = category("Nd"), .folded = true};
  if (plain == "space" || plain == "whitespace") return white_space();
  if (plain == "xdigit") return hexadecimal();
  return {};
}

CharacterSet CharacterSets::property(std::string_view name) const {
  const std::string plain = plain_name(name);
  if (const std::string known = category_named(plain); !known.empty()) {
    if (known == "LC") return {.inside = category("Lu") + category("Ll") + category("Lt")};
    CharacterSet set{.inside = category(known), .folded = known[0] == 'N' || known[0] == 'P' || known[0] == 'Z'};
    if (!additions_) return set;
    // What PCRE2 has in these, because it doesn't know them.
    const auto assigned = [&](const UnicodeAddition& addition) { return known == "Cn" || addition.category[0] != 'C'; };
    if (known == "C" || known == "Cn") set = {.inside = "\\p{" + known + "}", .except = additions_that(assigned)};
    // The one mark that has changed its category.
    if (known == "Mn") set.except = "\\x{1171e}";
    return set;
  }
  if (CharacterSet set = binary(plain); !set.inside.empty()) return set;
  CharacterSet set{.inside = fmt::format("\\p{{{}{}}}", script_prefix, name)};
  if (additions_)
    set.inside += additions_that([&](const UnicodeAddition& addition) { return among_words(addition.scripts, plain); });
  return set;
}

std::optional<CharacterSet> CharacterSets::posix(std::string_view name) const {
  if (name == "word") return word(true);
  if (name == "punct") return CharacterSet{.inside = category("P") + category("S")};
  if (name == "blank") return CharacterSet{.inside = "\\t" + category("Zs"), .folded = true};
  if (name == "cntrl") return CharacterSet{.inside = category("Cc"), .folded = true};
  if (name == "ascii") return CharacterSet{.inside = "\\x00-\\x7f"};
  for (const std::string_view known : {"alpha", "alnum", "upper", "lower", "digit", "space", "xdigit"})
    if (name == known) return binary(name);
  return std::nullopt;
}

CharacterSet CharacterSets::word(bool in_brackets) const {
  std::string inside = category("L") + category("M") + category("Nd") + category("Nl") + category("Pc");
  for (const auto& [first, last] : circled_letters) inside += range_of(first, last);
  if (!in_brackets) inside += R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";
  return {.inside = std::move(inside)};
}

CharacterSet CharacterSets::white_space() {
  // Unicode's White_Space; PCRE2's own \s has U+180E as well.
  return {.inside = R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})",
          .folded = true};
}

CharacterSet CharacterSets::hexadecimal() { return {.inside = "0-9a-fA-F", .folded = true}; }

}  // namespace layerboost
