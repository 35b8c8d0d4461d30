#include "plan/measured_plans.h"

#include <gtest/gtest.h>

#include "artifact/analysis_for_tests.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

TEST(MeasuredPlans, MeasuresEachPlanOnceAcrossRuns) {
  const fs::path path = test::temporary_path("measured_plans_test.json");
  fs::remove(path);
  int calls = 0;
  const auto measure = [&](const std::vector<MixerSpec>& specs) {
    ++calls;
    return JointLossValue{0.1 * static_cast<double>(specs.size()), 1.0 / 3};
  };
  {
    MeasuredPlans plans(path, "model a", measure);
    plans({softmax_spec, window64});
    plans({softmax_spec, none_spec});
    plans({softmax_spec, window64});
  }
  EXPECT_EQ(calls, 2);
  MeasuredPlans again(path, "model a", measure);
  EXPECT_EQ(again({softmax_spec, window64}).retrieval, 1.0 / 3);
  EXPECT_EQ(calls, 2);
  MeasuredPlans other(path, "model b", measure);
  other({softmax_spec, window64});
  EXPECT_EQ(calls, 3);
  write_file(path, "not JSON");
  MeasuredPlans damaged(path, "model b", measure);
  damaged({softmax_spec, window64});
  EXPECT_EQ(calls, 4);
  fs::remove(path);
}

}  // namespace
}  // namespace layerboost
