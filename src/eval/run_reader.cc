#include "eval/run_reader.h"

#include <algorithm>

#include "base/error.h"

namespace layerboost {

RunReader::RunReader(Subject& subject, std::span<const TokenRun> runs)
    : subject_(subject), runs_(runs), sequences_(runs.size()), children_left_(runs.size(), 0) {
  for (const TokenRun& run : runs) {
    if (run.parent >= 0) ++children_left_[static_cast<std::size_t>(run.parent)];
  }
}

void RunReader::begin(std::size_t run) {
  if (runs_[run].parent < 0) {
    sequences_[run].emplace(subject_.mixers, subject_.pools);
    return;
  }
  const auto parent = static_cast<std::size_t>(runs_[run].parent);
  LB_CHECK(sequences_[parent].has_value());
  if (--children_left_[parent] > 0) {
    sequences_[run].emplace(*sequences_[parent]);
  } else {  // the last child goes on with the parent's own memory
    sequences_[run] = std::move(sequences_[parent]);
    sequences_[parent].reset();
  }
}

const float* RunReader::read(std::span<const RunPiece> pieces) {
  std::vector<BatchItem> items;
  for (const RunPiece& piece : pieces) {
    const auto run = static_cast<std::size_t>(piece.run);
    if (piece.first == 0) begin(run);
    const std::span<const TokenId> tokens = runs_[run].tokens;
    items.push_back({&*sequences_[run],
                     tokens.subspan(static_cast<std::size_t>(piece.first), static_cast<std::size_t>(piece.count))});
  }
  const float* hidden = subject_.runner.forward(items);
  for (const RunPiece& piece : pieces) {
    const auto run = static_cast<std::size_t>(piece.run);
    const bool whole = piece.first + piece.count == static_cast<int>(runs_[run].tokens.size());
    if (whole && children_left_[run] == 0) sequences_[run].reset();
  }
  return hidden;
}

std::vector<int> StepTargets::index() const {
  std::vector<int> result(static_cast<std::size_t>(step_rows), -1);
  for (std::size_t i = 0; i < rows.size(); ++i) result[static_cast<std::size_t>(rows[i])] = static_cast<int>(i);
  return result;
}

StepTargets targets_of(std::span<const TokenRun> runs, std::span<const RunPiece> pieces) {
  StepTargets step;
  for (const RunPiece& piece : pieces) {
    const std::vector<Target>& targets = runs[static_cast<std::size_t>(piece.run)].targets;
    const auto by_row = [](const Target& target, int row) { return target.row < row; };
    auto target = std::lower_bound(targets.begin(), targets.end(), piece.first, by_row);
    for (; target != targets.end() && target->row < piece.first + piece.count; ++target) {
      const int row = step.step_rows + target->row - piece.first;
      if (step.rows.empty() || step.rows.back() != row) {
        step.rows.push_back(row);
        step.first.push_back(static_cast<int>(step.targets.size()));
      }
      step.targets.push_back(*target);
    }
    step.step_rows += piece.count;
  }
  step.first.push_back(static_cast<int>(step.targets.size()));
  return step;
}

}  // namespace layerboost
