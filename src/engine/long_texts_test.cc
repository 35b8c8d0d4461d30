// Texts that have other rotations once they are long (RopeConfig::rotations()): whatever else goes on, each token is
// what the model gives after reading all before it at once.
#include <gmock/gmock.h>

#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"
#include "eval/quality.h"

namespace layerboost {
namespace {

constexpr int longest_short = 300;

/// With one kind of rotations for all long texts, or one for each length.
enum class Long { all_alike, by_length };

std::unique_ptr<Model> model_of(Long kind) {
  return kind == Long::all_alike ? with_long_texts(text_model(), longest_short)
                                 : with_dynamic_rope(text_model(), longest_short);
}

class LongTextsOf {
 protected:
  explicit LongTextsOf(Long kind) : model_(model_of(kind)) {}

  /// The greedy text, all of it read anew for each token.
  std::vector<TokenId> read_at_once(const MixerList& list, const GenerationRequest& request) {
    std::vector<TokenId> text = request.prompt, result;
    for (int i = 0; i < request.max_tokens; ++i) {
      result.push_back(greedy(*model_, list, text, 1).front());
      text.push_back(result.back());
    }
    return result;
  }

  const std::unique_ptr<Model> model_;
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  const MixerList& native_ = mixers_.list(native_specs(model_->config));
};

class LongTexts : public LongTextsOf, public ::testing::Test {
 protected:
  LongTexts() : LongTextsOf(Long::all_alike) {}
};

class TextsOfALength : public LongTextsOf, public ::testing::Test {
 protected:
  TextsOfALength() : LongTextsOf(Long::by_length) {}
};

class AnyLongTexts : public LongTextsOf, public ::testing::TestWithParam<Long> {
 protected:
  AnyLongTexts() : LongTextsOf(GetParam()) {}
  [[nodiscard]] bool by_length() const { return GetParam() == Long::by_length; }

  /// Texts of which some become long: by a few tokens where each of these has the text read anew.
  [[nodiscard]] std::vector<GenerationRequest> requests() const {
    std::vector<GenerationRequest> all;
    for (int i = 0; i < 7; ++i) {
      const int prompt = 100 + i * 53 % 100, more = 180 + i * 67 % 120, most = longest_short + 12;
      const int tokens = by_length() ? std::min(more, most - prompt) : more;
      all.push_back(request_for_tests(prompt, tokens, 40 + static_cast<std::uint64_t>(i)));
    }
    return all;
  }
};

INSTANTIATE_TEST_SUITE_P(Rope, AnyLongTexts, testing::Values(Long::all_alike, Long::by_length));

TEST_P(AnyLongTexts, EachTokenIsThatOfTheTextReadAtOnce) {
  const std::pair<int, int> lengths[] = {{290, 20}, {300, 3}, {299, 2}, {301, 5}, {20, 10}, {350, 8}, {281, 20}};
  for (const std::size_t which : {0U, 1U}) {
    const MixerList& list = mixers_.list(plans_for_tests()[which]);
    Engine engine(*model_, list, small_options());
    std::vector<GenerationRequest> requests;
    for (const auto& [prompt, more] : lengths)
      requests.push_back(request_for_tests(prompt, more, 10 + requests.size()));
    std::vector<Collected> results(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      engine.submit(requests[i], results[i].sink());
      engine.step();
    }
    drain(engine);
    std::vector<std::vector<TokenId>> prompts;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const std::vector<TokenId> right = read_at_once(list, requests[i]);
      EXPECT_EQ(results[i].tokens, right) << which << " " << i;
      EXPECT_EQ(alone(*model_, list, requests[i]).tokens, right) << which << " " << i;
      prompts.push_back(requests[i].prompt);
    }
    Subject subject(*model_, list);
    GenerateOptions options;
    options.tokens = 20;
    const auto written = generate(subject, prompts, options);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].max_tokens = options.tokens;
      EXPECT_EQ(written[i].tokens, read_at_once(list, requests[i])) << which << " " << i;
    }
    EXPECT_EQ(subject.pools.bytes_in_use(), 0U);
  }
}

TEST_F(LongTexts, AreReadAnewOnce) {
  EngineOptions options = small_options();
  options.prefix_cache = false;
  Engine engine(*model_, native_, options);
  Collected result;
  engine.submit(request_for_tests(290, 100), result.sink());
  drain(engine);
  EXPECT_EQ(result.outputs, 100);
  EXPECT_EQ(engine.stats().recomputed_tokens, 300U);
  EXPECT_EQ(engine.stats().preemptions, 0U);
  EXPECT_EQ(engine.stats().cache_used(), 0U);
}

