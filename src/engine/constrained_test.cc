#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "base/error_for_tests.h"
#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"
#include "generate/token_filter_for_tests.h"
#include "grammar/constraint.h"
#include "grammar/regex_grammar.h"

namespace layerboost {
namespace {

class Constrained : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_};
  const MixerList& native_ = mixers_.list(native_specs(model_->config));
  const std::shared_ptr<const Vocabulary> vocabulary_ =
      std::make_shared<const Vocabulary>(model_->text(), model_->config.vocab);

  [[nodiscard]] std::shared_ptr<Constraint> constraint(std::string_view regex) const {
    return constraint(regex, vocabulary_);
  }
  [[nodiscard]] static std::shared_ptr<Constraint> constraint(std::string_view regex,
                                                              std::shared_ptr<const Vocabulary> vocabulary) {
    Grammar grammar;
    grammar.end(add_regex(grammar, grammar.first(0), regex));
    grammar.finish();
    return std::make_shared<Constraint>(std::move(grammar), std::move(vocabulary));
  }

  /// Texts of `count` requests under way together, each held to `regex`.
  std::vector<Collected> write(int count, std::string_view regex, Sampling sampling, EngineOptions options,
                               int* preemptions = nullptr) const {
    Engine engine(*model_, native_, options);
    std::vector<Collected> results(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      GenerationRequest request = request_for_tests(40 + i, 90, 10 + static_cast<std::uint64_t>(i));
      request.sampling = sampling;
      engine.submit(std::move(request), results[static_cast<std::size_t>(i)].sink(), constraint(regex));
    }
    while (engine.step()) {
    }
    if (preemptions != nullptr) *preemptions = static_cast<int>(engine.stats().preemptions);
    return results;
  }

  static EngineOptions options(std::size_t memory = std::size_t{64} << 20) {
    EngineOptions options;
    options.memory = memory;
    options.max_sequences = 8;
    options.prefix_cache = false;
    return options;
  }
};

TEST_F(Constrained, TextsFitHoweverTheyAreSampled) {
  const char* const regex = "(ab|[x-z]{2} ){3,9}!";
  for (const Sampling& sampling :
       {Sampling{}, Sampling{.temperature = 1}, Sampling{.temperature = 1.5, .top_p = 0.9},
        Sampling{.temperature = 1, .top_k = 3}, Sampling{.presence_penalty = 1, .logit_bias = {{'q', 50.0F}}}}) {
    for (const Collected& result : write(4, regex, sampling, options())) {
      EXPECT_TRUE(std::regex_match(result.text, std::regex(regex))) << result.text;
      EXPECT_EQ(result.last.finish, FinishReason::stop);
    }
  }
}

TEST_F(Constrained, PreemptedTextsGoOnAsIfNothingHadHappened) {
  const char* const regex = "(ab|cd|[0-9]{3}){40}";
  const std::vector<Collected> right = write(4, regex, {.temperature = 1}, options());
  int preemptions = 0;
  const std::size_t each = sequence_bytes(native_, 140);
  const std::vector<Collected> results = write(4, regex, {.temperature = 1}, options(2 * each), &preemptions);
  EXPECT_GT(preemptions, 0);
  for (std::size_t i = 0; i < right.size(); ++i) EXPECT_EQ(results[i].tokens, right[i].tokens);
}

// As drawing among all tokens and taking only what is allowed: one of two letters, as likely as without the others.
TEST_F(Constrained, AllowedTokensAreAsLikelyAsAmongThemselves) {
  const GenerationRequest any = request_for_tests(30, 1);
  Engine engine(*model_, native_, options());
  Collected all;
  GenerationRequest asked = any;
  asked.logprobs = 260;
  engine.submit(asked, all.sink());
  while (engine.step()) {
  }
  double of_a = 0, of_b = 0;
  for (const auto& [token, logprob] : all.logprobs.at(0).top) {
    if (token == 'a') of_a = std::exp(static_cast<double>(logprob));
    if (token == 'b') of_b = std::exp(static_cast<double>(logprob));
  }
  const auto form = constraint("[ab]");
  int a = 0;
  constexpr int times = 400;
  for (int i = 0; i < times; ++i) {
    Collected one;
    GenerationRequest request = any;
    request.sampling.temperature = 1;
    request.seed = static_cast<std::uint64_t>(i);
    engine.submit(std::move(request), one.sink(), form);
    while (engine.step()) {
    }
    ASSERT_TRUE(one.text == "a" || one.text == "b");
    a += one.text == "a" ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(a) / times, of_a / (of_a + of_b), 0.1);
}

// Tokens that end a text may come where it fits; a text that no token goes on with fails alone.
TEST_F(Constrained, EndsAreTokensToo) {
  Engine engine(*model_, native_, options());
  Collected ended, stuck;
  GenerationRequest request = request_for_tests(20, 50);
  request.ignore_eos = false;
  request.sampling.logit_bias = {{259, 100.0F}};  // the end token
  engine.submit(request, ended.sink(), constraint("abab(ab)*"));
  request.sampling.logit_bias = {};
  const auto up_to_a = std::make_shared<const Vocabulary>(model_->text(), 'a' + 1);
  engine.submit(request, stuck.sink(), constraint("ab", up_to_a));
  while (engine.step()) {
  }
  EXPECT_EQ(ended.text, "abab");
  EXPECT_EQ(ended.last.finish, FinishReason::stop);
  EXPECT_EQ(stuck.text, "a");
  EXPECT_EQ(stuck.last.finish, FinishReason::failed);
  EXPECT_NE(std::string(stuck.last.error).find("no token"), std::string::npos);
  EXPECT_TRUE(stuck.last.by_request);
}

