#include "base/phase_times.h"

#include <gtest/gtest.h>

#include <thread>

namespace layerboost {
namespace {

enum class Phase { outer, inner, unused };
using Times = PhaseTimes<Phase, 3>;

void pass(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

TEST(PhaseTimes, CountForTheInnermostPhaseAlone) {
  Times times;
  {
    const Times::Scope outer(times, Phase::outer);
    {
      const Times::Scope inner(times, Phase::inner);
      pass(20);
    }
    pass(5);
  }
  pass(5);  // in no phase
  EXPECT_GE(times.seconds(Phase::inner), 0.020);
  EXPECT_GE(times.seconds(Phase::outer), 0.005);
  EXPECT_EQ(times.seconds(Phase::unused), 0);
  EXPECT_DOUBLE_EQ(times.total(), times.seconds(Phase::outer) + times.seconds(Phase::inner));
}

TEST(PhaseTimes, DifferencesAndReset) {
  Times times;
  const auto spend = [&] {
    const Times::Scope scope(times, Phase::outer);
    pass(2);
  };
  spend();
  const Times before = times;
  spend();
  EXPECT_NEAR(times.since(before).total(), times.total() - before.total(), 1e-12);
  EXPECT_GE(times.since(before).total(), 0.002);
  times.reset();
  EXPECT_EQ(times.total(), 0);
}

}  // namespace
}  // namespace layerboost
