// For tests: small models that have a tokenizer, and what they write when they are alone.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/temporary_path_for_tests.h"
#include "engine/engine.h"
#include "eval/tokenizer_for_tests.h"
#include "generate/generate.h"
#include "mixer/model_for_tests.h"

namespace layerboost {

/// Writes a GGUF file of a model of small_config() with small_weights() and a tokenizer of tokenizer_for_tests.h: V
/// 260.
inline void write_text_model(const fs::path& path, const TokenizerData& tokenizer = tokenizer_data_for_tests()) {
  const Config config = test::small_config(static_cast<int>(tokenizer.tokens.size()));
  test::GgufWriter writer;
  test::put_config(writer, config);
  writer.text("tokenizer.ggml.model", "gpt2");
  writer.text("tokenizer.ggml.pre", "gpt-2");
  writer.texts("tokenizer.ggml.tokens", tokenizer.tokens);
  writer.texts("tokenizer.ggml.merges", tokenizer.merges);
  std::vector<std::int32_t> types(tokenizer.tokens.size(), 1);
  for (const auto& added : tokenizer.added) types[static_cast<std::size_t>(added.id)] = added.special ? 3 : 4;
  writer.i32s("tokenizer.ggml.token_type", types);
  writer.u32("tokenizer.ggml.eos_token_id", 259);
  writer.flag("tokenizer.ggml.add_bos_token", false);
  Random random(7);
  for_each_tensor(config, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    const std::string data = test::f32_bytes(test::small_weights(shape, random));
    writer.tensor(test::gguf_name(name), shape, test::ggml_type(DType::f32), data);
  });
  write_file(path, writer.file());
}

/// The same, opened.
inline std::unique_ptr<Model> text_model(Precision precision = Precision::f32,
                                         const TokenizerData& tokenizer = tokenizer_data_for_tests()) {
  const fs::path path = test::temporary_path("text-model.gguf");
  write_text_model(path, tokenizer);
  auto model = load_model(path, precision);
  fs::remove(path);  // the map stays
  return model;
}

inline EngineOptions small_options() {
  EngineOptions options;
  options.memory = std::size_t{64} << 20;
  options.step_tokens = 40;  // prompts are cut
  options.max_sequences = 8;
  return options;
}

/// Goes on until nothing is left to do.
inline void drain(Engine& engine) {
  while (engine.step()) {
  }
}

/// The plans that tests of the engine go through: each kind of mixer, alone and together.
inline std::vector<std::vector<MixerSpec>> plans_for_tests() {
  return {specs({"softmax", "softmax", "softmax", "softmax"}),
          specs({"window:16+3", "window:70+4", "window:64", "none"}),
          specs({"softmax", "none", "window:7+2", "map"}),
          specs({"hybrid:16+3", "softmax", "gated:20", "hybrid:64+4"}),
          specs({"none", "map", "none", "none"}),
          specs({"dual_state", "window:16+3", "dual_state", "softmax"})};
}

/// A layer's mixer after which something happens: `then`, unless empty, is given the rows that it has worked on.
class Watched final : public Mixer {
 public:
  Watched(const Mixer& mixer, std::function<void(const MixerRows&)> then) : mixer_(mixer), then_(std::move(then)) {}
  [[nodiscard]] std::string name() const override { return mixer_.name(); }
  [[nodiscard]] bool has_attention() const override { return mixer_.has_attention(); }
  [[nodiscard]] std::span<const int> sources() const override { return mixer_.sources(); }
  [[nodiscard]] std::optional<CacheAccount> account() const override { return mixer_.account(); }
  void forward(const MixerRows& rows, Workspace& workspace) const override {
    mixer_.forward(rows, workspace);
    if (then_) then_(rows);
  }
  [[nodiscard]] std::size_t cache_bytes(int length) const override { return mixer_.cache_bytes(length); }
  [[nodiscard]] std::size_t finished_bytes(int length) const override { return mixer_.finished_bytes(length); }
  [[nodiscard]] std::size_t bytes_to_copy(const LayerCache& cache, int length) const override {
    return mixer_.bytes_to_copy(cache, length);
  }
  void reserve(LayerCache& cache, int length) const override { mixer_.reserve(cache, length); }
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position,
                                                int head) const override {
    return mixer_.place_of(cache, length, position, head);
  }
  [[nodiscard]] bool fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const override {
    return mixer_.fold(from, cache, length, to);
  }

 private:
  const Mixer& mixer_;
  std::function<void(const MixerRows&)> then_;
};

/// Everything a sink was handed.
struct Collected {
  std::string text;
  std::vector<TokenId> tokens;
  std::vector<TokenLogprob> logprobs;
  std::vector<std::optional<TokenLogprob>> prompt_logprobs;
  Output last;
  int outputs = 0;
  [[nodiscard]] bool ended() const { return last.finish != FinishReason::none; }

  Sink sink() {
    return [this](Output&& output) {
      EXPECT_FALSE(ended());
      ++outputs;
      text += output.text;
      tokens.insert(tokens.end(), output.tokens.begin(), output.tokens.end());
      logprobs.insert(logprobs.end(), output.logprobs.begin(), output.logprobs.end());
      if (!output.prompt_logprobs.empty()) prompt_logprobs = output.prompt_logprobs;
      last = std::move(output);
    };
  }
};

/// A prompt of `count` random tokens, without control tokens, and how much to write.
inline GenerationRequest request_for_tests(int count, int max_tokens, std::uint64_t seed = 1) {
  GenerationRequest request;
  request.prompt = random_tokens(count, 258, seed);
  request.max_tokens = max_tokens;
  request.ignore_eos = true;
  request.seed = seed;
  return request;
}

/// The same request's answer from an engine that has nothing else to do.
inline Collected alone(const Model& model, const MixerList& mixers, const GenerationRequest& request) {
  EngineOptions options;
  options.memory = std::size_t{1} << 30;
  options.prefix_cache = false;
  Engine engine(model, mixers, options);
  Collected result;
  engine.submit(request, result.sink());
  while (engine.step()) {
  }
  return result;
}

}  // namespace layerboost