// Where only the empty text fits, it is written without a token: there needn't be one that ends texts.
TEST_F(Constrained, NothingNeedsNoEnd) {
  for (const bool ignore_eos : {true, false}) {
    Engine engine(*model_, native_, options());
    Collected result;
    GenerationRequest request = request_for_tests(20, 5);
    request.ignore_eos = ignore_eos;
    engine.submit(request, result.sink(), constraint(""));
    while (engine.step()) {
    }
    EXPECT_EQ(result.text, "");
    EXPECT_EQ(result.last.finish, FinishReason::stop);
    EXPECT_EQ(result.last.generated_tokens, 0);
    EXPECT_EQ(result.last.prompt_tokens, 20);
  }
}

// Who asks for too much fails, and says that it is by what was asked for; its neighbour goes on.
TEST_F(Constrained, WhatBecomesTooOpenFailsAlone) {
  for (const Sampling& sampling : {Sampling{}, Sampling{.temperature = 1}, Sampling{.temperature = 1, .top_p = 0.9}}) {
    Engine engine(*model_, native_, options());
    Collected open, other;
    GenerationRequest request = request_for_tests(20, 5);
    request.sampling = sampling;
    engine.submit(request, open.sink(), constraint("[xy]z([ab]?){5000}"));
    engine.submit(request, other.sink(), constraint("[xy]z[ab]{5000}"));
    while (engine.step()) {
    }
    EXPECT_EQ(open.tokens.size(), 1U);
    EXPECT_EQ(open.last.finish, FinishReason::failed);
    EXPECT_TRUE(open.last.by_request);
    EXPECT_NE(std::string(open.last.error).find("too much open"), std::string::npos);
    EXPECT_EQ(other.tokens.size(), 5U);
  }
}

// A token at which the request wants to stop spells something, but isn't a part of the text; it comes where that fits.
TEST_F(Constrained, StopTokensComeOnlyWhereTheTextMayEnd) {
  for (const Sampling& sampling : {Sampling{.logit_bias = {{'b', 100.0F}}},
                                   Sampling{.temperature = 1, .top_p = 0.9, .logit_bias = {{'b', 100.0F}}}}) {
    Engine engine(*model_, native_, options());
    Collected result;
    GenerationRequest request = request_for_tests(20, 50);
    request.sampling = sampling;
    request.stop_tokens = {'b'};
    engine.submit(request, result.sink(), constraint("([bc]d){3}b*"));
    while (engine.step()) {
    }
    EXPECT_EQ(result.text, "cdcdcd");
    EXPECT_EQ(result.last.finish, FinishReason::stop);
  }
}

// Of what fits only what is allowed comes; where that is nothing, the text fails.
TEST_F(Constrained, TokensThatAreForbiddenDoNotCome) {
  const char* const regex = "([ab]c){4}[xy]+";
  for (const Sampling& sampling : {Sampling{.filter = test::only({'b', 'c', 'y'})},
                                   Sampling{.temperature = 1, .filter = test::only({'b', 'c', 'y'})},
                                   Sampling{.temperature = 1, .top_p = 0.9, .filter = test::all_but({{'a'}, {'x'}})}}) {
    for (const Collected& result : write(2, regex, sampling, options())) {
      EXPECT_TRUE(std::regex_match(result.text, std::regex("(bc){4}y+"))) << result.text;
      EXPECT_EQ(result.last.finish, FinishReason::length);
    }
  }
  for (const Sampling& sampling :
       {Sampling{.filter = test::only({'b', 'c'})}, Sampling{.temperature = 1, .filter = test::only({'b', 'c'})}}) {
    for (const Collected& result : write(2, regex, sampling, options())) {
      EXPECT_EQ(result.text, "bcbcbcbc");
      EXPECT_EQ(result.last.finish, FinishReason::failed);
      EXPECT_NE(std::string(result.last.error).find("no token"), std::string::npos);
    }
  }
}

TEST_F(Constrained, WhatLeavesTooMuchOpenIsRefused) {
  Engine engine(*model_, native_, options());
  Collected result;
  const auto form = constraint("([ab]?){5000}");
  EXPECT_THAT(test::error_of([&] { engine.submit(request_for_tests(20, 5), result.sink(), form); }),
              testing::HasSubstr("too much open"));
}

// Grammars of all that run and wait are limited together; what several requests share counts once.
TEST_F(Constrained, GrammarsTogetherHaveALimit) {
  EngineOptions small = options();
  const auto form = constraint("[ab]{300}");
  small.constraints = 2 * form->bytes();
  Engine engine(*model_, native_, small);
  std::vector<Collected> results(6);
  for (std::size_t i = 0; i < 4; ++i) engine.submit(request_for_tests(20, 5), results[i].sink(), form);
  engine.submit(request_for_tests(20, 5), results[4].sink(), constraint("[cd]{300}"));
  EXPECT_THROW(engine.submit(request_for_tests(20, 5), results[5].sink(), constraint("[ef]{300}")), QueueFull);
  while (engine.step()) {
  }
  engine.submit(request_for_tests(20, 5), results[5].sink(), constraint("[ef]{300}"));
  while (engine.step()) {
  }
  for (const Collected& result : results) EXPECT_TRUE(result.ended());
}

}  // namespace
}  // namespace layerboost
