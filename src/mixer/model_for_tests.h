// For tests: models and where they are, and plain ways of running them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/temporary_path_for_tests.h"
#include "mixer/mixers.h"
#include "model/runner.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {

inline fs::path default_model_path() { return cache_dir() / "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"; }
inline fs::path shared_path() { return fs::path(LAYERBOOST_SOURCE_DIR) / "../shared"; }

/// small_config() with two query heads for each of four KV heads, so that blocks of some of them hold several.
inline Config config_of_four_kv_heads() {
  Config config = test::small_config();
  config.heads = 8;
  config.kv_heads = 4;
  return config;
}

/// A model with small_weights().
inline std::unique_ptr<Model> random_model(Precision precision, const Config& config = test::small_config()) {
  Random random(7);
  std::string header, data;
  for_each_tensor(config, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    const std::size_t begin = data.size();
    data += test::f32_bytes(test::small_weights(shape, random));
    header += fmt::format(R"({}"{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})", header.empty() ? "{" : ",",
                          name, fmt::join(shape, ","), begin, data.size());
  });
  const fs::path directory = test::temporary_path("random-model");
  write_file(directory / "model.safetensors", test::safetensors_file(header + "}", data));
  write_file(directory / "config.json", test::config_json(config));
  auto model = load_model(directory, precision);
  fs::remove_all(directory);  // the map stays
  return model;
}

/// A model whose texts of more than `longest_short` tokens have other rotations.
inline std::unique_ptr<Model> with_long_texts(std::unique_ptr<Model> model, int longest_short) {
  RopeConfig& rope = model->config.rope;
  rope.divisors.assign(static_cast<std::size_t>(model->config.head_size / 2), 1.25);
  rope.long_divisors.clear();
  for (int i = 0; i < model->config.head_size / 2; ++i) rope.long_divisors.push_back(2.0 + 3 * i);
  rope.longest_short = longest_short;
  return model;
}

/// The same where all texts are long ones.
inline std::unique_ptr<Model> with_long_texts_alone(std::unique_ptr<Model> model) {
  model = with_long_texts(std::move(model), 1);
  model->config.rope.divisors = std::exchange(model->config.rope.long_divisors, {});
  model->config.rope.longest_short = RopeConfig().longest_short;
  return model;
}

/// A model each of whose texts of more than `positions` tokens has rotations of its own.
inline std::unique_ptr<Model> with_dynamic_rope(std::unique_ptr<Model> model, int positions) {
  RopeConfig rope;
  rope.scaling = RopeConfig::Scaling::dynamic;
  rope.factor = 4;
  rope.longest_short = positions;
  model->config.rope = rope;
  model->config.max_positions = positions;
  return model;
}

/// The same where all texts have the rotations of those of `tokens` tokens.
inline std::unique_ptr<Model> with_dynamic_rope_of(std::unique_ptr<Model> model, int positions, int tokens) {
  model = with_dynamic_rope(std::move(model), positions);
  RopeConfig& rope = model->config.rope;
  const int d = model->config.head_size;
  std::vector<double> divisors = rope.frequencies(d);
  const std::vector<double> frequencies = rope.frequencies(d, tokens);
  for (std::size_t i = 0; i < divisors.size(); ++i) divisors[i] /= frequencies[i];
  rope.scaling = RopeConfig::Scaling::none;
  rope.longest_short = RopeConfig().longest_short;
  rope.divisors = divisors;
  model->config.max_positions = tokens;
  return model;
}

/// A model with soft caps of scores and of logits; 0: none.
inline std::unique_ptr<Model> with_soft_caps(std::unique_ptr<Model> model, float attention, float logits) {
  model->config.attention_soft_cap = attention;
  model->config.logit_soft_cap = logits;
  return model;
}

/// A plan by the written forms of its mixers.
inline std::vector<MixerSpec> specs(const std::vector<const char*>& names) {
  std::vector<MixerSpec> result;
  for (const char* name : names) result.push_back(parse_mixer(name));
  return result;
}

/// Random parameters for all layers and kinds: maps that are small beside their input; features, gates and weights that
/// matter.
inline MixerParameters random_parameters(const Config& config) {
  MixerParameters parameters;
  Random random(11);
  for (int layer = 0; layer < config.layers; ++layer)
    for (const MixerKind kind : {MixerKind::map, MixerKind::hybrid, MixerKind::gated, MixerKind::dual_state})
      for (std::size_t i = 0; i < parameter_count(config, {kind}); ++i)
        parameters[{layer, kind}].push_back(static_cast<float>((kind == MixerKind::map ? 0.1 : 0.6) * random.normal()));
  return parameters;
}

/// `count` token ids below `vocab`.
inline std::vector<TokenId> random_tokens(int count, int vocab, std::uint64_t seed = 1) {
  Random random(seed);
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  for (TokenId& token : tokens) token = static_cast<TokenId>(random.below(static_cast<std::uint64_t>(vocab)));
  return tokens;
}

/// Log-probability of tokens[i] given those before, for i >= 1 (entry 0 is 0), cutting the sequence into steps of
/// `chunk` tokens.
inline std::vector<double> token_log_probs(const Model& model, const MixerList& mixers, std::span<const TokenId> tokens,
                                           int chunk) {
  CachePools pools;
  Sequence sequence(mixers, pools);
  Runner runner(model);
  std::vector<double> result(tokens.size(), 0);
  for (std::size_t first = 0; first < tokens.size(); first += static_cast<std::size_t>(chunk)) {
    const BatchItem item{&sequence,
                         tokens.subspan(first, std::min(static_cast<std::size_t>(chunk), tokens.size() - first))};
    const float* const hidden = runner.forward({&item, 1});
    std::vector<int> rows(item.tokens.size());
    std::iota(rows.begin(), rows.end(), 0);
    runner.logits(hidden, rows, [&](const LogitsBlock& block) {
      for (std::size_t i = 0; i < block.rows.size(); ++i) {
        const std::size_t next = first + static_cast<std::size_t>(block.rows[i]) + 1;
        if (next >= tokens.size()) continue;
        double sum = 0;
        for (int v = 0; v < block.vocab; ++v) sum += std::exp(static_cast<double>(block.row(i)[v] * block.scale(i)));
        result[next] = static_cast<double>(block.row(i)[tokens[next]] * block.scale(i)) - std::log(sum);
      }
    });
  }
  return result;
}

/// The most probable continuation, token by token.
inline std::vector<TokenId> greedy(const Model& model, const MixerList& mixers, std::span<const TokenId> prompt,
                                   int count) {
  CachePools pools;
  Sequence sequence(mixers, pools);
  Runner runner(model);
  std::vector<TokenId> tokens(prompt.begin(), prompt.end()), result;
  for (int i = 0; i < count; ++i) {
    const BatchItem item{&sequence, tokens};
    const float* const hidden = runner.forward({&item, 1});
    const int last = static_cast<int>(tokens.size()) - 1;
    runner.logits(hidden, {&last, 1}, [&](const LogitsBlock& block) { tokens = {argmax(block.row(0), block.vocab)}; });
    result.push_back(tokens[0]);
  }
  return result;
}

}  // namespace layerboost

#define LB_SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path).string() << " is absent"

/// For tests that compute with the whole default model: some cost minutes under a sanitizer, which finds no more there
/// than in the same code on small models.
#ifdef LAYERBOOST_SANITIZED
#define LB_NEEDS_DEFAULT_MODEL() GTEST_SKIP() << "the default model runs in builds without sanitizers only"
#else
#define LB_NEEDS_DEFAULT_MODEL() LB_SKIP_WITHOUT(default_model_path())
#endif
