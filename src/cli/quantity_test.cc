#include "cli/quantity.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace layerboost {
namespace {

TEST(Quantity, IsReadWithItsUnit) {
  EXPECT_EQ(parse_count("10M", "--tokens"), 10'000'000);
  EXPECT_EQ(parse_count("0.5M", "--tokens"), 500'000);
  EXPECT_EQ(parse_count("200k", "--tokens"), 200'000);
  EXPECT_EQ(parse_bytes("6G", "--memory"), std::size_t{6} << 30);
  for (const char* bad : {"", "M", "-1", "10Q", "0"}) EXPECT_THROW(parse_count(bad, "--tokens"), Error) << bad;
  EXPECT_THROW(parse_count(std::string(100'000, '1'), "--tokens"), Error);
}

TEST(HealBudget, Words) {
  EXPECT_EQ(parse_heal_budget("10M").tokens, 10'000'000);
  EXPECT_EQ(parse_heal_budget("20min").minutes, 20);
  EXPECT_EQ(parse_heal_budget("1.5h").minutes, 90);
  EXPECT_TRUE(parse_heal_budget("0").none());
  EXPECT_TRUE(parse_heal_budget("0min").none());
  EXPECT_FALSE(parse_heal_budget("200k").none());
  for (const char* wrong : {"", "min", "-3min", "xmin", "nanh", "soon"}) EXPECT_THROW(parse_heal_budget(wrong), Error);
}

}  // namespace
}  // namespace layerboost
