// How the next token of a sequence is chosen. A model gives each token of its vocabulary a logit; Sampling says how
// these are changed, which tokens are left out, and whether one of the others is sampled or the likeliest taken. It is
// plain numbers and holds no randomness: seeds are given where sequences are asked for. Values out of range are refused
// there, too, with an Error.
#pragma once

#include <utility>
#include <vector>

#include "layerboost/types.h"

namespace layerboost {

/// Below it, logits divided by the temperature would only differ from the likeliest token by overflowing.
inline constexpr double least_temperature = 1e-5;

/// How a token is chosen; as it stands, the likeliest. What is done, in this order (vLLM's), with log-probabilities as
/// logits:
///   1. logit_bias is added; tokens are left out that may not be sampled, or not yet: all but allowed_tokens, and the
///      last token of each of bad_words whose other tokens the text so far (without the prompt) ends with;
///   2. repetition_penalty r: the logit of each token of the prompt or the text so far is divided by r if positive,
///      multiplied if not (Keskar et al., 2019). frequency_penalty f and presence_penalty p: a token that the text so
///      far (without the prompt) has c > 0 times loses c f + p (OpenAI);
///   3. temperature below least_temperature: the likeliest token. Otherwise logits are divided by the temperature;
///   4. min_p: tokens less likely than min_p times the likeliest are left out (Nguyen et al., 2024);
///   5. top_k: all but the k likeliest are left out; top_p: all but the fewest likeliest whose probabilities, among
///      those still there, reach top_p (Holtzman et al., 2019);
///   6. one of the others is sampled.
struct Sampling {
  double temperature = 0;  // at least 0
  double top_p = 1;        // in (0, 1]; 1: off
  int top_k = 0;           // at least 0; 0: off
  double min_p = 0;        // in [0, 1]; 0: off
  double repetition_penalty = 1, presence_penalty = 0, frequency_penalty = 0;
  std::vector<std::pair<TokenId, float>> logit_bias = {};
  std::vector<TokenId> allowed_tokens = {};          // empty: all
  std::vector<std::vector<TokenId>> bad_words = {};  // in tokens, each at least one
};

}  // namespace layerboost
