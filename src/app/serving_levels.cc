#include "app/serving_levels.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

constexpr std::string_view kl_prefix = "kl:", found_prefix = "found:", fixed_prefix = "fixed:";

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace

bool QualityLimit::met_by(const LevelQuality& quality) const {
  switch (measure) {
    case Measure::perplexity:
      return quality.perplexity_ratio <= value;
    case Measure::kl:
      return quality.kl <= value;
    case Measure::found:
      return !quality.retrieval.empty() && quality.kept() >= value;
  }
  LB_CHECK(false);
}

QualityLimit parse_quality_limit(const std::string& text) {
  QualityLimit limit;
  std::string_view rest = text;
  if (rest.starts_with(kl_prefix)) {
    limit.measure = QualityLimit::Measure::kl;
    rest.remove_prefix(kl_prefix.size());
  } else if (rest.starts_with(found_prefix)) {
    limit.measure = QualityLimit::Measure::found;
    rest.remove_prefix(found_prefix.size());
  }
  const std::optional<double> value = number<double>(rest);
  const double least = limit.measure == QualityLimit::Measure::perplexity ? 1 : 0;
  if (!value || !std::isfinite(*value) || *value < least ||
      (limit.measure == QualityLimit::Measure::found && *value > 1))
    fail(
        "{} isn't a limit of quality: give a perplexity of at least 1 times the unchanged model's (1.05), kl:NATS "
        "(kl:0.02) or found:SHARE of the facts that it finds (found:0.9)",
        in_quotes(text));
  limit.value = *value;
  return limit;
}

std::string to_string(const QualityLimit& limit) {
  switch (limit.measure) {
    case QualityLimit::Measure::perplexity:
      return fmt::format("perplexity {:g} times", limit.value);
    case QualityLimit::Measure::kl:
      return fmt::format("KL {:g}", limit.value);
    case QualityLimit::Measure::found:
      return fmt::format("{:g} of the facts found", limit.value);
  }
  LB_CHECK(false);
}

LevelOptions parse_levels(const std::string& text) {
  LevelOptions options;
  if (text == "auto") {
    options.mode = LevelMode::automatic;
  } else if (text == "per-request") {
    options.mode = LevelMode::per_request;
  } else if (text.starts_with(fixed_prefix)) {
    const std::optional<int> level = number<int>(std::string_view(text).substr(fixed_prefix.size()));
    if (!level || *level < 0) fail("{} isn't a level: give fixed:N, such as fixed:3", in_quotes(text));
    options.mode = LevelMode::fixed;
    options.level = *level;
  } else if (text != "off") {
    fail("{} isn't a way to choose levels: give off, fixed:N, auto or per-request", in_quotes(text));
  }
  return options;
}

int highest_level(const Ladder& ladder, const QualityLimit& limit) {
  const auto beyond = std::ranges::find_if_not(
      ladder.quality, [&](const std::optional<LevelQuality>& quality) { return quality && limit.met_by(*quality); });
  return std::max(0, static_cast<int>(beyond - ladder.quality.begin()) - 1);
}

LevelOptions with_ladder(LevelOptions options, const Ladder& ladder, const QualityLimit& limit) {
  if (options.level > ladder.top()) fail("level {}: the ladder has levels 0 to {}", options.level, ladder.top());
  options.cap = highest_level(ladder, limit);
  options.cost.clear();
  double base = 1;  // the speed of level 0
  for (const std::optional<LevelQuality>& quality : ladder.quality) {
    const bool known = quality && quality->speedup && *quality->speedup > 0;
    if (options.cost.empty() && known) base = *quality->speedup;
    options.cost.push_back(known ? base / *quality->speedup : options.cost.empty() ? 1 : options.cost.back());
  }
  return options;
}

}  // namespace layerboost
