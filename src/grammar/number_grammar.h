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

/// Adds ways from `from` that spell the numbers within `bounds`; returns where they end. They have at most 18 digits,
/// or 15 with a fraction, so that every reader of JSON reads them as they are; between bounds there is no exponent.
/// Throws Error for bounds with too many digits.
int add_number(Grammar& grammar, int from, const NumberBounds& bounds);

}  // namespace layerboost
