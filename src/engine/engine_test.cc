#include "engine/engine.h"

#include <gmock/gmock.h>

#include <cmath>
#include <new>
#include <set>

#include "engine/model_for_tests.h"
#include "engine/prediction.h"

namespace layerboost {
namespace {

class EngineTest : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  const MixerList& native_ = mixers_.list(native_specs(model_->config));
};

TEST_F(EngineTest, GreedyTextIsThatOfTheModel) {
  const GenerationRequest request = request_for_tests(50, 20);
  const Collected result = alone(*model_, native_, request);
  EXPECT_EQ(result.tokens, greedy(*model_, native_, request.prompt, 20));
  EXPECT_EQ(result.last.finish, FinishReason::length);
  EXPECT_EQ(result.last.prompt_tokens, 50);
  EXPECT_EQ(result.last.generated_tokens, 20);
  EXPECT_EQ(result.outputs, 20);
  StreamDecoder decoder(model_->text());
  std::string text;
  for (const TokenId token : result.tokens) text += decoder.push(token);
  EXPECT_EQ(result.text, text + decoder.finish());
}

TEST_F(EngineTest, AnyCompanyGivesTheSameTexts) {
  for (const auto& plan : plans_for_tests()) {
    const MixerList& list = mixers_.list(plan);
    Engine engine(*model_, list, small_options());
    std::vector<GenerationRequest> requests;
    for (int i = 0; i < 20; ++i) {
      requests.push_back(request_for_tests(1 + i * 37 % 150, 1 + i * 11 % 50, 10 + static_cast<std::uint64_t>(i)));
      if (i % 2 == 1) requests.back().sampling.temperature = 0.8;
    }
    std::vector<Collected> results(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {  // they come while others are at work
      engine.submit(requests[i], results[i].sink());
      if (i % 3 == 0) engine.step();
    }
    drain(engine);
    for (std::size_t i = 0; i < requests.size(); ++i)
      EXPECT_EQ(results[i].tokens, alone(*model_, list, requests[i]).tokens) << to_string(plan[0]) << " " << i;
    const EngineStats stats = engine.stats();
    EXPECT_EQ(stats.requests, 20U);
    EXPECT_EQ(stats.finished_length, 20U);
    EXPECT_EQ(stats.running + stats.waiting, 0);
    EXPECT_EQ(stats.preemptions, 0U);
  }
}

TEST_F(EngineTest, NoPromptIsTooLongForAStep) {
  EngineOptions options = small_options();
  options.step_tokens = options.max_sequences + 1;
  Engine engine(*model_, native_, options);
  const GenerationRequest request = request_for_tests(300, 3);
  Collected result;
  engine.submit(request, result.sink());
  drain(engine);
  EXPECT_EQ(result.tokens, alone(*model_, native_, request).tokens);
}

TEST_F(EngineTest, SeedsGiveTextsOfTheirOwn) {
  GenerationRequest request = request_for_tests(10, 30);
  request.sampling.temperature = 1;
  const auto first = alone(*model_, native_, request).tokens;
  EXPECT_EQ(alone(*model_, native_, request).tokens, first);
  request.seed = 99;
  EXPECT_NE(alone(*model_, native_, request).tokens, first);
}

TEST_F(EngineTest, EndTokensWithoutALogitAreNone) {
  model_->config.eos = {5, 260, 7};  // files may name tokens beyond the embeddings, of which there are 260
  EXPECT_EQ(end_tokens(*model_), (std::vector<TokenId>{5, 7, 259}));
}

TEST_F(EngineTest, TheTokenizersEosMayBeNoEndToken) {
  model_->config.eos = {5};
  model_->config.not_eos = {259};
  EXPECT_EQ(end_tokens(*model_), std::vector<TokenId>{5});
}

TEST_F(EngineTest, EndAndStopTokensEndTheText) {
  GenerationRequest request = request_for_tests(20, 30);
  const std::vector<TokenId> whole = alone(*model_, native_, request).tokens;
  request.stop_tokens = {whole[7]};
  const auto first = std::find(whole.begin(), whole.end(), whole[7]);
  Collected result = alone(*model_, native_, request);
  EXPECT_EQ(result.tokens, std::vector<TokenId>(whole.begin(), first));
  EXPECT_EQ(result.last.finish, FinishReason::stop);
  EXPECT_EQ(result.last.generated_tokens, first - whole.begin() + 1);

  request.min_tokens = 12;  // it can't be sampled before
  result = alone(*model_, native_, request);
  EXPECT_GE(result.tokens.size(), 12U);
  for (const TokenId token : result.tokens) EXPECT_NE(token, whole[7]);

  request = request_for_tests(20, 30);
  request.sampling.logit_bias = {{259, 100.0F}};
  EXPECT_EQ(alone(*model_, native_, request).tokens.size(), 30U);
  request.ignore_eos = false;
  result = alone(*model_, native_, request);
  EXPECT_TRUE(result.tokens.empty());
  EXPECT_EQ(result.last.finish, FinishReason::stop);
}

TEST_F(EngineTest, StopStringsEndTheText) {
  GenerationRequest request = request_for_tests(20, 60, 5);
  for (TokenId byte = 128; byte < 260; ++byte) request.sampling.logit_bias.emplace_back(byte, -100.0F);  // ASCII only
  const Collected whole = alone(*model_, native_, request);
  ASSERT_EQ(whole.text.size(), 60U);
  const std::string stop = whole.text.substr(20, 3);  // three tokens
  request.stop = {"not in there", stop};
  const Collected result = alone(*model_, native_, request);
  EXPECT_EQ(result.text, whole.text.substr(0, whole.text.find(stop)));
  EXPECT_EQ(result.last.finish, FinishReason::stop);
  EXPECT_EQ(result.last.generated_tokens, static_cast<int>(whole.text.find(stop)) + 3);
}

TEST_F(EngineTest, PenaltiesChangeTheText) {
  GenerationRequest request = request_for_tests(20, 40);
  request.sampling.presence_penalty = 100;  // no token comes twice
  const Collected result = alone(*model_, native_, request);
  EXPECT_EQ(std::set<TokenId>(result.tokens.begin(), result.tokens.end()).size(), 40U);
}

TEST_F(EngineTest, LogProbabilitiesAreThoseOfTheModel) {
  GenerationRequest request = request_for_tests(100, 12);
  request.logprobs = 3;
  request.prompt_logprobs = 3;
  request.sampling.temperature = 2;  // doesn't show in them
  Engine engine(*model_, native_, small_options());
  Collected result;
  engine.submit(request, result.sink());
  drain(engine);
  std::vector<TokenId> all = request.prompt;
  all.insert(all.end(), result.tokens.begin(), result.tokens.end());
  const std::vector<double> expected = token_log_probs(*model_, native_, all, 1000);
  ASSERT_EQ(result.prompt_logprobs.size(), 100U);
  EXPECT_FALSE(result.prompt_logprobs[0]);
  const auto check = [&](const TokenLogprob& got, std::size_t at) {
    EXPECT_EQ(got.token, all[at]);
    EXPECT_NEAR(got.logprob, expected[at], 2e-4) << at;
    ASSERT_EQ(got.top.size(), 3U);
    EXPECT_GE(got.top[0].second, got.top[1].second);
    EXPECT_GE(got.top[1].second, got.top[2].second);
    EXPECT_GE(got.top[0].second, got.logprob);
  };
  for (std::size_t i = 1; i < 100; ++i) check(result.prompt_logprobs[i].value(), i);
  ASSERT_EQ(result.logprobs.size(), 12U);
  for (std::size_t i = 0; i < 12; ++i) check(result.logprobs[i], 100 + i);

  request.max_tokens = 0;  // only the prompt's; nothing of them may come from the prefix cache
  for (int time = 0; time < 2; ++time) {
    Collected echo;
    engine.submit(request, echo.sink());
    drain(engine);
    EXPECT_EQ(echo.last.finish, FinishReason::length);
    EXPECT_TRUE(echo.tokens.empty());
    EXPECT_EQ(echo.last.generated_tokens, 0);
    for (std::size_t i = 1; i < 100; ++i) check(echo.prompt_logprobs[i].value(), i);
  }
}

TEST_F(EngineTest, CancellingFreesMemoryBeforeTheNextStep) {
  EngineOptions options = small_options();
  options.prefix_cache = false;
  Engine engine(*model_, native_, options);
  std::vector<Collected> results(12);  // more than run
  std::vector<RequestId> ids;
  for (Collected& result : results) ids.push_back(engine.submit(request_for_tests(30, 400), result.sink()));
  for (int i = 0; i < 20; ++i) engine.step();
  EXPECT_EQ(engine.stats().running, 8);
  EXPECT_EQ(engine.stats().waiting, 4);
  EXPECT_GT(engine.stats().cache_used(), 0U);
  for (const RequestId id : ids) engine.cancel(id);
  EXPECT_FALSE(engine.step());
  for (const Collected& result : results) EXPECT_EQ(result.last.finish, FinishReason::cancelled);
  EXPECT_EQ(engine.stats().cache_used(), 0U);
  EXPECT_EQ(engine.stats().cancelled, 12U);
  EXPECT_EQ(engine.stats().running + engine.stats().waiting, 0);
  engine.cancel(ids[0]);  // again, and one that never was
  engine.cancel(12345);
  EXPECT_FALSE(engine.step());
}

TEST_F(EngineTest, SinksMaySubmitAndCancel) {
  Engine engine(*model_, native_, small_options());
  Collected second;
  RequestId first = 0;
  Output last;
  first = engine.submit(request_for_tests(5, 50), [&](Output&& output) {
    if (output.generated_tokens == 3 && output.finish == FinishReason::none) {
      engine.submit(request_for_tests(5, 4), second.sink());
      engine.cancel(first);
    }
    last = std::move(output);
  });
  drain(engine);
  EXPECT_EQ(last.finish, FinishReason::cancelled);
  EXPECT_EQ(last.generated_tokens, 3);
  EXPECT_EQ(second.tokens.size(), 4U);
}

TEST_F(EngineTest, QueueHasAnEnd) {
  EngineOptions options = small_options();
  options.max_sequences = 2;
  options.max_queue = 3;
  Engine engine(*model_, native_, options);
  std::vector<Collected> results(7);
  for (std::size_t i = 0; i < 5; ++i)
    engine.submit(request_for_tests(5, 4), results[i].sink());  // two are for free places
  EXPECT_THROW(engine.submit(request_for_tests(5, 4), results[5].sink()), QueueFull);
  engine.submit(request_for_tests(5, 4), results[6].sink(), {}, Place::inherited);
  engine.step();
  EXPECT_THROW(engine.submit(request_for_tests(5, 4), results[5].sink()), QueueFull);
  while (engine.stats().waiting >= 3) engine.step();
  engine.submit(request_for_tests(5, 4), results[5].sink());
  drain(engine);
  for (const Collected& result : results) EXPECT_TRUE(result.ended());
}

TEST_F(EngineTest, ATextWithoutNumbersFailsAlone) {
  const int hidden = model_->config.hidden;
  const Watched spoiling(*native_[1], [&](const MixerRows& rows) {
    for (const MixerSpan& span : rows.spans)
      if (span.position + span.count == 17) rows.hidden[(span.row + span.count - 1) * hidden + 3] = std::nanf("");
  });
  MixerList list = native_;
  list[1] = &spoiling;
  Engine engine(*model_, list, small_options());
  const GenerationRequest request = request_for_tests(30, 12);
  std::vector<Collected> results(3);
  engine.submit(request, results[0].sink());
  engine.submit(request_for_tests(14, 12), results[1].sink());  // after some tokens
  GenerationRequest sampled = request_for_tests(17, 12);
  sampled.sampling.temperature = 1;
  engine.submit(sampled, results[2].sink());
  drain(engine);
  EXPECT_EQ(results[0].tokens, alone(*model_, native_, request).tokens);
  EXPECT_EQ(results[0].last.finish, FinishReason::length);
  for (const std::size_t failed : {1, 2}) {
    EXPECT_EQ(results[failed].last.finish, FinishReason::failed);
    EXPECT_STREQ(results[failed].last.error, damaged_model);
  }
  EXPECT_EQ(results[1].tokens.size(), 3U);
  EXPECT_TRUE(results[2].tokens.empty());
  EXPECT_EQ(engine.stats().failed, 2U);
  EXPECT_EQ(engine.stats().running + engine.stats().waiting, 0);

  GenerationRequest prompt = request_for_tests(18, 1);  // the log-probability of the prompt's last token
  prompt.prompt_logprobs = 3;
  Collected result;
  const Watched last(*native_[1], [&](const MixerRows& rows) { rows.hidden[16 * hidden] = std::nanf(""); });
  list[1] = &last;
  Engine other(*model_, list, small_options());
  other.submit(prompt, result.sink());
  drain(other);
  EXPECT_STREQ(result.last.error, damaged_model);
}

TEST_F(EngineTest, WantOfMemoryFailsTheRunningTextsNotTheEngine) {
  bool full = false;
  const Watched greedy_layer(*native_[2], [&](const MixerRows&) {
    if (full) throw std::bad_alloc();
  });
  MixerList list = native_;
  list[2] = &greedy_layer;
  Engine engine(*model_, list, small_options());
  std::vector<Collected> results(12);  // more than run
  for (Collected& result : results) engine.submit(request_for_tests(30, 12), result.sink());
  for (int i = 0; i < 10; ++i) engine.step();
  ASSERT_EQ(engine.stats().running, 8);
  full = true;
  EXPECT_TRUE(engine.step());
  full = false;
  drain(engine);
  int failed = 0;
  for (const Collected& result : results) {
    failed += result.last.finish == FinishReason::failed ? 1 : 0;
    if (result.last.finish == FinishReason::failed) {
      EXPECT_STREQ(result.last.error, out_of_memory);
    } else {
      EXPECT_EQ(result.tokens, alone(*model_, native_, request_for_tests(30, 12)).tokens);
    }
  }
  EXPECT_EQ(failed, 8);
  EXPECT_EQ(engine.stats().failed, 8U);
  EXPECT_EQ(engine.stats().running + engine.stats().waiting, 0);
}

TEST_F(EngineTest, Refusals) {
  EngineOptions options = small_options();
  options.memory = 100'000;  // 64 positions take 4 layers * 2 * 2 * 16 * 64 * 4 bytes
  Engine engine(*model_, native_, options);
  const auto expect_refused = [&](const char* why, auto change) {
    GenerationRequest request = request_for_tests(10, 10);
    change(request);
    try {
      engine.submit(request, [](Output&&) {});
      FAIL() << why;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(why));
    }
  };
  using R = GenerationRequest;
  expect_refused("the prompt is empty", [](R& r) { r.prompt.clear(); });
  expect_refused("outside the vocabulary", [](R& r) { r.prompt[3] = 260; });
  expect_refused("outside the vocabulary", [](R& r) { r.prompt[3] = -1; });
  expect_refused("texts of up to 512 tokens", [](R& r) { r.max_tokens = 503; });
  expect_refused("max_tokens", [](R& r) { r.max_tokens = -1; });
  expect_refused("min_tokens", [](R& r) { r.min_tokens = 11; });
  expect_refused("MiB of cache", [](R& r) { r.max_tokens = 60; });
  expect_refused("temperature", [](R& r) { r.sampling.temperature = -1; });
  expect_refused("logit_bias", [](R& r) { r.sampling.logit_bias = {{260, 1.0F}}; });
  expect_refused("stop_tokens", [](R& r) { r.stop_tokens = {-2}; });
  expect_refused("stop has an empty string", [](R& r) { r.stop = {""}; });
  expect_refused("logprobs", [](R& r) { r.logprobs = -2; });
  EXPECT_EQ(engine.stats().requests, 0U);

  EngineOptions wrong = options;
  wrong.step_tokens = options.max_sequences;
  EXPECT_THROW(Engine(*model_, native_, wrong), Error);
  wrong = options;
  wrong.preallocate = 1 << 20;  // more than the memory
  EXPECT_THROW(Engine(*model_, native_, wrong), Error);
}

}  // namespace
}  // namespace layerboost
