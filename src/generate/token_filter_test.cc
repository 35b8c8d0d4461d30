#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/cpu_time_for_tests.h"
#include "base/error_for_tests.h"
#include "generate/logits_processors.h"
#include "generate/token_filter_for_tests.h"
#include "kernels/scratch.h"

namespace layerboost {
namespace {

TEST(TokenFilter, RefusesWhatMakesNoSense) {
  using testing::HasSubstr;
  EXPECT_THAT(test::error_of([] { (void)test::only({}); }), HasSubstr("empty"));
  EXPECT_THAT(test::error_of([] { (void)test::only({3, -1}); }), HasSubstr("allowed_tokens: token id -1"));
  EXPECT_THAT(test::error_of([] { (void)test::only({1 << 30}); }), HasSubstr("allowed_tokens"));
  EXPECT_THAT(test::error_of([] { (void)test::all_but({{3}, {2, -5}}); }), HasSubstr("bad_words: token id -5"));
  EXPECT_THAT(test::error_of([] { (void)test::all_but({{3}, {}}); }), HasSubstr("without tokens"));
  EXPECT_THAT(test::error_of([] { (void)test::only({3, 70}, {{70}, {3}}); }), HasSubstr("leave none"));
  EXPECT_NO_THROW((void)test::only({3, 70}, {{70}, {3, 3}, {500}}));
}

TEST(TokenFilter, KnowsItsHighestTokens) {
  EXPECT_EQ(test::only({3, 9, 4})->highest_allowed(), 9);
  EXPECT_EQ(test::only({3, 9, 4})->highest_bad(), -1);
  EXPECT_EQ(test::all_but({{1, 700}, {2}})->highest_bad(), 700);
  EXPECT_TRUE(test::all_but({{2}})->allowed().empty());
}

// A request may have a whole vocabulary in each of both lists.
TEST(TokenFilter, IsMadeInProportionToItsTokens) {
  const auto seconds = [](int count) {
    std::vector<TokenId> allowed(static_cast<std::size_t>(count) + 1);
    std::iota(allowed.begin(), allowed.end(), 0);
    std::vector<std::vector<TokenId>> words;
    for (TokenId token = 0; token < count; ++token) words.push_back({token});
    return test::cpu_seconds([&] { (void)test::only(allowed, words); }, 3);
  };
  EXPECT_LT(seconds(32000), 24 * seconds(4000) + 0.01);  // in proportion to the square: 64 times
}

TEST(TokenFilter, IsShared) {
  const std::shared_ptr<const TokenFilter> filter = test::only({1, 2}, {{1, 1}});
  const Sampling sampling{.filter = filter};
  const std::vector<LogitsProcessors> processors(5, LogitsProcessors(sampling, {}));
  EXPECT_EQ(filter.use_count(), 7);
}

// V above what is looked through at once.
TEST(TokenFilter, LeavesOutOfLargeVocabulariesWhatIsNotAllowed) {
  constexpr int vocab = 3000;
  std::vector<float> logits(vocab);
  Random random(3);
  for (float& logit : logits) logit = static_cast<float>(random.normal());
  logits[1000] = 50;
  ScratchStack scratch;
  const std::vector<TokenId> allowed = {5, 511, 512, 2047, 2999};
  for (Sampling way : {Sampling{}, Sampling{.temperature = 1}, Sampling{.temperature = 1, .top_p = 0.9},
                       Sampling{.temperature = 3, .top_k = 3}, Sampling{.temperature = 1, .min_p = 0.01},
                       Sampling{.temperature = 1, .repetition_penalty = 2, .logit_bias = {{1001, 100.0F}}}}) {
    way.filter = test::only(allowed, {{2047}});
    const LogitsProcessors processors(way, std::vector<TokenId>{5});
    for (int i = 0; i < 50; ++i) {
      const TokenId token = sample(logits.data(), 1, vocab, way, processors, {}, random, scratch).token;
      EXPECT_TRUE(token != 2047 && std::ranges::find(allowed, token) != allowed.end()) << token;
    }
  }
}

}  // namespace
}  // namespace layerboost
