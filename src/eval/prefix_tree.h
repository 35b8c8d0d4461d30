// Shared prefixes of requests (the choices of one question, the questions of one header): a tree, each run of which is
// read once.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "generate/run_schedule.h"
#include "model/config.h"
#include "model/subject.h"

namespace layerboost {

/// Cuts the inputs of `requests` (context + continuation without its last token, which predicts nothing) into a tree of
/// runs, parents before children, so that prefixes which are worth a fork are read once. Every token of every
/// continuation becomes one target. Requests without continuation get none. `rope`: the model's; inputs whose rotations
/// differ share nothing.
std::vector<TokenRun> build_prefix_tree(std::span<const Request> requests, const RopeConfig& rope = {});

/// Reads pieces in the order of a RunSchedule. Keeps the caches of runs whose children are still to come; a child forks
/// its parent's.
class RunReader {
 public:
  /// Throws Error for a target outside the model's vocabulary. Requires: `subject` and `runs` outlive this.
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
