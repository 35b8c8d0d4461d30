// The order in which runs of tokens are read: in steps of about equal size, however long the runs are.
#pragma once

#include <span>
#include <vector>

#include "generate/token_run.h"

namespace layerboost {

/// Rows of a step: enough that weights and threads are used well, few enough that activations stay small.
constexpr int rows_per_step = 2048;

/// Tokens [first, first + count) of a run.
struct RunPiece {
  int run = 0, first = 0, count = 0;
};

/// Hands out every token of every run once, a run's pieces in order and a parent's before its children's, which come in
/// a later step. Begun sequences are finished before new ones begin, so few caches are alive at a time.
class RunSchedule {
 public:
  /// A run of up to `rows` tokens isn't cut. Requires: `runs` outlive this, and parents come before children.
  explicit RunSchedule(std::span<const TokenRun> runs, int rows = rows_per_step);

  /// The pieces of the next step, at most `rows` tokens; empty when all is read.
  std::vector<RunPiece> next();

 private:
  struct Open {
    int run, read;
  };
  std::span<const TokenRun> runs_;
  const int rows_;
  std::vector<std::vector<int>> children_;
  std::vector<Open> open_;  // a stack
};

}  // namespace layerboost
