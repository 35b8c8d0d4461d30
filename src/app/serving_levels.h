// How a ladder is served: which levels requests may get, and what makes them change.
#pragma once

#include <optional>
#include <string>

#include "artifact/ladder.h"
#include "engine/levels.h"

namespace layerboost {

/// The most that a level may lose.
struct QualityLimit {
  enum class Measure { perplexity, kl, found };
  Measure measure = Measure::perplexity;
  double value = 1.05;  // perplexity: ratio to the unchanged model's; kl: nats; found: least share of the facts that
                        // the unchanged model finds

  [[nodiscard]] bool met_by(const LevelQuality& quality) const;
};

/// "1.05" (perplexity), "kl:0.02", "found:0.9". Throws Error for other forms.
QualityLimit parse_quality_limit(const std::string& text);
std::string to_string(const QualityLimit& limit);

/// The mode and, of a fixed one, the level: "off", "fixed:N", "auto" or "per-request". Throws Error for other words.
LevelOptions parse_levels(const std::string& text);

/// The highest level such that it and all levels below it meet the limit, as far as their figures are known: a level
/// without figures meets none.
int highest_level(const Ladder& ladder, const QualityLimit& limit);

/// `options` with what the ladder says: the cap, and what a step costs at each level. Throws Error for a fixed level
/// that the ladder doesn't have.
LevelOptions with_ladder(LevelOptions options, const Ladder& ladder, const QualityLimit& limit);

}  // namespace layerboost
