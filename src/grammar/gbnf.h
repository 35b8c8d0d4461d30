// Grammars as people write them for llama.cpp (GBNF) and vLLM.
#pragma once

#include <string_view>

#include "grammar/grammar.h"

namespace layerboost {

/// Adds ways from `from` that spell what the rule "root" of `text` matches; returns where they end. Each rule is
/// `name ::= ...`: texts in quotes, classes in brackets, ".", names of rules, groups, "|", * + ? {m,n}, and comments
/// after "#". A rule goes on over line ends until the next one begins. Throws Error naming the line for anything else,
/// for rules that are missing or given twice; Grammar::finish() does for those that begin with themselves.
int add_gbnf(Grammar& grammar, int from, std::string_view text);

}  // namespace layerboost
