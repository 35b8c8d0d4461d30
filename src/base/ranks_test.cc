// Run alone and, by ctest, also as two processes under mpirun.
#include "base/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ranks_for_tests.h"

namespace layerboost {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Ranks, SumIsTheSameEverywhere) {
  const Ranks& ranks = Ranks::world();
  std::vector<float> values = {1, static_cast<float>(ranks.rank())};
  ranks.sum(values);
  const auto n = static_cast<float>(ranks.size());
  EXPECT_THAT(values, ElementsAre(n, n * (n - 1) / 2));
  std::vector<double> exact = {1e9 + 1};
  ranks.sum(exact);
  EXPECT_EQ(exact[0], ranks.size() * (1e9 + 1));
}

TEST(Ranks, AloneNobodyAdds) {
  std::vector<float> values = {1};
  Ranks::alone().sum(values);
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(Ranks::alone().size(), 1);
}

TEST(Ranks, FirstTextIsTheLowestRanksThatHasOne) {
  const Ranks& ranks = Ranks::world();
  EXPECT_EQ(ranks.first_text(""), "");
  EXPECT_EQ(ranks.first_text(ranks.rank() + 1 == ranks.size() ? "from the last" : ""), "from the last");
}

TEST(Ranks, ShareGivesTheFirstRanksText) {
  const Ranks& ranks = Ranks::world();
  EXPECT_EQ(ranks.broadcast("from " + std::string(static_cast<std::size_t>(ranks.rank()) + 1, '.')), "from .");
}

TEST(Ranks, WhatTheFirstCantDoAllFailWith) {
  const Ranks& ranks = Ranks::world();
  int done = 0;
  ranks.by_first([&] { ++done; });
  EXPECT_EQ(done, ranks.first() ? 1 : 0);
  try {
    ranks.by_first([] { fail("no room"); });
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no room");
  }
}

TEST(Ranks, GatherInOrder) {
  const Ranks& ranks = Ranks::world();
  const auto texts = ranks.gather(std::string(static_cast<std::size_t>(2 * ranks.rank()), 'x'));
  if (!ranks.first())
    EXPECT_THAT(texts, IsEmpty());
  else
    for (std::size_t i = 0; i < static_cast<std::size_t>(ranks.size()); ++i) EXPECT_EQ(texts[i].size(), 2 * i);
}

}  // namespace
}  // namespace layerboost
