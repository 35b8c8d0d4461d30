// For tests: models and where they are, and plain ways of running them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "mixer/mixers.h"
#include "model/runner.h"

namespace layerboost {

inline fs::path default_model_path() { return cache_dir() / "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"; }
inline fs::path shared_path() { return fs::path(LAYERBOOST_SOURCE_DIR) / "../shared"; }

/// A llama of 4 layers, D 48, H 6, G 2, d 8, F 64, V 96, with normal random weights.
std::unique_ptr<Model> random_model(Precision precision);

/// `count` token ids below `vocab`.
std::vector<TokenId> random_tokens(int count, int vocab, std::uint64_t seed = 1);

/// Log-probability of tokens[i] given those before, for i >= 1 (entry 0 is 0), cutting the text into steps of `chunk`
/// tokens.
std::vector<double> token_log_probs(const Model& model, const MixerList& mixers, std::span<const TokenId> tokens,
                                    int chunk);

/// The most probable continuation, token by token.
std::vector<TokenId> greedy(const Model& model, const MixerList& mixers, std::span<const TokenId> prompt, int count);

}  // namespace layerboost

#define LB_SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path).string() << " is absent"
