// Choosing the next token from a row of logits.
#pragma once

#include "base/random.h"
#include "text/tokenizer.h"

namespace layerboost {

struct Sampling {
  double temperature = 0;  // logits are divided by it; 0: always the likeliest token
  double top_p = 1;        // only the fewest tokens whose probabilities reach this sum; 1: all
};

/// Throws Error unless temperature >= 0 and 0 < top_p <= 1.
void check_sampling(const Sampling& sampling);

/// A token drawn from softmax(scale * logits[V] / temperature), within the nucleus top_p (Holtzman et al., 2019). Draws
/// one number from `random` unless the temperature is 0. Runs on the caller's thread.
TokenId sample(const float* logits, float scale, int vocab, const Sampling& sampling, Random& random);

}  // namespace layerboost
