// One text of an answer: an entry of its "choices", whole or in the pieces of a stream.
#pragma once

#include <memory>
#include <string>

#include "server/api_request.h"

namespace layerboost {

class Choice {
 public:
  virtual ~Choice() = default;
  virtual void add(const Output& output) = 0;
  /// Appends the entry, as JSON, with what was added since the last call; `piece`: of a stream.
  virtual void take(bool piece, std::string& json) = 0;
  /// Numbers that the next take() writes: what its work is.
  [[nodiscard]] virtual std::size_t numbers() const = 0;
};

/// A choice of /v1/completions, or of /v1/chat/completions if the request is a chat. Requires: `request`, `prompt` and
/// `tokenizer` outlive it.
std::unique_ptr<Choice> make_choice(const ApiRequest& request, const ApiPrompt& prompt, const Tokenizer& tokenizer,
                                    int index);

}  // namespace layerboost
