// The parts of JSON as grammars: white space, strings, values of any kind, given values.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/grammar.h"

namespace layerboost {

/// How long strings may be, in characters. Escapes count as the character that they stand for.
struct StringBounds {
  int least = 0, most = Grammar::no_limit;
};

/// Adds to a grammar. What is needed often becomes a rule, once. White space is what models write between tokens: none,
/// a space, or a line end and indentation, so that nobody can go on with it for ever.
class JsonGrammar {
 public:
  explicit JsonGrammar(Grammar& grammar) : grammar_(grammar) {}

  int space(int from);
  int string(int from, const StringBounds& bounds = {});
  /// A string without escapes that is none of `names`: another key beside them.
  int other_key(int from, const std::vector<std::string>& names);
  /// A value of any kind, and an object with any members.
  int value(int from);
  int object(int from);
  /// `json`, with any white space.
  int literal(int from, const Json& json);

  /// `[`, items of `rule` in such a number, `]`; `{`, members likewise.
  int list(int from, char open, int rule, int least, int most, char close);

 private:
  int rule(int& known, int (JsonGrammar::*write)(int));
  int write_space(int from);
  int write_character(int from);
  int write_raw_character(int from);
  int write_wide_character(int from);
  int write_value(int from);
  int write_member(int from);

  Grammar& grammar_;
  int space_ = -1, character_ = -1, raw_character_ = -1, wide_character_ = -1, value_ = -1, member_ = -1;  // rules
};

}  // namespace layerboost
