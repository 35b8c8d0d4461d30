// Grammars in GBNF, as people write them for llama.cpp.
#pragma once

#include <string_view>

#include "grammar/grammar.h"

namespace layerboost {

/// Adds ways from `from` that spell what the rule "root" of `text` matches; returns where they end. Each rule is
/// `name ::= ...`, the name first in its line: texts in quotes, classes in brackets, ".", names of rules, groups, "|",
/// * + ? {m} {m,} {m,n}, and comments after "#". A rule goes on over line ends until the next one begins. Throws Error,
/// naming the line, for anything else, and for rules that are missing, given twice, begin with themselves or never come
/// to an end.
int add_gbnf(Grammar& grammar, int from, std::string_view text);

}  // namespace layerboost
