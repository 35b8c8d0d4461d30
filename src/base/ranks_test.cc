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
}

TEST(Ranks, ShareGivesTheFirstRanksText) {
  const Ranks& ranks = Ranks::world();
  EXPECT_EQ(ranks.share("from " + std::string(static_cast<std::size_t>(ranks.rank()) + 1, '.')), "from .");
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
