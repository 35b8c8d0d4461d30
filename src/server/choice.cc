#include "server/choice.h"

#include <algorithm>
#include <utility>

#include "server/token_logprobs.h"

namespace layerboost {
namespace {

Json finish_reason(FinishReason reason) { return reason == FinishReason::none ? Json() : Json(name_of(reason)); }

/// Characters that begin in `bytes`.
std::size_t characters(std::string_view bytes) {
  return static_cast<std::size_t>(std::count_if(
      bytes.begin(), bytes.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

class CompletionChoice final : public Choice {
 public:
  CompletionChoice(const ApiRequest& request, const ApiPrompt& prompt, const Tokenizer& tokenizer, int index)
      : request_(request), prompt_(prompt), tokenizer_(tokenizer), index_(index) {
    if (request.echo) text_ = prompt.text;
  }

  void add(const Output& output) override {
    if (!output.prompt_logprobs.empty()) add_prompt(output);
    for (const TokenLogprob& token : output.logprobs) {
      columns_.add(tokenizer_, token.token, &token, offset_);
      if (!tokenizer_.is_special(token.token)) offset_ += characters(tokenizer_.bytes(token.token));
    }
    text_ += output.text;
    finish_ = output.finish;
  }

  Json take(bool) override {
    return {{"index", index_},
            {"text", std::exchange(text_, {})},
            {"logprobs", request_.settings.logprobs < 0 ? Json() : columns_.take()},
            {"finish_reason", finish_reason(finish_)}};
  }

 private:
  void add_prompt(const Output& output) {
    for (std::size_t i = 0; i < prompt_.tokens.size(); ++i) {
      const auto& probability = output.prompt_logprobs[i];
      columns_.add(tokenizer_, prompt_.tokens[i], probability ? &*probability : nullptr, offset_);
      const bool in_text = i > 0 || !prompt_.bos_added;
      if (in_text) offset_ += characters(tokenizer_.bytes(prompt_.tokens[i]));
    }
  }

  const ApiRequest& request_;
  const ApiPrompt& prompt_;
  const Tokenizer& tokenizer_;
  int index_;
  std::string text_;
  LogprobColumns columns_;
  std::size_t offset_ = 0;
  FinishReason finish_ = FinishReason::none;
};

class ChatChoice final : public Choice {
 public:
  ChatChoice(const ApiRequest& request, const Tokenizer& tokenizer, int index)
      : request_(request), tokenizer_(tokenizer), index_(index) {}

  void add(const Output& output) override {
    for (const TokenLogprob& token : output.logprobs) logprobs_.push_back(chat_logprob(tokenizer_, token));
    text_ += output.text;
    finish_ = output.finish;
  }

  Json take(bool piece) override {
    Json message = Json::object();
    if (std::exchange(first_, false)) message["role"] = "assistant";
    message["content"] = std::exchange(text_, {});
    Json logprobs;
    if (request_.settings.logprobs >= 0) logprobs = {{"content", std::exchange(logprobs_, Json::array())}};
    return {{"index", index_},
            {piece ? "delta" : "message", std::move(message)},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", finish_reason(finish_)}};
  }

 private:
  const ApiRequest& request_;
  const Tokenizer& tokenizer_;
  int index_;
  bool first_ = true;
  std::string text_;
  Json logprobs_ = Json::array();
  FinishReason finish_ = FinishReason::none;
};

}  // namespace

std::unique_ptr<Choice> make_choice(const ApiRequest& request, const ApiPrompt& prompt, const Tokenizer& tokenizer,
                                    int index) {
  if (request.chat) return std::make_unique<ChatChoice>(request, tokenizer, index);
  return std::make_unique<CompletionChoice>(request, prompt, tokenizer, index);
}

}  // namespace layerboost
