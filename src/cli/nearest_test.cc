#include "cli/nearest.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

TEST(Nearest, CountsLettersToChange) {
  const std::vector<std::string> words = {"boost", "bench", "eval", "plan", "pull"};
  EXPECT_EQ(nearest("bosot", words), "boost");
  EXPECT_EQ(nearest("evla", words), "eval");
  EXPECT_EQ(nearest("plans", words), "plan");
  EXPECT_EQ(nearest("pul", words), "pull");
  EXPECT_EQ(nearest("", words), "eval");
}

}  // namespace
}  // namespace layerboost
