// The library's face, as a program that has it sees it, beside what is behind it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "artifact/plan.h"
#include "base/error_for_tests.h"
#include "base/log.h"
#include "base/temporary_path_for_tests.h"
#include "engine/model_for_tests.h"
#include "eval/perplexity.h"
#include "generate/token_filter_for_tests.h"
#include "layerboost/layerboost.h"

namespace layerboost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string some_text = "The bees make honey, about a hundred times a day and about as often as they can.";

class Library : public testing::Test {
 protected:
  Library() { write_text_model(path_); }
  ~Library() override { fs::remove_all(root_); }

  const fs::path root_ = test::temporary_path("library");
  const fs::path path_ = root_ / "model.gguf";
  const ModelOptions exact_{.plan = "", .precision = Precision::f32, .kv = KvType::bf16, .threads = 2};
};

TEST_F(Library, OpensAModelAndSaysWhatItIs) {
  const LanguageModel model(path_, exact_);
  EXPECT_EQ(model.shape().layers, 4);
  EXPECT_EQ(model.shape().vocab, 260);
  EXPECT_EQ(model.shape().longest_text, model.shape().positions);
  EXPECT_THAT(model.mixers(), ElementsAre("softmax", "softmax", "softmax", "softmax"));
  EXPECT_EQ(model.decode(model.encode("about a <s>")), "about a ");
  EXPECT_EQ(model.own_sampling().temperature, 0);
  EXPECT_STREQ(version(), LAYERBOOST_VERSION);
}

TEST_F(Library, RunsAPlan) {
  const LanguageModel plain(path_, exact_);
  Plan plan;
  plan.model_hash = open_checkpoint(path_)->hash();
  plan.layers.resize(4);
  plan.layers[1].mixer = parse_mixer("window:8+2");
  plan.layers[2].mixer = parse_mixer("none");
  write_plan(root_ / "plan.json", plan);
  ModelOptions options = exact_;
  options.plan = root_ / "plan.json";
  const LanguageModel planned(path_, options);
  EXPECT_THAT(planned.mixers(), ElementsAre("softmax", "window:8+2", "none", "softmax"));
  EXPECT_LT(planned.cache_bytes(400), plain.cache_bytes(400));
  EXPECT_NE(planned.perplexity(some_text).nll, plain.perplexity(some_text).nll);
}

TEST_F(Library, MeasuresAsEvalDoes) {
  const LanguageModel model(path_, exact_);
  const auto inside = load_model(path_, Precision::f32);
  MixerSet mixers(*inside);
  Subject subject(*inside, mixers.list(native_specs(inside->config)));
  const std::vector<TokenId> tokens = inside->text().encode(some_text);
  const Perplexity expected = measure_perplexity(subject, text_windows(tokens, {20, 0, 3, -1}, 0));
  const PerplexityResult result = model.perplexity(some_text, 20, 3);
  EXPECT_EQ(result.nll, expected.nll.mean.mean);
  EXPECT_EQ(result.perplexity, std::exp(result.nll));
  EXPECT_EQ(result.perplexity_error, expected.ppl_error());
  EXPECT_EQ(result.windows, 3);
  EXPECT_EQ(result.tokens, 3 * 19);
}

TEST_F(Library, WritesOnAndStreamsTheSame) {
  const LanguageModel model(path_, exact_);
  const std::vector<std::string> prompts = {"about a", "The bees"};
  const Sampling sampling{.temperature = 0.8};
  const std::vector<std::string> texts = model.generate(prompts, 12, sampling, 5);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(model.generate(prompts, 12, sampling, 5), texts);
  EXPECT_NE(model.generate(prompts, 12, sampling, 6), texts);

  ServingEngine engine(model, {.memory = std::size_t{64} << 20});
  std::vector<std::string> streamed(2);
  int ended = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    GenerationRequest request;
    request.prompt = model.encode(prompts[i]);
    request.max_tokens = 12;
    engine.submit(request, [&, i](Output&& output) {
      streamed[i] += output.text;
      if (output.finish == FinishReason::length || output.finish == FinishReason::stop) ++ended;
    });
  }
  EXPECT_EQ(engine.stats().waiting, 2);
  while (engine.step()) {
  }
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(streamed, model.generate(prompts, 12));
}

TEST_F(Library, CancelsWhatRuns) {
  const LanguageModel model(path_, exact_);
  ServingEngine engine(model, {.memory = std::size_t{64} << 20});
  GenerationRequest request;
  request.prompt = model.encode("about");
  request.max_tokens = 400;
  request.ignore_eos = true;
  std::atomic<FinishReason> finish = FinishReason::none;
  std::atomic<RequestId> id = 0;
  id = engine.submit(request, [&](Output&& output) {
    finish = output.finish;
    if (output.generated_tokens == 3) engine.cancel(id);
    if (output.finish != FinishReason::none) engine.stop();
  });
  std::thread compute([&] { engine.run(); });
  compute.join();
  EXPECT_EQ(finish, FinishReason::cancelled);
  EXPECT_STREQ(name_of(finish), "cancelled");
  EXPECT_EQ(engine.stats().running, 0);
}

