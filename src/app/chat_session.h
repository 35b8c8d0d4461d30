// A conversation with a model: what was said, and the next answer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/engine.h"
#include "text/chat_template.h"

namespace layerboost {

struct ChatOptions {
  std::string system;  // the system prompt; empty: what the template has of its own
  Sampling sampling{.temperature = 0.7, .top_p = 0.95};
  int max_tokens = 1024;   // of one answer
  int context = 0;         // tokens of the conversation, answer included; 0: the model's positions
  std::uint64_t seed = 0;  // the n-th question is answered with seed + n
};

struct ChatAnswer {
  std::string text;
  FinishReason finish = FinishReason::none;
  int prompt_tokens = 0, cached_tokens = 0, tokens = 0;
  double seconds = 0;
  std::size_t forgotten = 0;  // of the oldest messages: the model has no room for them any more
};

class ChatSession {
 public:
  /// Requires: `engine`, `model` and `chat` outlive this, and nobody else uses the engine.
  ChatSession(Engine& engine, const Model& model, const ChatTemplate& chat, ChatOptions options);

  /// Answers `question`; both are part of the conversation from then on. `on_text` is given the text as it is written;
  /// `stop` is asked after each step and ends the answer where it is. Throws Error, the conversation unchanged, for
  /// what the template refuses, a question that the model has no room for, and a model whose logits aren't numbers.
  ChatAnswer answer(const std::string& question, const std::function<void(std::string_view)>& on_text,
                    const std::function<bool()>& stop);

  /// Forgets what was said.
  void reset();
  /// Begins again with this system prompt.
  void set_system(std::string system);
  [[nodiscard]] const std::string& system() const { return options_.system; }
  /// [{"role", "content"}, ...] without the system prompt.
  [[nodiscard]] const Json& messages() const { return messages_; }

 private:
  [[nodiscard]] std::vector<TokenId> prompt_of(const Json& messages) const;

  Engine& engine_;
  const Model& model_;
  const ChatTemplate& chat_;
  ChatOptions options_;
  Json messages_ = Json::array();
  std::uint64_t questions_ = 0;
};

}  // namespace layerboost
