#include "engine/levels.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr double hardly_shorter = 0.95;
// Where no level is enough: a lower one than that which needs least is as good, if it needs hardly more. It is left
// where it needs more than the first, for one that needs less than the second.
constexpr double hardly_more = 1.05, hardly_more_with_margin = 1.02;

}  // namespace

int length_cap(int prompt, int layers) {
  const int eighths = prompt < 2048 ? 1 : prompt < 4096 ? 2 : prompt < 8192 ? 3 : 4;
  return layers * eighths / 8;
}

const char* name_of(LevelCause cause) {
  switch (cause) {
    case LevelCause::memory:
      return "memory";
    case LevelCause::first_token:
      return "first_token";
    case LevelCause::between_tokens:
      return "between_tokens";
    case LevelCause::idle:
      return "idle";
  }
  LB_CHECK(false);
}

LevelController::LevelController(LevelOptions options)
    : options_(std::move(options)),
      raised_for_time_(-std::numeric_limits<double>::infinity()),
      low_since_(std::numeric_limits<double>::infinity()) {
  LB_CHECK(options_.mode == LevelMode::automatic && options_.cap >= 0 && options_.cooldown > 0);
}

int LevelController::tick(double now, const LevelSignals& signals) {
  LB_CHECK(std::ssize(signals.memory) == options_.cap + 1);
  for (const auto* const times : {&signals.first_token, &signals.between_tokens})
    LB_CHECK(times->empty() || times->size() == signals.memory.size());
  const int before = level_;
  memory_level_ = enough_memory(signals, 1);
  step_up(now, signals);
  if (level_ == before) step_down(now, signals);
  return level_;
}

/// The lowest level at which the memory is enough, or which comes as near as there is.
int LevelController::enough_memory(const LevelSignals& signals, double share) {
  const double least = std::ranges::min(signals.memory);
  const double most = least > 1 ? least * (share < 1 ? hardly_more_with_margin : hardly_more)
                                : std::max(share, std::min(1.0, least * hardly_more));
  const auto enough = std::ranges::find_if(signals.memory, [&](double needed) { return needed <= most; });
  return static_cast<int>(enough - signals.memory.begin());
}

/// The same of a time; 0 where no level would be of help.
int LevelController::enough_time(const std::vector<double>& seconds, double target) {
  if (target <= 0 || seconds.empty()) return 0;
  const auto enough = std::ranges::find_if(seconds, [&](double time) { return time <= target; });
  if (enough != seconds.end()) return static_cast<int>(enough - seconds.begin());
  return seconds.back() > hardly_shorter * seconds.front() ? 0 : static_cast<int>(std::ssize(seconds)) - 1;
}

void LevelController::step_up(double now, const LevelSignals& signals) {
  const bool times_count = now - raised_for_time_ >= options_.cooldown;
  const auto enough = [&](double share) {
    std::array<int, level_causes> levels{};
    levels[static_cast<std::size_t>(LevelCause::memory)] = enough_memory(signals, share);
    if (times_count) {
      levels[static_cast<std::size_t>(LevelCause::first_token)] =
          enough_time(signals.first_token, share * options_.first_token);
      levels[static_cast<std::size_t>(LevelCause::between_tokens)] =
          enough_time(signals.between_tokens, share * options_.between_tokens);
    }
    return levels;
  };
  if (std::ranges::max(enough(1)) <= level_) return;
  std::erase_if(changed_, [&](double when) { return now - when >= options_.cooldown; });
  if (changed_.size() >= 2) return;
  const auto wanted = enough(margin);
  const auto most = std::ranges::max_element(wanted);
  if (*most <= level_) return;  // a time that can't be met with the margin
  changed_.push_back(now);
  level_ = *most;
  ++changes_[static_cast<std::size_t>(most - wanted.begin())];
  for (const LevelCause time : {LevelCause::first_token, LevelCause::between_tokens})
    if (wanted[static_cast<std::size_t>(time)] == level_) raised_for_time_ = now;
  low_since_ = std::numeric_limits<double>::infinity();
}

void LevelController::step_down(double now, const LevelSignals& signals) {
  const int enough =
      std::max({enough_memory(signals, margin), enough_time(signals.first_token, margin * options_.first_token),
                enough_time(signals.between_tokens, margin * options_.between_tokens)});
  if (enough >= level_) {
    low_since_ = std::numeric_limits<double>::infinity();
    return;
  }
  low_since_ = std::min(low_since_, now);
  for (; level_ > enough && now - low_since_ >= options_.cooldown; low_since_ += options_.cooldown) {
    --level_;
    changed_.push_back(low_since_ + options_.cooldown);
    ++changes_[static_cast<std::size_t>(LevelCause::idle)];
  }
}

}  // namespace layerboost
