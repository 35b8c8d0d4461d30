#include "base/data_directory.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace layerboost {
namespace {

TEST(DataDirectory, LiesBesideTheProgramOfABuildTree) {
  ::unsetenv("LAYERBOOST_DATA");
  EXPECT_EQ(data_directory(), fs::canonical("/proc/self/exe").parent_path() / "share/layerboost");
  EXPECT_TRUE(fs::exists(data_directory() / "models/smollm2-135m/plan.json"));
  EXPECT_TRUE(fs::exists(data_directory() / "scripts/get-model.sh"));
}

TEST(DataDirectory, IsWhereTheEnvironmentSays) {
  ::setenv("LAYERBOOST_DATA", "/some/where", 1);
  EXPECT_EQ(data_directory(), "/some/where");
  ::setenv("LAYERBOOST_DATA", "", 1);
  EXPECT_NE(data_directory(), "");
  ::unsetenv("LAYERBOOST_DATA");
}

}  // namespace
}  // namespace layerboost
