#include "server/level_table.h"

#include "base/error.h"

namespace layerboost {

int LevelTable::cap() const {
  switch (options.mode) {
    case LevelMode::off:
      return 0;
    case LevelMode::fixed:
      return options.level;
    case LevelMode::automatic:
    case LevelMode::per_request:
      return options.cap;
  }
  LB_CHECK(false);
}

bool LevelTable::constant() const { return options.mode == LevelMode::off || options.mode == LevelMode::fixed; }

const char* LevelTable::mode() const {
  switch (options.mode) {
    case LevelMode::off:
      return "off";
    case LevelMode::fixed:
      return "fixed";
    case LevelMode::automatic:
      return "auto";
    case LevelMode::per_request:
      return "per-request";
  }
  LB_CHECK(false);
}

std::optional<double> LevelTable::quality(const std::vector<std::uint64_t>& tokens) const {
  LB_CHECK(tokens.size() == levels.size());
  double sum = 0, count = 0;
  for (std::size_t level = 0; level < levels.size(); ++level) {
    if (tokens[level] == 0) continue;
    if (!levels[level].perplexity_ratio) return std::nullopt;
    sum += static_cast<double>(tokens[level]) * *levels[level].perplexity_ratio;
    count += static_cast<double>(tokens[level]);
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

Json LevelTable::json() const {
  const auto figure = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  Json list = Json::array();
  for (const LevelFacts& level : levels) {
    list.push_back({{"level", list.size()},
                    {"plan", level.plan.empty() ? Json() : Json(level.plan)},
                    {"mixers", level.mixers},
                    {"rung", level.rung.empty() ? Json() : Json(level.rung)},
                    {"perplexity_ratio", figure(level.perplexity_ratio)},
                    {"kl", figure(level.kl)},
                    {"kv_fraction", figure(level.kv_fraction)}});
  }
  return list;
}

}  // namespace layerboost
