// Levels: an engine whose plans are the steps of a ladder, from the one that loses nothing to the one that keeps least,
// gives requests a higher one as load rises, and a lower one as it falls.
//
// Plan n is level n: it differs from level n - 1 in a layer or some, whose mixer keeps less. A request that names a
// plan keeps it to its end, and one that wants log-probabilities of its prompt, or its embedding, is of level 0. All
// others begin at the level that there is when their turn comes. A sequence that runs may later be *folded*: between
// two steps its caches become those of a higher level (Sequence::fold()), which frees memory without reading anything
// again. It never comes back to a lower one: what was dropped is gone.
#pragma once

#include <array>
#include <string>
#include <vector>

namespace layerboost {

enum class LevelMode {
  off,          // level 0
  fixed,        // one level
  automatic,    // one level for all, by load; running sequences are folded where memory is short
  per_request,  // each request the lowest level at which there is memory for it beside those that run
};

struct LevelOptions {
  LevelMode mode = LevelMode::off;
  int level = 0;           // fixed: the level
  int cap = 0;             // automatic, per_request: the highest level
  bool by_length = false;  // short prompts' caps are lower: length_cap()
  // Automatic:
  double first_token = 0;     // seconds that a request may wait for its first token; 0: any time
  double between_tokens = 0;  // seconds between a sequence's tokens; 0: any time
  double cooldown = 5;        // seconds between steps down, and for at most two changes
  std::vector<double> cost;   // [levels] time of a step that writes against level 0's, as far as it is known
};

/// The highest level of a sequence whose prompt has so many tokens, in a model of so many layers, as in DSLA-Serve's
/// experiment (arXiv 2506.09316, table 4): an eighth of the layers below 2048 tokens, a quarter below 4096, three
/// eighths below 8192, half beyond.
int length_cap(int prompt, int layers);

/// What makes a level change.
enum class LevelCause { memory, first_token, between_tokens, idle };
inline constexpr std::size_t level_causes = 4;
/// "memory", "first_token", "between_tokens"; "idle" for steps down.
const char* name_of(LevelCause cause);

/// The load, as far as it can be foreseen: for each level up to the cap, [cap + 1].
struct LevelSignals {
  std::vector<double> memory;  // what running and waiting sequences need, of the memory there is
  // Seconds until a request that comes now would have its first token, and seconds for each later token of those that
  // write; empty where it isn't known.
  std::vector<double> first_token = {}, between_tokens = {};
};

/// Chooses the level for LevelMode::automatic. A pure function of what it is told and when: it has no clock.
///
/// A level is *enough* for a share s of the targets if the memory needed at it is at most s of what is there, and the
/// two times at most s of theirs. Where the memory isn't enough at any level, the lowest that needs hardly more than
/// the least is as good as there is: short sequences may need more at a higher one. Where the present level isn't
/// enough for all of the targets, it becomes the lowest that is enough for `margin` of them, or the cap: at once, but a
/// cool-down sees no more than two changes up or down, and one up for the times' sake, since they follow the level
/// later. A time that is too long for `margin` at all levels, and at the cap hardly shorter than at level 0 (by less
/// than a twentieth), doesn't count: all would lose and nobody win. (Little counts, since all that wait in a queue win
/// it, one after another.) Where a lower level has been enough for `margin` of the targets through a whole cool-down,
/// it steps down by one.
class LevelController {
 public:
  static constexpr double margin = 0.8;

  /// Requires: mode automatic.
  explicit LevelController(LevelOptions options);

  /// Returns the level from now on; `now` is in seconds from any start. Requires: it isn't less than the last time's.
  int tick(double now, const LevelSignals& signals);

  [[nodiscard]] int level() const { return level_; }
  /// The lowest level for which the memory would have been enough, as above, at the last tick; may be above level()
  /// until the next change is allowed.
  [[nodiscard]] int memory_level() const { return memory_level_; }
  /// Steps up by what made them, and down (idle), so far.
  [[nodiscard]] const std::array<int, level_causes>& changes() const { return changes_; }

 private:
  [[nodiscard]] static int enough_memory(const LevelSignals& signals, double share);
  [[nodiscard]] static int enough_time(const std::vector<double>& seconds, double target);
  void step_up(double now, const LevelSignals& signals);
  void step_down(double now, const LevelSignals& signals);

  const LevelOptions options_;
  int level_ = 0, memory_level_ = 0;
  std::vector<double> changed_;  // when the level changed, in the last cool-down
  double raised_for_time_;       // when a time made it step up last
  double low_since_;             // since when a lower level has been enough, or the last step down
  std::array<int, level_causes> changes_{};
};

}  // namespace layerboost