TEST_F(LongTexts, PrefixesOfShortOnesAreNotTheirs) {
  const GenerationRequest short_one = request_for_tests(290, 5);
  GenerationRequest long_one = short_one, longer = short_one;
  const auto more = random_tokens(40, 258, 7);
  long_one.prompt.insert(long_one.prompt.end(), more.begin(), more.begin() + 20);
  longer.prompt.insert(longer.prompt.end(), more.begin(), more.end());
  Engine engine(*model_, native_, small_options());
  const auto run = [&](const GenerationRequest& request) {
    Collected result;
    engine.submit(request, result.sink());
    drain(engine);
    EXPECT_EQ(result.tokens, alone(*model_, native_, request).tokens);
    return result.last.cached_tokens;
  };
  EXPECT_EQ(run(short_one), 0);
  EXPECT_EQ(run(long_one), 0);
  EXPECT_GE(run(longer), 256);
  EXPECT_GE(run(short_one), 256);
  // One that becomes long goes on from what long ones have read.
  GenerationRequest growing = short_one;
  growing.max_tokens = 40;
  Collected result;
  const std::uint64_t before = engine.stats().recomputed_tokens;
  engine.submit(growing, result.sink());
  drain(engine);
  EXPECT_EQ(result.tokens, alone(*model_, native_, growing).tokens);
  EXPECT_LE(engine.stats().recomputed_tokens - before, 300U - 256U);
}

TEST_F(TextsOfALength, AreReadAnewForEachToken) {
  Engine engine(*model_, native_, small_options());
  Collected result;
  engine.submit(request_for_tests(295, 10), result.sink());
  drain(engine);
  EXPECT_EQ(result.outputs, 10);
  // 5 tokens after which it is a short text still; those beyond are read, but not again.
  std::uint64_t again = 0;
  for (int length = 301; length <= 304; ++length) again += static_cast<std::uint64_t>(length) - 1;
  EXPECT_EQ(engine.stats().recomputed_tokens, again);
  EXPECT_EQ(engine.stats().preemptions, 0U);
}

TEST_F(TextsOfALength, OthersGoOnWhileOneIsReadAnew) {
  Engine engine(*model_, native_, small_options());
  const GenerationRequest long_one = request_for_tests(350, 100), newer = request_for_tests(20, 6, 3);
  Collected written, other;
  const RequestId id = engine.submit(long_one, written.sink());
  const auto read_some = [&] {
    const std::size_t before = written.tokens.size();
    for (int i = 0; i < 3; ++i) engine.step();
    return written.tokens.size() == before;
  };
  while (written.tokens.size() < 2) engine.step();
  EXPECT_TRUE(read_some());  // in the midst of the text
  engine.submit(newer, other.sink());
  while (!other.ended()) ASSERT_TRUE(engine.step());
  EXPECT_EQ(other.tokens, alone(*model_, native_, newer).tokens);
  EXPECT_LE(written.tokens.size(), 6U);  // it has had what steps had left, and then a token of each
  const std::size_t before = written.tokens.size();
  while (written.tokens.size() == before) engine.step();
  EXPECT_TRUE(read_some());
  engine.cancel(id);
  drain(engine);
  EXPECT_EQ(written.last.finish, FinishReason::cancelled);
  GenerationRequest same = long_one;
  same.max_tokens = static_cast<int>(written.tokens.size());
  EXPECT_EQ(written.tokens, read_at_once(native_, same));
  EXPECT_EQ(engine.stats().cache_used(), 0U);
}

TEST_F(TextsOfALength, ArentKeptForOthers) {
  Engine engine(*model_, native_, small_options());
  const auto run = [&](int length, int more) {
    GenerationRequest request = request_for_tests(360, more);
    request.prompt.resize(static_cast<std::size_t>(length));
    Collected result;
    engine.submit(request, result.sink());
    drain(engine);
    EXPECT_EQ(result.tokens, alone(*model_, native_, request).tokens) << length;
    return result.last.cached_tokens;
  };
  EXPECT_EQ(run(360, 3), 0);
  EXPECT_EQ(engine.stats().cache_used(), 0U);  // only one of the same length could use it, for a token
  EXPECT_EQ(run(359, 3), 0);
  EXPECT_EQ(run(360, 3), 0);
  EXPECT_EQ(run(290, 5), 0);  // a short one
  EXPECT_EQ(run(340, 3), 0);
  EXPECT_GE(run(290, 5), 256);
  EXPECT_GE(run(291, 20), 256);
  EXPECT_GE(run(300, 1), 256);
}

