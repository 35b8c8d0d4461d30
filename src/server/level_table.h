// What the server knows of its engine's levels (engine/levels.h): what each of them is, and what was measured of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/levels.h"

namespace layerboost {

/// One level. Figures are against the unchanged model, and empty where there are none.
struct LevelFacts {
  std::string plan = {};    // its plan's hash; empty: the model's own mixers
  std::string mixers = {};  // in words: "10 softmax, 20 window" (mixers_in_words())
  std::string rung = {};    // what it changes, for people: "layer 7 -> window:128+4"; empty: nothing
  std::optional<double> perplexity_ratio = {};  // its perplexity, of the unchanged model's
  std::optional<double> kl = {};                // nats a token
  std::optional<double> kv_fraction = {};       // of the memory that a sequence takes
};

struct LevelTable {
  std::vector<LevelFacts> levels;  // [the engine's plans], lowest first; none or one: there is no ladder
  LevelOptions options = {};       // the engine's own

  [[nodiscard]] bool is_ladder() const { return levels.size() > 1; }
  /// The highest level that a request can ask for.
  [[nodiscard]] int highest() const { return is_ladder() ? static_cast<int>(levels.size()) - 1 : 0; }
  /// The highest level that requests get which ask for none.
  [[nodiscard]] int cap() const;
  /// Whether those all get that level, and keep it.
  [[nodiscard]] bool constant() const;
  /// "off", "fixed", "auto", "per-request".
  [[nodiscard]] const char* mode() const;
  /// The mean of the levels' perplexity ratios over so many tokens of each; empty where there are no tokens, or some of
  /// a level that has none.
  [[nodiscard]] std::optional<double> quality(const std::vector<std::uint64_t>& tokens) const;
  /// The levels as /v1/models has them.
  [[nodiscard]] Json json() const;
};

/// The levels that a sequence, or an answer of several, began and ended with.
struct LevelSpan {
  int first = 0, last = 0;
  bool operator==(const LevelSpan&) const = default;
};

}  // namespace layerboost
