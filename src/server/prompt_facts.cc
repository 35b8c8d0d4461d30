#include "server/prompt_facts.h"

#include <utility>

namespace layerboost {

PromptFacts::PromptFacts(const ApiRequest& request, const ApiPrompt& prompt, const Tokenizer& tokenizer)
    : request_(request), prompt_(prompt), tokenizer_(tokenizer) {}

void PromptFacts::add(const Output& output) {
  if (request_.prompt_logprobs < 0) return;
  for (std::size_t i = 0; i < output.prompt_logprobs.size(); ++i) {
    if (output.prompt_logprobs[i])
      logprobs_.add(*output.prompt_logprobs[i], 0, static_cast<std::size_t>(request_.prompt_logprobs));
    else
      logprobs_.add_first(prompt_.tokens[i]);
  }
}

void PromptFacts::take(std::string& json) {
  if (request_.token_ids && !std::exchange(ids_taken_, true)) {
    json += R"(,"prompt_token_ids":)" + prompt_.ids;
  }
  if (logprobs_.size() == 0) return;
  json += R"(,"prompt_logprobs":)";
  logprobs_.write_ranked(tokenizer_, json);
  logprobs_.clear();
}

std::size_t PromptFacts::size() const {
  return logprobs_.size() + (request_.token_ids && !ids_taken_ ? prompt_.tokens.size() : 0);
}

}  // namespace layerboost