TEST_F(TextsOfALength, AreMeasuredAsTheyAreReadAtOnce) {
  const fs::path file = test::temporary_path("long.txt");
  std::string words;
  for (const TokenId letter : random_tokens(350, 26)) words += static_cast<char>('a' + letter);
  write_file(file, words);
  QualityOptions options;
  options.texts = {file};
  options.context = 350;
  const QualityReport report = measure_quality({*model_, native_}, nullptr, options);
  const std::vector<TokenId> tokens = model_->text().encode(words);
  ASSERT_EQ(tokens.size(), 350U);
  const auto alone = with_dynamic_rope_of(text_model(), longest_short, 349);  // the last is predicted, and not read
  MixerSet mixers(*alone);
  double sum = 0;
  for (const double log_prob : token_log_probs(*alone, mixers.list(native_specs(alone->config)), tokens, 1 << 20))
    sum -= log_prob;
  ASSERT_EQ(report.texts.front().perplexity.nll.tokens, 349);
  EXPECT_NEAR(report.texts.front().perplexity.nll.mean.mean, sum / 349, 1e-5);
  options.context = model_->config.longest_text() + 1;
  EXPECT_THROW(measure_quality({*model_, native_}, nullptr, options), Error);
  fs::remove(file);
}

TEST_P(AnyLongTexts, WhereMemoryIsShort) {
  std::vector<GenerationRequest> requests = this->requests();
  for (std::size_t i = 0; i < requests.size(); i += 3) requests[i].sampling.temperature = 0.7;
  std::vector<std::vector<TokenId>> expected;
  for (const GenerationRequest& request : requests) expected.push_back(alone(*model_, native_, request).tokens);
  for (const bool prefix_cache : {false, true}) {
    EngineOptions options = small_options();
    options.prefix_cache = prefix_cache;
    options.memory = sequence_bytes(native_, 520);
    Engine engine(*model_, native_, options);
    std::vector<Collected> results(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) engine.submit(requests[i], results[i].sink());
    while (engine.step()) EXPECT_LE(engine.stats().cache_used(), options.memory);
    for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(results[i].tokens, expected[i]) << i;
    EXPECT_GT(engine.stats().preemptions, 0U);
  }
}

TEST_P(AnyLongTexts, OfSeveralLevels) {
  const std::vector<const MixerList*> plans = {
      &native_, &mixers_.list(specs({"softmax", "window:64+4", "softmax", "softmax"})),
      &mixers_.list(specs({"dual_state", "window:16+3", "softmax", "window:64+4"}))};
  EngineOptions options = small_options();
  options.memory = sequence_bytes(native_, 560);
  options.prefix_cache = false;
  options.levels.mode = LevelMode::per_request;
  options.levels.cap = 2;
  Engine engine(*model_, plans, options);
  const std::vector<GenerationRequest> requests = this->requests();
  std::vector<Collected> results(requests.size());
  std::vector<int> plans_before(requests.size());  // of the last token but one
  for (std::size_t i = 0; i < requests.size(); ++i)
    engine.submit(requests[i], [&results, &plans_before, i](Output&& output) {
      plans_before[i] = results[i].last.plan;
      results[i].sink()(std::move(output));
    });
  while (engine.step()) EXPECT_LE(engine.stats().cache_used(), options.memory);
  int folded = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Output& last = results[i].last;
    EXPECT_EQ(last.finish, FinishReason::length) << i;
    if (by_length() && last.first_plan != last.plan && plans_before[i] == last.plan) {
      // What was folded has been read anew since, all of it with the last plan.
      std::vector<TokenId> text = requests[i].prompt;
      text.insert(text.end(), results[i].tokens.begin(), results[i].tokens.end() - 1);
      if (text.size() <= longest_short) continue;
      const MixerList& list = *plans[static_cast<std::size_t>(last.plan)];
      EXPECT_EQ(results[i].tokens.back(), greedy(*model_, list, text, 1).front()) << i;
      ++folded;
    }
    if (last.first_plan == last.plan) {
      const MixerList& list = *plans[static_cast<std::size_t>(last.plan)];
      EXPECT_EQ(results[i].tokens, alone(*model_, list, requests[i]).tokens) << i;
    }
  }
  EXPECT_GT(engine.stats().folds, 0U);
  EXPECT_EQ(folded > 0, by_length());
}

TEST_P(AnyLongTexts, LogProbabilitiesOfPromptsThatAreCut) {
  for (const int length : {300, 301, 340}) {
    GenerationRequest request = request_for_tests(length, 0);
    request.prompt_logprobs = 0;
    Engine engine(*model_, native_, small_options());
    Collected result;
    engine.submit(request, result.sink());
    drain(engine);
    const auto right = token_log_probs(*model_, native_, request.prompt, 1 << 20);
    ASSERT_EQ(result.prompt_logprobs.size(), right.size());
    for (std::size_t i = 1; i < right.size(); ++i)
      EXPECT_NEAR(result.prompt_logprobs[i]->logprob, right[i], 1e-4) << length << " " << i;
  }
}

}  // namespace
}  // namespace layerboost
