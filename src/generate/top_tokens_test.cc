#include "generate/top_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace layerboost {
namespace {

TEST(TopTokens, AreThoseOfASort) {
  Random random(5);
  std::vector<float> logits(5000);
  for (float& logit : logits) logit = static_cast<float>(random.below(700));  // with many ties
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](TokenId a, TokenId b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  for (const int count : {0, 1, 2, 5, 50, 4999, 5000, 6000}) {
    const std::vector<ScoredToken> top = top_tokens(logits.data(), 5000, count);
    ASSERT_EQ(top.size(), static_cast<std::size_t>(std::min(count, 5000)));
    for (std::size_t i = 0; i < top.size(); ++i) ASSERT_EQ(top[i].id, order[i]) << count << " " << i;
  }
}

TEST(TopTokens, FloorLeavesOutTheRest) {
  const std::vector<float> logits = {1, 5, 3, 5, 2, 4};
  const std::vector<ScoredToken> top = top_tokens(logits.data(), 6, 5, 3);
  std::vector<TokenId> ids;
  for (const ScoredToken& token : top) ids.push_back(token.id);
  EXPECT_EQ(ids, (std::vector<TokenId>{1, 3, 5, 2}));
  ids.clear();
  for (const ScoredToken& token : tokens_above(logits.data(), 6, 3)) ids.push_back(token.id);
  EXPECT_EQ(ids, (std::vector<TokenId>{1, 2, 3, 5}));
}

}  // namespace
}  // namespace layerboost
