#include "generate/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "base/error_for_tests.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

class GenerateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path directory = shared_path() / "reference/tiny/llama";
    LB_SKIP_WITHOUT(directory);
    model_ = load_model(directory, Precision::f32);
    make_subject();
    const Json expected = read_json(directory / "expected.json");
    prompt_ = expected["ids"].get<std::vector<TokenId>>();
    greedy_ = expected["greedy16"].get<std::vector<TokenId>>();
  }

  void make_subject() {
    subject_.reset();
    mixers_ = std::make_unique<MixerSet>(*model_);
    subject_ = std::make_unique<Subject>(*model_, mixers_->list(native_specs(model_->config)));
  }

  std::unique_ptr<Model> model_;
  std::unique_ptr<MixerSet> mixers_;
  std::unique_ptr<Subject> subject_;
  std::vector<TokenId> prompt_, greedy_;
};

TEST_F(GenerateTest, GreedyTextInAnyCompany) {
  const std::vector<std::vector<TokenId>> prompts = {{3, 4, 5}, prompt_, {9}};
  GenerateOptions options;
  options.tokens = 16;
  std::vector<TokenId> seen;
  const auto results = generate(*subject_, prompts, options, [&](std::size_t prompt, TokenId token) {
    if (prompt == 1) seen.push_back(token);
  });
  EXPECT_EQ(results[1].tokens, greedy_);
  EXPECT_EQ(seen, greedy_);
  EXPECT_FALSE(results[1].stopped);
  EXPECT_EQ(results[0].tokens, generate(*subject_, std::span(prompts).first(1), options)[0].tokens);
}

TEST_F(GenerateTest, RepetitionPenaltyCountsPromptAndText) {
  const std::vector<std::vector<TokenId>> prompts = {prompt_};
  GenerateOptions options;
  options.tokens = 16;
  options.sampling.repetition_penalty = 100;  // a token that was there is hardly the likeliest again
  const auto tokens = generate(*subject_, prompts, options)[0].tokens;
  std::set<TokenId> seen(prompt_.begin(), prompt_.end());
  for (const TokenId token : tokens) EXPECT_TRUE(seen.insert(token).second) << token;
}

TEST(OwnSampling, TakesThePlaceOfOtherwise) {
  Config config;
  config.vocab = 100;
  const Sampling otherwise{.temperature = 0.7, .top_p = 0.95};
  EXPECT_EQ(own_sampling(config, otherwise).temperature, 0.7);
  config.sampling = {.temperature = 0.25, .top_p = {}, .top_k = -1, .min_p = 0.5, .repetition_penalty = 1.5};
  const Sampling own = own_sampling(config, otherwise);
  EXPECT_EQ(own.temperature, 0.25);
  EXPECT_EQ(own.top_p, 0.95);
  EXPECT_EQ(own.top_k, 0);
  EXPECT_EQ(own.min_p, 0.5);
  EXPECT_EQ(own.repetition_penalty, 1.5);
  config.sampling.top_k = 1e300;
  EXPECT_EQ(own_sampling(config, otherwise).top_k, 100);
  config.sampling.top_p = 0;
  EXPECT_EQ(test::error_of([&] { (void)own_sampling(config, otherwise); }),
            "the model's own way of sampling (generation_config.json, or general.sampling in GGUF): top_p is 0: must "
            "be above 0 and at most 1; "
            "`generation-config` none does without it");
}

TEST_F(GenerateTest, StopsBeforeTheEndToken) {
  GenerateOptions options;
  options.tokens = 16;
  options.stop = {greedy_[5]};
  const std::vector<std::vector<TokenId>> prompts = {prompt_, {9}};
  const auto results = generate(*subject_, prompts, options);
  EXPECT_TRUE(results[0].stopped);
  const auto end = std::find(greedy_.begin(), greedy_.end(), greedy_[5]);
  EXPECT_EQ(results[0].tokens, std::vector<TokenId>(greedy_.begin(), end));
}

