#include "eval/scoring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// Softmax, a window and no mixer at all, so that each kind of cache is forked.
std::vector<MixerSpec> mixed_specs(const Config& config) {
  std::vector<MixerSpec> specs = native_specs(config);
  specs[1] = {MixerKind::window, 16, 2};
  specs[2] = {MixerKind::none, 0, 0};
  return specs;
}

std::vector<TokenId> random_tokens(Random& random, std::size_t count) {
  std::vector<TokenId> tokens(count);
  for (TokenId& token : tokens) token = static_cast<TokenId>(3 + random.below(380));
  return tokens;
}

/// Forty contexts of different lengths below one header, with one to four continuations each.
std::vector<Request> header_requests(Random& random) {
  const std::vector<TokenId> header = random_tokens(random, 70);
  std::vector<Request> requests;
  for (int item = 0; item < 40; ++item) {
    std::vector<TokenId> context = header;
    const std::vector<TokenId> question = random_tokens(random, 1 + random.below(60));
    context.insert(context.end(), question.begin(), question.end());
    for (std::uint64_t choice = 1 + random.below(4); choice > 0; --choice)
      requests.push_back({context, random_tokens(random, 1 + random.below(12))});
  }
  return requests;
}

class ScoringOfLongTexts : public testing::TestWithParam<bool> {};

TEST_P(ScoringOfLongTexts, IsThatOfTextsReadAtOnce) {
  const bool dynamic = GetParam();
  auto model = random_model(Precision::f32);
  model = dynamic ? with_dynamic_rope(std::move(model), 100) : with_long_texts(std::move(model), 100);
  MixerSet mixers(*model);
  const MixerList& list = mixers.list(native_specs(model->config));
  Subject subject(*model, list);
  const std::vector<TokenId> text = layerboost::random_tokens(160, 96);
  std::vector<Request> requests;
  for (const int length : {60, 100, 101, 102, 160})
    requests.push_back({{text.begin(), text.begin() + 50}, {text.begin() + 50, text.begin() + length}});
  const std::vector<Score> scores = score_requests(subject, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    // The last token is predicted, not read.
    const std::size_t length = 50 + requests[i].continuation.size();
    CachePools pools;
    Sequence sequence(list, pools);
    const BatchItem item{&sequence, std::span(text).first(length - 1)};
    const float* const hidden = subject.runner.forward({&item, 1});
    std::vector<int> rows(length - 50);
    std::iota(rows.begin(), rows.end(), 49);
    double right = 0;
    subject.runner.logits(hidden, rows, [&](const LogitsBlock& block) {
      for (std::size_t row = 0; row < block.rows.size(); ++row) {
        const float scale = block.scale(row);
        right += static_cast<double>(block.row(row)[text[static_cast<std::size_t>(block.rows[row]) + 1]] * scale -
                                     log_sum_exp(block.row(row), scale, block.vocab));
      }
    });
    EXPECT_NEAR(scores[i].log_likelihood, right, 1e-3) << i;
    EXPECT_EQ(sequence.rotations(), model->config.rope.rotations(static_cast<int>(length) - 1));
    EXPECT_EQ(sequence.rotations() == 0, length - 1 <= 100);
  }
}

INSTANTIATE_TEST_SUITE_P(Rope, ScoringOfLongTexts, testing::Bool());

TEST(Scoring, SharedPrefixesAndCompanyChangeNothing) {
  const fs::path directory = shared_path() / "reference/tiny/llama";
  LB_SKIP_WITHOUT(directory);
  const auto model = load_model(directory, Precision::f32);
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(mixed_specs(model->config)));
  Random random(11);
  const std::vector<Request> requests = header_requests(random);
  const std::vector<Score> together = score_requests(subject, requests);
  ASSERT_EQ(together.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Score alone = score_requests(subject, std::span(requests).subspan(i, 1)).front();
    EXPECT_NEAR(together[i].log_likelihood, alone.log_likelihood, 1e-4 * alone.tokens);
    EXPECT_EQ(together[i].greedy, alone.greedy);
    EXPECT_EQ(together[i].tokens, static_cast<int>(requests[i].continuation.size()));
  }
  EXPECT_EQ(subject.pools.bytes_in_use(), 0U);
}

TEST(Scoring, FindsTheReferencesLikelihoodAndGreedyText) {
  const fs::path directory = shared_path() / "reference/tiny/qwen3";
  LB_SKIP_WITHOUT(directory);
  const auto model = load_model(directory, Precision::f32);
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(native_specs(model->config)));
  const Json expected = read_json(directory / "expected.json");
  const std::vector<TokenId> ids = expected["ids"], greedy = expected["greedy16"];
  std::vector<TokenId> other = greedy;
  other.back() = other.back() == 5 ? 6 : 5;
  const std::vector<Request> requests = {
      {{ids[0], ids[1]}, {ids.begin() + 2, ids.end()}}, {ids, greedy}, {ids, other}, {ids, {}}};
  const std::vector<Score> scores = score_requests(subject, requests);
  double sum = 0;
  for (std::size_t i = 2; i < ids.size(); ++i) sum += expected["token_logprobs"][i - 1].get<double>();
  EXPECT_NEAR(scores[0].log_likelihood, sum, 1e-3 * scores[0].tokens);
  EXPECT_TRUE(scores[1].greedy);
  EXPECT_FALSE(scores[2].greedy);
  EXPECT_EQ(scores[3].log_likelihood, 0);
  EXPECT_TRUE(scores[3].greedy);
}

TEST(Scoring, RefusesTargetsWithoutALogit) {
  const fs::path directory = shared_path() / "reference/tiny/llama";
  LB_SKIP_WITHOUT(directory);
  const auto model = load_model(directory, Precision::f32);
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(native_specs(model->config)));
  const std::vector<Request> requests = {Request{{3, 4}, {5, model->config.vocab}}};  // the last one is never read
  EXPECT_THROW((void)score_requests(subject, requests), Error);
}

TEST(Scoring, NoRequests) {
  const fs::path directory = shared_path() / "reference/tiny/llama";
  LB_SKIP_WITHOUT(directory);
  const auto model = load_model(directory, Precision::f32);
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(native_specs(model->config)));
  EXPECT_TRUE(score_requests(subject, {}).empty());
}

}  // namespace
}  // namespace layerboost
