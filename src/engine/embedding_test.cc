// Embeddings: prompts that are only read, beside others that are written on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error_for_tests.h"
#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"
#include "model/runner.h"

namespace layerboost {
namespace {

GenerationRequest to_embed(int count, std::uint64_t seed = 1) {
  GenerationRequest request = request_for_tests(count, 0, seed);
  request.embedding = true;
  return request;
}

/// The definition, in double, from one pass over all tokens.
std::vector<double> embedding_of(const Model& model, const MixerList& mixers, const std::vector<TokenId>& tokens) {
  CacheMemory memory(std::size_t{1} << 30);
  Sequence sequence = memory.make_sequence(mixers);
  Runner runner(model);
  const BatchItem item{&sequence, tokens};
  const float* const hidden = runner.forward({&item, 1});
  const auto size = static_cast<std::size_t>(model.config.hidden);
  std::vector<double> mean(size);
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    double squares = 0;
    for (std::size_t i = 0; i < size; ++i) squares += std::pow(hidden[row * size + i], 2.0);
    const double norm = std::sqrt(squares / static_cast<double>(size) + static_cast<double>(model.config.norm_eps));
    for (std::size_t i = 0; i < size; ++i)
      mean[i] += static_cast<double>(hidden[row * size + i]) / norm *
                 static_cast<double>(model.weights.plain_final_norm[i]) / static_cast<double>(tokens.size());
  }
  double squares = 0;
  for (const double value : mean) squares += value * value;
  for (double& value : mean) value /= std::sqrt(squares);
  return mean;
}

/// The largest difference between two of the same size.
template <typename A, typename B>
double largest_difference(const A& a, const B& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return most;
}

class Embedding : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  const MixerList& native_ = mixers_.list(native_specs(model_->config));

  static EngineOptions small_options() {
    EngineOptions options;
    options.memory = std::size_t{64} << 20;
    options.step_tokens = 40;  // prompts are cut
    options.max_sequences = 8;
    return options;
  }
  static void drain(Engine& engine) {
    while (engine.step()) {
    }
  }
};

TEST_F(Embedding, IsTheMeanOfTheLastStates) {
  for (const int count : {1, 30, 300}) {
    const GenerationRequest request = to_embed(count);
    const Collected result = alone(*model_, native_, request);
    EXPECT_LT(largest_difference(result.last.embedding, embedding_of(*model_, native_, request.prompt)), 1e-5);
    EXPECT_EQ(result.last.finish, FinishReason::length);
    EXPECT_EQ(result.outputs, 1);
    EXPECT_TRUE(result.tokens.empty());
    EXPECT_EQ(result.last.prompt_tokens, count);
    double squares = 0;
    for (const float value : result.last.embedding) squares += std::pow(static_cast<double>(value), 2);
    EXPECT_NEAR(squares, 1, 1e-6);
  }
  EXPECT_TRUE(alone(*model_, native_, request_for_tests(30, 0)).last.embedding.empty());
}

TEST_F(Embedding, AnyCutAndAnyCompanyGiveTheSame) {
  for (const auto& plan : plans_for_tests()) {
    const MixerList& list = mixers_.list(plan);
    Engine engine(*model_, list, small_options());
    std::vector<GenerationRequest> requests;
    for (int i = 0; i < 16; ++i) {
      const auto seed = 10 + static_cast<std::uint64_t>(i);
      requests.push_back(i % 2 == 0 ? to_embed(1 + i * 37 % 150, seed) : request_for_tests(1 + i * 23 % 90, 20, seed));
    }
    std::vector<Collected> results(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {  // they come while others are at work
      engine.submit(requests[i], results[i].sink());
      if (i % 3 == 0) engine.step();
    }
    drain(engine);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (requests[i].embedding)
        EXPECT_LT(largest_difference(results[i].last.embedding, embedding_of(*model_, list, requests[i].prompt)), 1e-4)
            << to_string(plan[0]) << " " << i;
      else
        EXPECT_EQ(results[i].tokens, alone(*model_, list, requests[i]).tokens) << to_string(plan[0]) << " " << i;
    }
    EXPECT_EQ(engine.stats().embeddings, 8U);
    EXPECT_EQ(engine.stats().finished_length, 16U);
    std::uint64_t tokens = 0;
    for (const GenerationRequest& request : requests) tokens += request.prompt.size();
    EXPECT_EQ(engine.stats().prompt_tokens, tokens);
  }
}

// Of tokens that it has read twice none counts twice.
TEST_F(Embedding, PreemptionChangesNothing) {
  EngineOptions options = small_options();
  options.max_sequences = 2;
  options.step_tokens = 3;  // two for the embedding, which takes 90 steps
  options.memory = sequence_bytes(native_, 6 * 64);
  Engine engine(*model_, native_, options);
  Collected text, embedding;
  engine.submit(request_for_tests(10, 300), text.sink());
  while (text.tokens.size() < 110) engine.step();
  const GenerationRequest request = to_embed(180, 2);
  engine.submit(request, embedding.sink());  // each has three pages, until the text needs a fourth one
  while (engine.step()) ASSERT_LE(engine.stats().cache_used(), options.memory);
  EXPECT_EQ(engine.stats().preemptions, 1U);
  EXPECT_GT(engine.stats().recomputed_tokens, 100U);
  EXPECT_EQ(text.tokens.size(), 300U);
  EXPECT_LT(largest_difference(embedding.last.embedding, embedding_of(*model_, native_, request.prompt)), 1e-5);
}

