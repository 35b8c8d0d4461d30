// The sets of characters that regular expressions name (\w, \p{Han}, [:alpha:]), as tokenizers' Oniguruma has them and
// in the words of PCRE2.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace layerboost {

/// The characters of `inside`, which is what PCRE2 has between brackets, but for those of `except`; or all others.
struct CharacterSet {
  std::string inside = {};
  std::string except = {};  // as `inside`; empty: none
  bool negated = false;
  bool folded = false;  // whether it has with each character all that differ from it in case alone
};

/// An expression that matches one character of `set`.
std::string expression_of(const CharacterSet& set);

/// Makes sets of names. `additions`: whether unicode_additions() are to be in them; without them they are faster to
/// match.
class CharacterSets {
 public:
  explicit CharacterSets(bool additions) : additions_(additions) {}

  /// \p{name}: a category, a script, or one of the properties Any, Alphabetic, Uppercase and Lowercase. Case, spaces,
  /// hyphens and "_" in the name don't count. Throws Error for another name: PCRE2 may have its own idea of it.
  [[nodiscard]] CharacterSet property(std::string_view name) const;
  /// [:name:]; nullopt: it isn't known.
  [[nodiscard]] std::optional<CharacterSet> posix(std::string_view name) const;
  /// \w: outside brackets there are six characters more in it, such as "²".
  [[nodiscard]] CharacterSet word(bool in_brackets) const;
  /// \s.
  [[nodiscard]] static CharacterSet white_space();
  /// \h.
  [[nodiscard]] static CharacterSet hexadecimal();

 private:
  [[nodiscard]] std::string category(std::string_view name) const;
  [[nodiscard]] std::string alphabetic() const;
  [[nodiscard]] CharacterSet binary(std::string_view plain) const;

  bool additions_;
};

}  // namespace layerboost
