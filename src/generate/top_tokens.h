// The likeliest tokens of a row of logits, without sorting the vocabulary.
#pragma once

#include <limits>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

struct ScoredToken {
  TokenId id = 0;
  float logit = 0;
};

/// The order of tokens by logit, largest first; equal ones by id.
inline bool likelier(const ScoredToken& a, const ScoredToken& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

/// The `count` tokens with the largest of logits [vocab], likeliest first, of those with logits >= floor. One pass, and
/// about `count` swaps for each time that the largest so far are outdone.
std::vector<ScoredToken> top_tokens(const float* logits, int vocab, int count,
                                    float floor = -std::numeric_limits<float>::infinity());

/// All tokens with logits >= floor, in order of ids.
std::vector<ScoredToken> tokens_above(const float* logits, int vocab, float floor);

}  // namespace layerboost