TEST_F(Embedding, ThePrefixCacheIsNeitherAskedNorFilled) {
  Engine engine(*model_, native_, small_options());
  const GenerationRequest request = to_embed(300);
  GenerationRequest written = request;
  written.embedding = false;
  written.max_tokens = 4;
  Collected first, text, second;
  engine.submit(request, first.sink());
  drain(engine);
  EXPECT_EQ(engine.stats().snapshots, 0);
  EXPECT_EQ(engine.stats().cache_used(), 0U);
  engine.submit(written, text.sink());
  drain(engine);
  EXPECT_EQ(text.last.cached_tokens, 0);
  EXPECT_GT(engine.stats().snapshots, 0);
  const std::uint64_t queried = engine.stats().prefix_queried_tokens;
  engine.submit(request, second.sink());
  drain(engine);
  EXPECT_EQ(second.last.cached_tokens, 0);
  EXPECT_EQ(engine.stats().prefix_queried_tokens, queried);
  EXPECT_LT(largest_difference(first.last.embedding, second.last.embedding), 1e-5);
}

TEST_F(Embedding, IsCancelledLikeAnyOther) {
  Engine engine(*model_, native_, small_options());
  std::vector<Collected> results(12);  // more than run
  std::vector<RequestId> ids;
  for (Collected& result : results) ids.push_back(engine.submit(to_embed(400), result.sink()));
  engine.step();
  engine.step();
  EXPECT_GT(engine.stats().cache_used(), 0U);
  for (const RequestId id : ids) engine.cancel(id);
  EXPECT_FALSE(engine.step());
  for (const Collected& result : results) EXPECT_EQ(result.last.finish, FinishReason::cancelled);
  EXPECT_EQ(engine.stats().cache_used(), 0U);
  EXPECT_EQ(engine.stats().embeddings, 0U);
}

TEST_F(Embedding, IsThatOfPlan0UnlessAPlanIsNamed) {
  const std::vector<const MixerList*> plans = {&native_, &mixers_.list(plans_for_tests()[1])};
  EngineOptions options = small_options();
  options.levels.mode = LevelMode::fixed;
  options.levels.level = options.levels.cap = 1;
  Engine engine(*model_, plans, options);
  GenerationRequest request = to_embed(100);
  Collected unnamed, named;
  engine.submit(request, unnamed.sink());
  request.plan = 1;
  engine.submit(request, named.sink());
  drain(engine);
  EXPECT_EQ(unnamed.last.plan, 0);
  EXPECT_LT(largest_difference(unnamed.last.embedding, embedding_of(*model_, *plans[0], request.prompt)), 1e-5);
  EXPECT_EQ(named.last.plan, 1);
  EXPECT_LT(largest_difference(named.last.embedding, embedding_of(*model_, *plans[1], request.prompt)), 1e-5);
}

// int8 divides the head's inputs by factors, which must not show.
TEST_F(Embedding, TheHeadsSmoothingDoesNotShow) {
  const fs::path path = test::temporary_path("smoothed.gguf");
  write_text_model(path);
  const auto layers = static_cast<std::size_t>(model_->config.layers);
  Smoothing smoothing{std::vector<LayerSmoothing>(layers), {}};
  for (int i = 0; i < model_->config.hidden; ++i) smoothing.head.push_back(0.5F + 0.1F * static_cast<float>(i % 7));
  const auto smoothed = load_model(open_checkpoint(path), Precision::f32, &smoothing);
  fs::remove(path);
  MixerSet mixers(*smoothed);
  const GenerationRequest request = to_embed(60);
  const Collected plain = alone(*model_, native_, request);
  const Collected divided = alone(*smoothed, mixers.list(native_specs(smoothed->config)), request);
  EXPECT_LT(largest_difference(plain.last.embedding, divided.last.embedding), 1e-6);
}

TEST_F(Embedding, AStateWithoutNumbersFailsAlone) {
  const int hidden = model_->config.hidden;
  const Watched spoiling(*native_[1], [&](const MixerRows& rows) {
    for (const MixerSpan& span : rows.spans)
      if (span.position + span.count == 60) rows.hidden[(span.row + span.count - 1) * hidden + 3] = std::nanf("");
  });
  MixerList list = native_;
  list[1] = &spoiling;
  Engine engine(*model_, list, small_options());
  Collected spoiled, other;
  engine.submit(to_embed(60), spoiled.sink());
  engine.submit(to_embed(30), other.sink());
  drain(engine);
  EXPECT_STREQ(spoiled.last.error, damaged_model);
  EXPECT_TRUE(spoiled.last.embedding.empty());
  EXPECT_EQ(other.last.finish, FinishReason::length);
  EXPECT_EQ(engine.stats().failed, 1U);
  EXPECT_EQ(engine.stats().embeddings, 1U);
}

TEST_F(Embedding, NothingIsWrittenBesideIt) {
  Engine engine(*model_, native_, small_options());
  GenerationRequest request = to_embed(10);
  request.max_tokens = 1;
  EXPECT_THAT(test::error_of([&] { engine.submit(request, [](Output&&) {}); }), testing::HasSubstr("max_tokens"));
  request.max_tokens = 0;
  request.prompt_logprobs = 0;  // both may be asked for
  Collected result;
  engine.submit(request, result.sink());
  drain(engine);
  EXPECT_EQ(result.prompt_logprobs.size(), 10U);
  EXPECT_FALSE(result.last.embedding.empty());
}

}  // namespace
}  // namespace layerboost
