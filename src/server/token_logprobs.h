// Log-probabilities in the words of OpenAI's two APIs.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "engine/request.h"

namespace layerboost {

/// A token as text. One that isn't whole UTF-8 characters is written "bytes:\xe2\x82", as OpenAI does, so that
/// different tokens have different texts.
std::string token_text(const Tokenizer& tokenizer, TokenId token);

/// The `logprobs` of /v1/completions: four lists with an entry for each token.
class LogprobColumns {
 public:
  /// `probability` empty: the first token of a text, which nothing predicts. `text_offset` counts characters from the
  /// beginning of the text.
  void add(const Tokenizer& tokenizer, TokenId token, const TokenLogprob* probability, std::size_t text_offset);
  /// {"tokens", "token_logprobs", "top_logprobs", "text_offset"} of what was added since the last call.
  [[nodiscard]] Json take();

 private:
  Json tokens_ = Json::array(), token_logprobs_ = Json::array(), top_logprobs_ = Json::array(),
       text_offsets_ = Json::array();
};

/// An entry of /v1/chat/completions' `logprobs.content`: {"token", "logprob", "bytes", "top_logprobs"}.
Json chat_logprob(const Tokenizer& tokenizer, const TokenLogprob& probability);

}  // namespace layerboost
