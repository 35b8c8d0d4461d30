// For tests: whether a text fits a grammar.
#pragma once

#include <string>
#include <string_view>

#include "grammar/automaton.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex_grammar.h"

namespace layerboost::test {

inline Grammar schema_grammar(const Json& schema) {
  Grammar grammar;
  grammar.end(add_schema(grammar, grammar.first(0), schema));
  grammar.finish();
  return grammar;
}

inline Grammar regex_grammar(std::string_view regex, const RegexRules& rules = {}) {
  Grammar grammar;
  grammar.end(add_regex(grammar, grammar.first(0), regex, rules));
  grammar.finish();
  return grammar;
}

inline Grammar gbnf_grammar(std::string_view text) {
  Grammar grammar;
  grammar.end(add_gbnf(grammar, grammar.first(0), text));
  grammar.finish();
  return grammar;
}

inline bool fits(Automaton& automaton, std::string_view text) {
  int state = automaton.start();
  for (const char c : text) state = automaton.next(state, static_cast<std::uint8_t>(c));
  return state >= 0 && automaton.accepts(state);
}

}  // namespace layerboost::test
