// Regular expressions as grammars.
#pragma once

#include <string_view>

#include "grammar/grammar.h"

namespace layerboost {

/// How an expression is meant.
struct RegexRules {
  bool whole = true;     // it is to match the whole text; if not, some part of it, as JSON Schema's "pattern"
  bool in_json = false;  // the text stands within the quotes of a JSON string
};

/// Adds ways from `from` that spell what `regex` matches; returns where they end. It is read as JavaScript does: it has
/// literals, ".", classes, \d \w \s and their opposites, escapes of characters, groups, "|", * + ? {m,n} (lazy ones
/// match the same), and ^ and $ at the ends of the whole expression or of its alternatives. Throws Error, naming it,
/// for anything else: for what isn't regular, such as look-around and references, and for what Python reads as another
/// expression, such as {,n} and classes that begin with "]".
int add_regex(Grammar& grammar, int from, std::string_view regex, const RegexRules& rules = {});

}  // namespace layerboost
