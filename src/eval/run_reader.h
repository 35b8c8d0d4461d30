// Takes a tree of token runs through a model.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "generate/run_schedule.h"
#include "model/subject.h"

namespace layerboost {

/// Reads pieces in the order of a RunSchedule. Keeps the caches of runs whose children are still to come; a child forks
/// its parent's.
class RunReader {
 public:
  /// `subject` and `runs` must outlive the reader.
  RunReader(Subject& subject, std::span<const TokenRun> runs);

  /// The hidden states after the last layer, [sum of counts, D]: the pieces' rows one after another. Valid until the
  /// subject's runner is used for another forward pass.
  const float* read(std::span<const RunPiece> pieces);

 private:
  void begin(std::size_t run);

  Subject& subject_;
  std::span<const TokenRun> runs_;
  std::vector<std::optional<Sequence>> sequences_;  // by run
  std::vector<int> children_left_;                  // by run: children that have not begun
};

/// The rows of a step whose logits are wanted, and what for.
struct StepTargets {
  std::vector<int> rows;   // rows of the step's hidden states, ascending
  std::vector<int> first;  // targets first[i] .. first[i+1]-1 belong to rows[i]; [rows.size() + 1]
  std::vector<Target> targets;
  int step_rows = 0;  // rows of the step

  /// For each row of the step its index in `rows`, or -1.
  [[nodiscard]] std::vector<int> index() const;
};
StepTargets targets_of(std::span<const TokenRun> runs, std::span<const RunPiece> pieces);

}  // namespace layerboost
