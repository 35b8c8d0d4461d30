// Rotations that each length of a text has for itself ("dynamic" scaling of RoPE), as rows of one table.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "base/error.h"

namespace layerboost {

/// Texts of up to `positions` tokens share the rotations of rows 0 .. positions-1. Beyond these each longer text, by
/// its number of tokens, has `longest()` rows of its own, of which the first as many as it has tokens mean something.
struct RopeLengths {
  int positions = 0;
  double factor = 1;

  /// The most tokens of a text such that every row's number is an int.
  [[nodiscard]] int longest() const {
    constexpr std::int64_t rows = std::numeric_limits<int>::max();
    const auto fits = [&](std::int64_t tokens) { return positions + (tokens - positions) * tokens <= rows; };
    const double half = positions / 2.0;
    auto tokens = static_cast<std::int64_t>(half + std::sqrt(half * half + static_cast<double>(rows - positions)));
    while (!fits(tokens)) --tokens;  // the root may have been rounded
    return static_cast<int>(tokens);
  }

  /// Where the rows of a text of so many tokens begin. Requires: tokens <= longest().
  [[nodiscard]] int first_row(int tokens) const {
    if (tokens <= positions) return 0;
    const int most = longest();
    LB_CHECK(tokens <= most);
    return positions + (tokens - positions - 1) * most;
  }

  /// Whose row it is: that of a text of `tokens` tokens for the token at `position`. Requires: row >= positions.
  struct Place {
    int tokens, position;
  };
  [[nodiscard]] Place place_of(int row) const {
    const int beyond = row - positions, most = longest();
    return {positions + 1 + beyond / most, beyond % most};
  }

  /// What the base of the frequencies grows with, to the power d / (d - 2): transformers'
  /// `_compute_dynamic_ntk_parameters`. 1 for texts of up to `positions` tokens.
  [[nodiscard]] double stretch(int tokens) const {
    return tokens <= positions ? 1 : factor * tokens / positions - (factor - 1);
  }
};

}  // namespace layerboost
