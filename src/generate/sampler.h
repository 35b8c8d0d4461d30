// Choosing the next token from a row of logits.
#pragma once

#include <utility>
#include <vector>

#include "base/random.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Below it, logits divided by the temperature would only differ from the likeliest token by overflowing.
inline constexpr double least_temperature = 1e-5;

/// How a token is chosen. What is done, in this order (vLLM's), with log-probabilities as logits:
///   1. logit_bias is added, tokens that may not be sampled yet are left out (see LogitsProcessors);
///   2. repetition_penalty r: the logit of each token of the prompt or the text so far is divided by r if positive,
///      multiplied if not (Keskar et al., 2019). frequency_penalty f and presence_penalty p: a token that the text so
///      far (without the prompt) has c > 0 times loses c f + p (OpenAI);
///   3. temperature below least_temperature: the likeliest token. Otherwise logits are divided by the temperature;
///   4. min_p: tokens less likely than min_p times the likeliest are left out (Nguyen et al., 2024);
///   5. top_k: all but the k likeliest are left out; top_p: all but the fewest likeliest whose probabilities, among
///      those still there, reach top_p (Holtzman et al., 2019);
///   6. one of the others is sampled.
struct Sampling {
  double temperature = 0;
  double top_p = 1;  // 1: off
  int top_k = 0;     // 0: off
  double min_p = 0;  // 0: off
  double repetition_penalty = 1, presence_penalty = 0, frequency_penalty = 0;
  std::vector<std::pair<TokenId, float>> logit_bias = {};
};

/// Throws Error, naming the field as OpenAI's and vLLM's interfaces do, unless temperature >= 0, 0 < top_p <= 1,
/// top_k >= 0, 0 <= min_p <= 1, repetition_penalty > 0, the other penalties are finite and biases are between -100 and
/// 100.
void check_sampling(const Sampling& sampling);

/// Steps 3 to 6: a token chosen by scale * logits[V]; -1 where the logits aren't finite numbers. Draws one number from
/// `random` unless it is the likeliest anyway. Runs on the caller's thread; costs a few passes over the row, and sorts
/// only what top_k, top_p and min_p leave.
TokenId sample(const float* logits, float scale, int vocab, const Sampling& sampling, Random& random);

}  // namespace layerboost
