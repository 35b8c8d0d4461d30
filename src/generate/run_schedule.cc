#include "generate/run_schedule.h"

#include <algorithm>

namespace layerboost {

RunSchedule::RunSchedule(std::span<const TokenRun> runs, int rows) : runs_(runs), rows_(rows), children_(runs.size()) {
  for (int i = static_cast<int>(runs.size()) - 1; i >= 0; --i) {
    const int parent = runs[static_cast<std::size_t>(i)].parent;
    if (parent < 0)
      open_.push_back({i, 0});
    else
      children_[static_cast<std::size_t>(parent)].push_back(i);  // last child first, as the stack wants them
  }
}

std::vector<RunPiece> RunSchedule::next() {
  std::vector<RunPiece> pieces;
  int room = rows_;
  while (!open_.empty() && room > 0) {
    Open& top = open_.back();
    const int left = static_cast<int>(runs_[static_cast<std::size_t>(top.run)].tokens.size()) - top.read;
    if (left > room && left <= rows_ && !pieces.empty()) break;
    const int count = std::min(left, room);
    pieces.push_back({top.run, top.read, count});
    room -= count;
    if (count < left) {
      top.read += count;
      break;
    }
    open_.pop_back();
  }
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    const auto run = static_cast<std::size_t>(piece->run);
    if (piece->first + piece->count < static_cast<int>(runs_[run].tokens.size())) continue;
    for (const int child : children_[run]) open_.push_back({child, 0});
  }
  return pieces;
}

}  // namespace layerboost
