// What the levels of a ladder lose and win, measured on text and questions that its rungs weren't chosen by.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "artifact/opened_ladder.h"
#include "eval/quality.h"
#include "plan/cost_model.h"
#include "plan/planner.h"

namespace layerboost {

struct LadderQualityOptions {
  std::string text;                          // a file; empty: text that the model writes
  int windows = 16;                          // so many windows of it
  int window = 1024;                         // tokens of each
  std::vector<int> retrieval = {512, 1024};  // tokens of the texts that facts are hidden in; empty: none
  int places = 3;                            // in which each wording's facts stand
  std::vector<std::string> tasks;            // files
  int task_items = 0;                        // the first so many items of each; 0: all
  std::string decode;                        // "64x1024": sequences and positions of the decode steps; empty: what fits
  bool bench = true;                         // whether decode steps are to be timed, too, not only predicted
  std::uint64_t seed = 0;
};

/// BATCHxCONTEXT of `decode`, its factor 1. Throws Error for what can't be read, and for what exceeds the model's
/// positions.
SpeedTarget decode_target(const LadderQualityOptions& options, int max_positions);

/// Lengths that nobody asked for are cut to the model's positions. Throws Error for those that don't fit.
void fit_to_model(LadderQualityOptions& options, bool retrieval_given, const Model& model);

class LadderQuality {
 public:
  /// `text`: the file to measure on. `cost`: nullptr: no speed is predicted. `unchanged`: what unchanged() gave before
  /// for the same options; null: it is measured when it is needed.
  /// Requires: `ladder`, `options` and `cost` outlive this.
  LadderQuality(const OpenedLadder& ladder, const LadderQualityOptions& options, const fs::path& text,
                const CostModel* cost, Json unchanged);

  /// All but the time of decode steps. Throws Error, Interrupted.
  LevelQuality measure(int level);
  /// What is counted and predicted of a level: memory and speedup.
  void count(int level, LevelQuality& quality) const;
  /// Times decode steps of a level: tokens per second.
  [[nodiscard]] double measure_speed(int level) const;
  /// Does so of the unchanged model, for unchanged(), where that hasn't been done.
  void measure_unchanged_speed();

  /// What the unchanged model has: {"perplexity", "retrieval": [{"length", "found", "logprob"}], "decode_speed"?}; null
  /// before the first measure().
  [[nodiscard]] const Json& unchanged() const { return unchanged_; }

 private:
  [[nodiscard]] ModelWithMixers unchanged_run() const;
  [[nodiscard]] double decode_speed(const ModelWithMixers& run) const;
  [[nodiscard]] QualityOptions what() const;
  void measure_unchanged();
  [[nodiscard]] std::vector<LevelTask> task_accuracies(const ModelWithMixers& run) const;

  const OpenedLadder& ladder_;
  const LadderQualityOptions& options_;
  const fs::path text_;
  const CostModel* cost_;
  const SpeedTarget decode_;
  const UnchangedModel unchanged_model_;
  Json unchanged_;
};

}  // namespace layerboost
