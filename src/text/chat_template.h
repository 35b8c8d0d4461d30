// A model's chat template (Jinja): from messages to the text that the model was trained to answer.
#pragma once

#include <cstddef>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "text/tokenizer.h"

namespace layerboost {

/// One conversation, in the words of OpenAI's API.
struct ChatInput {
  Json messages = Json::array();  // [{"role": "user", "content": "..."}, ...]; further keys reach the template as well
  Json tools;                     // [{"type": "function", "function": {...}}, ...]; null: none
  bool add_generation_prompt = true;  // ends with what begins the assistant's answer
  bool continue_last = false;         // ends within the last message, where its content does
  Json variables;                     // an object of further variables ({"enable_thinking": false}); null: none
  std::optional<std::time_t> now;     // for strftime_now(); empty: the clock's
};

/// A template, parsed once. It is run as Hugging Face's `apply_chat_template` does: trim_blocks, lstrip_blocks,
/// `raise_exception`, `strftime_now`, its `tojson`, `break`, `continue` and `generation`, `continue_final_message`.
/// Immutable: safe to use from several threads.
///
/// What render() gives is encoded with Tokenizer::encode(text, true), so that its control tokens are tokens; BOS is in
/// the text where the model wants it and is not to be added.
class ChatTemplate {
 public:
  /// The model's own. Throws Error (one line) when it has none, or when that can't be parsed.
  explicit ChatTemplate(const Tokenizer& tokenizer);
  /// `source` in Jinja; the template sees the other two as bos_token and eos_token. Throws Error naming the line of the
  /// template that can't be parsed.
  ChatTemplate(std::string_view source, std::string bos_token, std::string eos_token);
  /// `source` in Jinja in place of the model's own.
  ChatTemplate(std::string_view source, const Tokenizer& tokenizer);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  /// The text of a conversation. Throws Error when the template refuses it (raise_exception: the message is the
  /// template's own), when it uses what isn't there, when it runs or writes without bounds (it's somebody else's code),
  /// and when the last message is to be continued and has no text, or one that the template changes.
  [[nodiscard]] std::string render(const ChatInput& input) const;
  /// The same, with this much work of the template's (jinja::Budget) at most.
  [[nodiscard]] std::string render(const ChatInput& input, std::size_t most_work) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace layerboost
