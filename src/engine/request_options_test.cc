// What requests say of the tokens that may come, of what ends a text, and of what is told of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error_for_tests.h"
#include "engine/model_for_tests.h"
#include "generate/token_filter_for_tests.h"

namespace layerboost {
namespace {

class RequestOptions : public ::testing::Test {
 protected:
  [[nodiscard]] Collected write(const GenerationRequest& request) const { return alone(*model_, native_, request); }

  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_};
  const MixerList& native_ = mixers_.list(native_specs(model_->config));
};

constexpr TokenId end_token = 259;

TEST_F(RequestOptions, OnlyAllowedTokensCome) {
  for (const Sampling& way : {Sampling{}, Sampling{.temperature = 1}, Sampling{.temperature = 1, .top_p = 0.8},
                              Sampling{.temperature = 1, .top_k = 5, .logit_bias = {{'q', 100.0F}}}}) {
    GenerationRequest request = request_for_tests(20, 60);
    request.sampling = way;
    request.sampling.filter = test::only({'a', 'b', 200});
    const Collected result = write(request);
    EXPECT_EQ(result.tokens.size(), 60U);
    for (const TokenId token : result.tokens) EXPECT_TRUE(token == 'a' || token == 'b' || token == 200) << token;
  }
}

TEST_F(RequestOptions, BadWordsDoNotCome) {
  GenerationRequest request = request_for_tests(20, 80);
  request.sampling.temperature = 1;
  const auto text_without = [&](std::vector<std::vector<TokenId>> words) {
    request.sampling.filter = test::only({'a', 'b', 'c'}, std::move(words));
    return write(request).text;
  };
  const std::string any = text_without({});
  EXPECT_NE(any.find("ab"), std::string::npos);
  EXPECT_NE(any.find("cca"), std::string::npos);
  const std::string without = text_without({{'a', 'b'}, {'c', 'c', 'a'}});
  EXPECT_EQ(without.size(), 80U);
  EXPECT_EQ(without.find("ab"), std::string::npos) << without;
  EXPECT_EQ(without.find("cca"), std::string::npos) << without;
  EXPECT_EQ(text_without({{'c'}}).find('c'), std::string::npos);
}

// A text that no token may go on with fails alone.
TEST_F(RequestOptions, WhereNothingIsLeftTheTextFails) {
  GenerationRequest stuck = request_for_tests(20, 10);
  stuck.sampling.filter = test::only({'a'}, {{'a', 'a', 'a'}});
  GenerationRequest early = request_for_tests(20, 10);
  early.ignore_eos = false;
  early.min_tokens = 2;
  early.sampling.filter = test::only({end_token});
  EngineOptions options;
  options.memory = std::size_t{64} << 20;
  Engine engine(*model_, native_, options);
  Collected failed, too_early, other;
  engine.submit(stuck, failed.sink());
  engine.submit(early, too_early.sink());
  engine.submit(request_for_tests(20, 10), other.sink());
  while (engine.step()) {
  }
  EXPECT_EQ(failed.text, "aa");
  for (const Collected* result : {&failed, &too_early}) {
    EXPECT_EQ(result->last.finish, FinishReason::failed);
    EXPECT_THAT(result->last.error, testing::HasSubstr("may come next"));
  }
  EXPECT_EQ(other.tokens.size(), 10U);
  early.min_tokens = 0;
  EXPECT_EQ(write(early).last.finish, FinishReason::stop);
}

TEST_F(RequestOptions, TokensOutsideTheVocabularyAreRefused) {
  const auto error_with = [&](const Sampling& sampling) {
    GenerationRequest request = request_for_tests(20, 10);
    request.sampling = sampling;
    return test::error_of([&] { (void)write(request); });
  };
  EXPECT_THAT(error_with({.filter = test::only({260})}), testing::HasSubstr("allowed_tokens: token id 260"));
  EXPECT_THAT(error_with({.filter = test::all_but({{1}, {2, 260}})}), testing::HasSubstr("bad_words: token id 260"));
  GenerationRequest request = request_for_tests(20, 10);
  request.prompt_logprobs = 261;
  EXPECT_THAT(test::error_of([&] { (void)write(request); }), testing::HasSubstr("prompt_logprobs is 261"));
}

// Which tokens are allowed may be much to say, and a request may have many sequences.
TEST_F(RequestOptions, SequencesShareWhatIsAllowed) {
  GenerationRequest request = request_for_tests(20, 3);
  request.sampling.filter = test::only({'a', 'b'}, {{'a', 'a'}});
  const std::weak_ptr<const TokenFilter> filter = request.sampling.filter;
  EngineOptions options;
  options.memory = std::size_t{64} << 20;
  Engine engine(*model_, native_, options);
  for (int i = 0; i < 3; ++i) engine.submit(request, [](Output&&) {});
  EXPECT_GE(filter.use_count(), 4);
  request = {};
  engine.step();
  EXPECT_GE(filter.use_count(), 3);
  drain(engine);
  EXPECT_TRUE(filter.expired());
}

// V above what is looked through at once.
TEST_F(RequestOptions, OnlyAllowedTokensComeOfLargeVocabularies) {
  const auto model = text_model(Precision::f32, large_tokenizer_data_for_tests());
  MixerSet mixers(*model);
  const MixerList& native = mixers.list(native_specs(model->config));
  for (const Sampling& way : {Sampling{}, Sampling{.temperature = 1}, Sampling{.temperature = 1, .top_p = 0.8},
                              Sampling{.temperature = 1, .top_k = 5, .logit_bias = {{900, 100.0F}}}}) {
    GenerationRequest request = request_for_tests(20, 40);
    request.sampling = way;
    request.sampling.filter = test::only({'a', 600, 1199}, {{'a', 'a'}});
    const Collected result = alone(*model, native, request);
    EXPECT_EQ(result.tokens.size(), 40U);
    for (const TokenId token : result.tokens) EXPECT_TRUE(token == 'a' || token == 600 || token == 1199) << token;
  }
}

TEST_F(RequestOptions, StopStringsMayBeIncluded) {
  GenerationRequest request = request_for_tests(20, 40);
  request.sampling.filter = test::only({'a', 'b', 'c', 'd', 'e', 'f'});
  request.sampling.temperature = 2;
  const std::string whole = write(request).text;
  const std::string stop = whole.substr(12, 3);
  request.stop = {stop};
  EXPECT_EQ(write(request).text, whole.substr(0, whole.find(stop)));
  request.include_stop = true;
  const Collected result = write(request);
  EXPECT_EQ(result.text, whole.substr(0, whole.find(stop) + 3));
  EXPECT_EQ(result.last.finish, FinishReason::stop);
}

TEST_F(RequestOptions, StopTokensMayBeIncluded) {
  GenerationRequest request = request_for_tests(20, 40);
  request.sampling.filter = test::only({'z'});
  request.stop_tokens = {'z'};
  request.logprobs = 0;
  Collected result = write(request);
  EXPECT_EQ(result.text, "");
  EXPECT_TRUE(result.tokens.empty() && result.logprobs.empty());
  EXPECT_EQ(result.last.ended_by, 'z');
  request.include_end = true;
  result = write(request);
  EXPECT_EQ(result.text, "z");
  EXPECT_EQ(result.tokens, std::vector<TokenId>{'z'});
  EXPECT_EQ(result.logprobs.size(), 1U);
  EXPECT_EQ(result.last.ended_by, -1);
  EXPECT_EQ(result.last.finish, FinishReason::stop);
}

TEST_F(RequestOptions, EndTokensAreTextOnlyWhereBothAreWanted) {
  GenerationRequest request = request_for_tests(20, 3);
  request.sampling.filter = test::only({end_token});
  const auto text = [&](bool ignore_eos, bool include, bool skip) {
    request.ignore_eos = ignore_eos;
    request.include_end = include;
    request.skip_special = skip;
    return write(request).text;
  };
  EXPECT_EQ(text(true, false, true), "");
  EXPECT_EQ(text(true, false, false), "</s></s></s>");
  EXPECT_EQ(text(false, false, false), "");
  EXPECT_EQ(text(false, true, true), "");
  EXPECT_EQ(text(false, true, false), "</s>");
}

// Of log-probabilities of the prompt: how many tokens are as likely or likelier.
TEST_F(RequestOptions, RanksAreCounted) {
  GenerationRequest request = request_for_tests(30, 0);
  request.prompt_logprobs = 260;
  const auto unranked = write(request).prompt_logprobs;
  request.prompt_ranks = true;
  const auto ranked = write(request).prompt_logprobs;
  ASSERT_EQ(ranked.size(), 30U);
  std::set<int> ranks;
  for (std::size_t i = 1; i < 30; ++i) {
    EXPECT_EQ(unranked[i]->rank, 0);
    const auto& top = ranked[i]->top;
    const auto as_likely = [&](const auto& other) { return other.second >= ranked[i]->logprob; };
    EXPECT_EQ(ranked[i]->rank, std::count_if(top.begin(), top.end(), as_likely));
    ranks.insert(ranked[i]->rank);
  }
  EXPECT_GT(ranks.size(), 5U);
}

}  // namespace
}  // namespace layerboost
