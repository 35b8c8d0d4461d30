// What an answer tells of its prompt, beside `echo`: the ids of its tokens, and their log-probabilities.
#pragma once

#include <cstddef>
#include <string>

#include "server/api_request.h"
#include "server/token_logprobs.h"

namespace layerboost {

class PromptFacts {
 public:
  /// Requires: all three outlive this.
  PromptFacts(const ApiRequest& request, const ApiPrompt& prompt, const Tokenizer& tokenizer);

  void add(const Output& output);

  /// Appends what the request asks for and what no call before has appended, as members of an object that has others.
  void take(std::string& json);

  /// Numbers that the next take() appends.
  [[nodiscard]] std::size_t size() const;

 private:
  const ApiRequest& request_;
  const ApiPrompt& prompt_;
  const Tokenizer& tokenizer_;
  bool ids_taken_ = false;
  LogprobList logprobs_;
};

}  // namespace layerboost
