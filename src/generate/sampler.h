// Choosing the next token from a row of logits.
#pragma once

#include "base/random.h"
#include "layerboost/sampling.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Throws Error, naming the field as OpenAI's and vLLM's interfaces do, unless temperature >= 0, 0 < top_p <= 1,
/// top_k >= 0, 0 <= min_p <= 1, repetition_penalty > 0, the other penalties are finite, biases are between -100 and
/// 100, and all tokens are among the `vocab` that the model has logits of.
void check_sampling(const Sampling& sampling, int vocab);

/// Throws Error about the field `where` unless 0 <= token < vocab.
void check_token(const char* where, TokenId token, int vocab);

/// A token that was chosen; -1: none, `error` says why, in one line for good.
struct Chosen {
  TokenId token = -1;
  const char* error = nullptr;
  bool by_request = false;  // it is what was asked for that leaves none
};

/// Steps 3 to 6: a token chosen by scale * logits[V]; -1 where the logits aren't finite numbers. Samples one number
/// from `random` unless it is the likeliest anyway. Runs on the caller's thread; costs a few passes over the row, and
/// sorts only what top_k, top_p and min_p leave.
TokenId sample(const float* logits, float scale, int vocab, const Sampling& sampling, Random& random);

}  // namespace layerboost
