#include "engine/request.h"

#include "base/error.h"
#include "generate/sampler.h"

namespace layerboost {

const char* name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::none:
      return "none";
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
    case FinishReason::failed:
      return "failed";
  }
  LB_CHECK(false);
}

void check_request(const GenerationRequest& request, const Config& config) {
  if (request.prompt.empty()) fail("the prompt is empty: it needs at least one token");
  for (const TokenId token : request.prompt) check_token("prompt", token, config.vocab);
  if (request.max_tokens < 0) fail("max_tokens is {}: must be 0 or more", request.max_tokens);
  if (request.embedding && request.max_tokens > 0)
    fail("max_tokens is {}: must be 0 where an embedding is asked for", request.max_tokens);
  const auto positions = static_cast<std::size_t>(config.longest_text());
  const std::size_t wanted = request.prompt.size() + static_cast<std::size_t>(request.max_tokens);
  if (positions > 0 && wanted > positions)
    fail("the prompt has {} tokens and max_tokens is {}: the model reads texts of up to {} tokens",
         request.prompt.size(), request.max_tokens, positions);
  if (request.min_tokens < 0 || request.min_tokens > request.max_tokens)
    fail("min_tokens is {}: must be between 0 and max_tokens ({})", request.min_tokens, request.max_tokens);
  check_sampling(request.sampling, config.vocab);
  for (const TokenId token : request.stop_tokens) check_token("stop_tokens", token, config.vocab);
  for (const std::string& text : request.stop)
    if (text.empty()) fail("stop has an empty string: leave it out");
  const auto check_logprobs = [&](const char* field, int count) {
    if (count < -1 || count > config.vocab)
      fail("{} is {}: must be between 0 and {}, or -1 for none", field, count, config.vocab);
  };
  check_logprobs("logprobs", request.logprobs);
  check_logprobs("prompt_logprobs", request.prompt_logprobs);
}

}  // namespace layerboost