TEST_F(Library, ComputesInSeveralThreadsAtOnce) {
  const LanguageModel model(path_, exact_);
  const double expected = model.perplexity(some_text).nll;
  const std::vector<std::string> prompts = {"about a"}, texts = model.generate(prompts, 20);
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 3; ++round)
        if (model.perplexity(some_text).nll == expected && model.generate(prompts, 20) == texts) ++right;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 9);
}

TEST_F(Library, LeavesTheCallersThreadsAlone) {
  omp_set_num_threads(3);
  ModelOptions options = exact_;
  options.threads = 1;
  const LanguageModel model(path_, options);
  (void)model.perplexity(some_text);
  ServingEngine(model).step();
  EXPECT_EQ(omp_get_max_threads(), 3);
}

TEST_F(Library, ThrowsErrorForWhatIsWrong) {
  EXPECT_THAT(test::error_of([] { LanguageModel("no/such/model"); }), HasSubstr("no file or directory"));
  ModelOptions many = exact_;
  many.threads = -1;
  EXPECT_THAT(test::error_of([&] { LanguageModel(path_, many); }), HasSubstr("threads"));
  const LanguageModel model(path_, exact_);
  EXPECT_THAT(test::error_of([&] { (void)model.perplexity("a"); }), HasSubstr("at least 2"));
  EXPECT_THAT(test::error_of([&] { (void)model.perplexity(some_text, 1); }), HasSubstr("context"));
  const std::vector<std::string> prompts = {"about", ""};
  EXPECT_THAT(test::error_of([&] { (void)model.generate(prompts, 3); }), HasSubstr("prompt 2 is empty"));
  EXPECT_THAT(test::error_of([&] { (void)model.generate({}, 3, {.top_p = 2}); }), HasSubstr("top_p"));
  EXPECT_THAT(test::error_of([&] { ServingEngine(model, {.max_sequences = 0}); }), HasSubstr("at least 1"));
  ServingEngine engine(model, {.memory = std::size_t{64} << 20, .max_sequences = 1, .max_queue = 1});
  EXPECT_THAT(test::error_of([&] { engine.submit({}, [](Output&&) {}); }), HasSubstr("prompt is empty"));
  GenerationRequest request;
  request.prompt = {1};
  engine.submit(request, [](Output&&) {});
  engine.submit(request, [](Output&&) {});
  EXPECT_THROW(engine.submit(request, [](Output&&) {}), QueueFull);
}

// By whichever way it comes, no token that the model doesn't have reaches its logits.
TEST_F(Library, RefusesTokensThatTheModelDoesNotHave) {
  const LanguageModel model(path_, exact_);
  ServingEngine engine(model, {.memory = std::size_t{64} << 20});
  const std::vector<std::string> prompts = {"about"};
  const auto errors = [&](const Sampling& sampling) {
    GenerationRequest request;
    request.prompt = {1};
    request.sampling = sampling;
    return test::error_of([&] { (void)model.generate(prompts, 3, sampling); }) + "|" +
           test::error_of([&] { engine.submit(request, [](Output&&) {}); });
  };
  const TokenId vocab = model.shape().vocab;
  const std::string outside = fmt::format("token id {} is outside the vocabulary", vocab);
  EXPECT_THAT(errors({.logit_bias = {{vocab, 1.0F}}}), HasSubstr("logit_bias: " + outside));
  EXPECT_THAT(errors({.logit_bias = {{-1, 1.0F}}}), HasSubstr("logit_bias: token id -1"));
  EXPECT_THAT(errors({.filter = test::only({1, vocab})}), HasSubstr("allowed_tokens: " + outside));
  EXPECT_THAT(errors({.filter = test::all_but({{1, vocab}})}), HasSubstr("bad_words: " + outside));
  for (const Sampling& wrong : {Sampling{.logit_bias = {{vocab, 1.0F}}}, Sampling{.filter = test::only({vocab})},
                                Sampling{.filter = test::all_but({{vocab}})}}) {
    const std::string both = errors(wrong);
    EXPECT_EQ(both.substr(0, both.find('|')), both.substr(both.find('|') + 1));
  }
}

TEST_F(Library, PrintsNothingAndSaysItToTheHandler) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const LanguageModel model(path_, exact_);
  note("nobody hears");
  std::vector<std::string> lines;
  set_message_handler([&](const std::string& line) { lines.push_back(line); });
  const LanguageModel other(path_, exact_);  // doesn't take it away
  note("somebody hears");
  set_message_handler(nullptr);
  note("nobody hears");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(lines, ElementsAre("layerboost: somebody hears"));
}

}  // namespace
}  // namespace layerboost
