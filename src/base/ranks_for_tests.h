// For tests that mpirun runs as several processes.
#pragma once

#include <gtest/gtest.h>

#include "base/ranks.h"

namespace layerboost {

/// Takes leave of the other ranks when the tests are over; include this file once per test program.
class LeaveRanks : public ::testing::Environment {
  void TearDown() override { Ranks::leave(); }
};
[[maybe_unused]] inline const auto* const leave_ranks = ::testing::AddGlobalTestEnvironment(new LeaveRanks);

}  // namespace layerboost
