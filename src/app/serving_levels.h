// How a ladder is served: which levels requests may get, and what makes them change.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "artifact/ladder.h"
#include "engine/levels.h"

namespace layerboost {

/// The most that a level may lose by one measure.
struct QualityLimit {
  enum class Measure { perplexity, kl, found };
  Measure measure = Measure::perplexity;
  double value = 1.05;  // perplexity: ratio to the unchanged model's; kl: nats; found: least share of the facts that
                        // the unchanged model finds

  [[nodiscard]] bool met_by(const LevelQuality& quality) const;
};

/// All of them are to be met.
using QualityLimits = std::vector<QualityLimit>;

/// "1.05" (perplexity), "kl:0.02", "found:0.9", or several of them with commas between. Throws Error for other forms.
QualityLimits parse_quality_limits(const std::string& text);
std::string to_string(const QualityLimits& limits);

/// Where nobody says: a perplexity of at most 1.05 times the unchanged model's, and four of five facts found, if the
/// ladder tells how many are.
QualityLimits usual_limits(const Ladder& ladder);

/// The mode and, of a fixed one, the level: "off", "fixed:N", "auto" or "per-request". Throws Error for other words.
LevelOptions parse_levels(const std::string& text);

/// Whether the level changes with the load.
bool follows_load(const LevelOptions& options);

/// The highest level such that it and all levels below it meet the limits, as far as their figures are known: a level
/// without figures meets none. -1 if level 0 doesn't.
int highest_level(const Ladder& ladder, const QualityLimits& limits);

/// `options` with what the ladder says: the cap, and what a step costs at each level. Throws Error for a fixed level
/// that the ladder doesn't have.
LevelOptions with_ladder(LevelOptions options, const Ladder& ladder, const QualityLimits& limits);

}  // namespace layerboost
