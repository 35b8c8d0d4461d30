#include "app/boost_healing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifact/healed_for_tests.h"
#include "base/error_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

TEST(ReadyMade, IsFoundByItsModel) {
  const test::SmallHealed small;
  EXPECT_EQ(find_ready_made(small.root, small.model_hash), small.healed);
  EXPECT_FALSE(find_ready_made(small.root, "sha256:other"));
  EXPECT_FALSE(find_ready_made(small.root / "nowhere", small.model_hash));
}

TEST(ReadyMade, IsCopiedWithItsModelsPath) {
  const test::SmallHealed small;
  const fs::path moved = small.root / "moved", output = small.root / "output";
  fs::rename(small.base, moved);
  copy_healed(small.healed, output, open_checkpoint(moved));
  const OpenedModel opened = open_model_argument(output, "", Precision::f32);
  EXPECT_EQ(opened.plan_hash, small.plan.hash());
  EXPECT_EQ(opened.model->path, moved);
  EXPECT_FALSE(opened.adapter_hash.empty());
}

TEST(HealBoosted, LeavesWhatWasHealedWithAnotherPlan) {
  const test::SmallHealed small;
  check_healing(small.healed, small.plan.hash());
  check_healing(small.root / "nowhere", "sha256:other");
  EXPECT_THAT(test::error_of([&] { check_healing(small.healed, "sha256:other"); }),
              HasSubstr("was healed with another plan"));
}

TEST(ReadyMade, IsCheckedFirst) {
  test::SmallHealed small;
  small.adapter.alpha = 9;
  write_adapter(healed_adapter(small.healed), small.adapter, DType::f32);
  try {
    copy_healed(small.healed, small.root / "output", open_checkpoint(small.base));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("has changed"));
  }
  EXPECT_FALSE(fs::exists(small.root / "output"));
}

}  // namespace
}  // namespace layerboost
