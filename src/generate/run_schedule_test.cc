#include "generate/run_schedule.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace layerboost {
namespace {

TokenRun run_of(int parent, int tokens) { return {parent, std::vector<TokenId>(static_cast<std::size_t>(tokens)), {}}; }

/// Runs the whole schedule, checks its promises, and returns the number of steps.
int check(const std::vector<TokenRun>& runs, int rows) {
  RunSchedule schedule(runs, rows);
  std::vector<int> read(runs.size()), finished_in(runs.size(), -1);
  int step = 0;
  for (auto pieces = schedule.next(); !pieces.empty(); pieces = schedule.next(), ++step) {
    int total = 0;
    for (const RunPiece& piece : pieces) {
      const auto run = static_cast<std::size_t>(piece.run);
      EXPECT_EQ(piece.first, read[run]);
      EXPECT_GT(piece.count, 0);
      if (piece.first == 0 && runs[run].parent >= 0) {
        const int parent_step = finished_in[static_cast<std::size_t>(runs[run].parent)];
        EXPECT_TRUE(parent_step >= 0 && parent_step < step);
      }
      if (static_cast<int>(runs[run].tokens.size()) <= rows) {
        EXPECT_EQ(piece.count, static_cast<int>(runs[run].tokens.size()));
      }
      read[run] += piece.count;
      if (read[run] == static_cast<int>(runs[run].tokens.size())) finished_in[run] = step;
      total += piece.count;
    }
    EXPECT_LE(total, rows);
  }
  for (std::size_t i = 0; i < runs.size(); ++i) EXPECT_EQ(read[i], static_cast<int>(runs[i].tokens.size()));
  return step;
}

TEST(RunSchedule, FillsSteps) {
  EXPECT_EQ(check({run_of(-1, 50), run_of(-1, 50), run_of(-1, 50), run_of(-1, 50)}, 100), 2);
}

TEST(RunSchedule, CutsOnlyWhatIsLongerThanAStep) {
  EXPECT_EQ(check({run_of(-1, 250), run_of(-1, 30), run_of(-1, 60)}, 100), 4);
}

TEST(RunSchedule, ChildrenFollowTheirParents) {
  EXPECT_EQ(check({run_of(-1, 40), run_of(0, 30), run_of(0, 30), run_of(2, 5)}, 100), 3);
}

TEST(RunSchedule, BegunSequencesComeFirst) {
  const std::vector<TokenRun> runs = {run_of(-1, 60), run_of(0, 40), run_of(-1, 60), run_of(2, 40)};
  RunSchedule schedule(runs, 60);
  EXPECT_EQ(schedule.next().front().run, 0);
  EXPECT_EQ(schedule.next().front().run, 1);
  EXPECT_EQ(schedule.next().front().run, 2);
}

TEST(RunSchedule, RandomTrees) {
  Random random(5);
  for (int round = 0; round < 100; ++round) {
    std::vector<TokenRun> runs;
    for (int i = 0; i < 30; ++i)
      runs.push_back(run_of(static_cast<int>(random.below(static_cast<std::uint64_t>(i) + 1)) - 1,
                            1 + static_cast<int>(random.below(40))));
    check(runs, 1 + static_cast<int>(random.below(50)));
  }
}

TEST(RunSchedule, NothingToRead) { EXPECT_TRUE(RunSchedule({}).next().empty()); }

}  // namespace
}  // namespace layerboost
