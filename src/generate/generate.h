// Writing on from prompts, all of them in one ragged batch and without an engine: for commands, evaluation and
// LanguageModel::generate(). generate() reads the prompts in steps of limited size, then takes every sequence on by a
// token a step, until it has enough or one of `stop` comes. A next token is sampled (generate/sampler.h,
// generate/logits_processors.h), or chosen by the caller; each prompt samples from a random stream of its own. What was
// read is forgotten when the call returns. No prompt can join later, caches have no limit, and stop strings aren't
// known: engine/engine.h has all that, with the same sampler.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "generate/sampler.h"
#include "model/subject.h"

namespace layerboost {

struct GenerateOptions {
  int tokens = 64;  // at most so many for each prompt
  Sampling sampling;
  std::uint64_t seed = 0;  // prompt number i samples from its stream `first_stream` + i
  std::uint64_t first_stream = 0;
  std::vector<TokenId> stop;  // a sequence ends with one of these, which is not part of it
  /// In place of sampling: the next token of prompt number i, by row `row` of a block; -1 where those logits aren't
  /// numbers. Called for several prompts at once.
  std::function<TokenId(std::size_t i, const LogitsBlock& block, std::size_t row)> choose = {};
};

struct Generation {
  std::vector<TokenId> tokens;
  bool stopped = false;  // by one of options.stop rather than by the number of tokens
};

/// The tokens that end a sequence of this model: of those that its files name, the ones that it can write.
std::vector<TokenId> end_tokens(const Model& model);

/// `otherwise` with what the model's makers say in its place. Throws Error where they say what makes no sense.
Sampling own_sampling(const Config& config, Sampling otherwise);

/// Notes that texts of more tokens than the model's positions are slow to write. Requires: it writes such texts.
void note_slow_texts(const Config& config);

/// Continues each of `prompts` (at least one token each); what one gives doesn't depend on the others beyond rounding.
/// `on_token(prompt, token)` is called for each new token, in order. Throws Error when a prompt and its continuation
/// are more tokens than its texts may have or its logits aren't numbers, Interrupted when the user asked to stop. The
/// first time in a process that texts may become slow to write, note_slow_texts() says so.
std::vector<Generation> generate(Subject& subject, std::span<const std::vector<TokenId>> prompts,
                                 const GenerateOptions& options,
                                 const std::function<void(std::size_t, TokenId)>& on_token = {});

}  // namespace layerboost
