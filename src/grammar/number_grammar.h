// JSON numbers within bounds as grammars.
#pragma once

#include <optional>

#include "base/json.h"
#include "grammar/grammar.h"

namespace layerboost {

struct NumberBounds {
  struct Bound {
    Json number;
    bool exclusive = false;
  };
  bool integer = false;
  std::optional<Bound> least, most;
};

/// Adds ways from `from` that spell the numbers within `bounds`; returns where they end. Integers have at most 18
/// digits, other numbers 15 before the point; between bounds these are 15 with those after it, so that every reader
/// finds them there, and there is no exponent. Throws Error for bounds with too many digits.
int add_number(Grammar& grammar, int from, const NumberBounds& bounds);

}  // namespace layerboost
