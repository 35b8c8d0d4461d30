#include "base/nearest.h"

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

TEST(Nearest, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> words = {"temperature", "top_p"};
  EXPECT_EQ(did_you_mean("temprature", words), "; did you mean \"temperature\"?");
  EXPECT_EQ(did_you_mean("evla", {"eval", "heal"}), "; did you mean \"eval\"?");  // two neighbours are one mistake
  EXPECT_EQ(did_you_mean("guided_json", words), "");
  EXPECT_EQ(did_you_mean(std::string(1 << 20, 'a'), words), "");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

}  // namespace
}  // namespace layerboost