TEST_F(GenerateTest, SamplesFromTheSeed) {
  GenerateOptions options;
  options.sampling.temperature = 1;
  options.seed = 5;
  const std::vector<std::vector<TokenId>> prompts = {{7}, {7}};
  const auto first = generate(*subject_, prompts, options), again = generate(*subject_, prompts, options);
  EXPECT_EQ(first[0].tokens, again[0].tokens);
  EXPECT_NE(first[0].tokens, first[1].tokens);  // each prompt has a stream of its own
  options.first_stream = 1;
  EXPECT_EQ(generate(*subject_, std::span(prompts).first(1), options)[0].tokens, first[1].tokens);
  options.seed = 6;
  EXPECT_NE(generate(*subject_, prompts, options)[0].tokens, first[1].tokens);
}

TEST_F(GenerateTest, TokensMayBeChosenOtherwise) {
  GenerateOptions options;
  options.tokens = 3;
  std::vector<int> asked(2);
  options.choose = [&](std::size_t i, const LogitsBlock& block, std::size_t row) {
    EXPECT_TRUE(std::isfinite(block.row(row)[0]));
    return i == 0 ? ++asked[0] : 5 * ++asked[1];
  };
  const std::vector<std::vector<TokenId>> prompts = {{7}, {7, 8}};
  const auto results = generate(*subject_, prompts, options);
  EXPECT_EQ(results[0].tokens, (std::vector<TokenId>{1, 2, 3}));
  EXPECT_EQ(results[1].tokens, (std::vector<TokenId>{5, 10, 15}));
  options.choose = [](std::size_t, const LogitsBlock&, std::size_t) { return -1; };
  EXPECT_EQ(test::error_of([&] { generate(*subject_, prompts, options); }), damaged_model);
}

// The reference is that of mixer/long_texts_test.cc.
TEST_F(GenerateTest, WhereEachTokenChangesAllRotations) {
  const Json expected = read_json(LAYERBOOST_SOURCE_DIR "/src/mixer/testdata/dynamic.json");
  const int positions = expected["max_position_embeddings"];
  model_ = with_dynamic_rope(std::move(model_), positions);
  make_subject();
  const auto greedy = expected["greedy"].get<std::vector<TokenId>>();
  const std::vector<std::vector<TokenId>> prompts = {{3, 4, 5}, expected["prompt"], {9}};
  GenerateOptions options;
  options.tokens = static_cast<int>(greedy.size());
  const std::string slow = fmt::format("warning: texts of more than the model's {} positions are slow", positions);
  const auto noted = [&](int tokens) {
    options.tokens = tokens;
    testing::internal::CaptureStderr();
    const auto written = generate(*subject_, prompts, options);
    EXPECT_EQ(written[1].tokens, std::vector(greedy.begin(), greedy.begin() + tokens));
    return testing::internal::GetCapturedStderr().find(slow) != std::string::npos;
  };
  static bool first = true;  // this test may be repeated in one process
  EXPECT_FALSE(noted(1));
  EXPECT_EQ(noted(static_cast<int>(greedy.size())), first);
  EXPECT_FALSE(noted(static_cast<int>(greedy.size())));  // once is enough
  first = false;
  for (const int tokens : {model_->config.longest_text() - 1, std::numeric_limits<int>::max()}) {
    options.tokens = tokens;
    EXPECT_THAT(test::error_of([&] { generate(*subject_, prompts, options); }),
                testing::HasSubstr(fmt::format("texts of up to {} tokens", model_->config.longest_text())));
  }
}

TEST_F(GenerateTest, Refusals) {
  const std::vector<std::vector<TokenId>> empty = {{}}, good = {{7}};
  EXPECT_THROW(generate(*subject_, empty, {}), Error);
  GenerateOptions options;
  options.tokens = model_->config.max_positions;
  EXPECT_THROW(generate(*subject_, good, options), Error);
}

}  // namespace
}  // namespace layerboost
