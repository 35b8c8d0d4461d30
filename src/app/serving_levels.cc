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

namespace {

QualityLimit parse_limit(std::string_view text) {
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
        "(kl:0.02), found:SHARE of the facts that it finds (found:0.9), or several with commas between",
        in_quotes(std::string(text)));
  limit.value = *value;
  return limit;
}

std::string written(const QualityLimit& limit) {
  switch (limit.measure) {
    case QualityLimit::Measure::perplexity:
      return fmt::format("perplexity {:g} times", limit.value);
    case QualityLimit::Measure::kl:
      return fmt::format("KL {:g}", limit.value);
    case QualityLimit::Measure::found:
      return fmt::format("{:g} % of the facts found", 100 * limit.value);
  }
  LB_CHECK(false);
}

}  // namespace

QualityLimits parse_quality_limits(const std::string& text) {
  QualityLimits limits;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    limits.push_back(parse_limit(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  return limits;
}

std::string to_string(const QualityLimits& limits) {
  std::string text;
  for (const QualityLimit& limit : limits) text += (text.empty() ? "" : ", ") + written(limit);
  return text;
}

QualityLimits usual_limits(const Ladder& ladder) {
  QualityLimits limits = {{QualityLimit::Measure::perplexity, 1.05}};
  const std::optional<LevelQuality>& base = ladder.quality.front();
  if (base && !base->retrieval.empty()) limits.push_back({QualityLimit::Measure::found, 0.8});
  return limits;
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

bool follows_load(const LevelOptions& options) {
  return options.mode == LevelMode::automatic || options.mode == LevelMode::per_request;
}

int highest_level(const Ladder& ladder, const QualityLimits& limits) {
  const auto beyond = std::ranges::find_if_not(ladder.quality, [&](const std::optional<LevelQuality>& quality) {
    return quality && std::ranges::all_of(limits, [&](const QualityLimit& limit) { return limit.met_by(*quality); });
  });
  return static_cast<int>(beyond - ladder.quality.begin()) - 1;
}

LevelOptions with_ladder(LevelOptions options, const Ladder& ladder, const QualityLimits& limits) {
  if (options.level > ladder.top()) fail("level {}: the ladder has levels 0 to {}", options.level, ladder.top());
  options.cap = std::max(0, highest_level(ladder, limits));
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
