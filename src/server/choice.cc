#include "server/choice.h"

#include <utility>

#include "server/json_answer.h"
#include "server/prompt_facts.h"
#include "server/token_logprobs.h"
#include "server/tools.h"

namespace layerboost {
namespace {

/// Appends what all kinds of entries end with. `calls`: the text has calls of tools.
void write_finish(FinishReason reason, std::string& json, bool calls = false) {
  json += R"(,"finish_reason":)";
  if (reason == FinishReason::none)
    json += "null";
  else
    json += fmt::format("\"{}\"", calls && reason == FinishReason::stop ? "tool_calls" : name_of(reason));
  json += '}';
}

/// The ids of tokens that are written, where they are asked for.
class WrittenIds {
 public:
  explicit WrittenIds(const ApiRequest& request) : wanted_(request.token_ids) {}

  void add(const Output& output) {
    if (!wanted_) return;
    ids_.insert(ids_.end(), output.tokens.begin(), output.tokens.end());
    if (output.ended_by >= 0) ids_.push_back(output.ended_by);
  }

  void take(std::string& json) {
    if (!wanted_) return;
    json += R"(,"token_ids":)";
    write_ids(std::exchange(ids_, {}), json);
  }

  [[nodiscard]] std::size_t size() const { return ids_.size(); }

 private:
  bool wanted_;
  std::vector<TokenId> ids_;
};

class CompletionChoice final : public Choice {
 public:
  CompletionChoice(const ApiRequest& request, const ApiPrompt& prompt, const Tokenizer& tokenizer, int index)
      : request_(request),
        prompt_(prompt),
        tokenizer_(tokenizer),
        index_(index),
        logprobs_(request.tokens_as_ids),
        bytes_(tokenizer, prompt.tokens),
        facts_(request, prompt, tokenizer),
        ids_(request) {
    if (request.echo) text_ = prompt.text;
  }

  void add(const Output& output) override {
    facts_.add(output);
    ids_.add(output);
    if (request_.echo && request_.settings.logprobs >= 0 && !output.prompt_logprobs.empty()) add_prompt(output);
    for (const TokenLogprob& token : output.logprobs) {
      logprobs_.add(token, offset_);
      if (!request_.settings.skip_special || !tokenizer_.is_special(token.token))
        offset_ += characters(bytes_.next(token.token));
    }
    text_ += output.text;
    finish_ = output.finish;
  }

  void take(bool, std::string& json) override {
    json += fmt::format(R"({{"index":{},"text":)", index_) + json_line(Json(std::exchange(text_, {})));
    json += R"(,"logprobs":)";
    if (request_.settings.logprobs < 0)
      json += "null";
    else
      logprobs_.write_columns(tokenizer_, json);
    logprobs_.clear();
    facts_.take(json);
    ids_.take(json);
    write_finish(finish_, json);
  }

  [[nodiscard]] std::size_t numbers() const override { return logprobs_.size() + facts_.size() + ids_.size(); }

 private:
  void add_prompt(const Output& output) {
    TokenBytes bytes(tokenizer_);
    for (std::size_t i = 0; i < prompt_.tokens.size(); ++i) {
      const auto& probability = output.prompt_logprobs[i];
      if (probability)
        logprobs_.add(*probability, offset_, static_cast<std::size_t>(request_.settings.logprobs));
      else
        logprobs_.add_first(prompt_.tokens[i]);
      const bool in_text = i > 0 || !prompt_.bos_added;
      if (in_text) offset_ += characters(bytes.next(prompt_.tokens[i]));
    }
  }

  const ApiRequest& request_;
  const ApiPrompt& prompt_;
  const Tokenizer& tokenizer_;
  int index_;
  std::string text_;
  LogprobList logprobs_;
  TokenBytes bytes_;  // of what is written
  std::size_t offset_ = 0;
  PromptFacts facts_;
  WrittenIds ids_;
  FinishReason finish_ = FinishReason::none;
};

class ChatChoice final : public Choice {
 public:
  ChatChoice(const ApiRequest& request, const ApiPrompt& prompt, const Tokenizer& tokenizer, int index)
      : request_(request), tokenizer_(tokenizer), index_(index), logprobs_(request.tokens_as_ids), ids_(request) {
    if (request.echo) text_ = prompt.text;
    if (request.tool_format) calls_.emplace(*request.tool_format, request.one_call);
  }

  void add(const Output& output) override {
    for (const TokenLogprob& token : output.logprobs) logprobs_.add(token);
    ids_.add(output);
    finish_ = output.finish;
    if (!calls_) {
      text_ += output.text;
      return;
    }
    add_calls(calls_->push(output.text));
    if (finish_ != FinishReason::none) add_calls(calls_->finish());
  }

  void take(bool piece, std::string& json) override {
    Json message = Json::object();
    if (std::exchange(first_, false)) message["role"] = "assistant";
    const bool only_calls = !pieces_.empty() && text_.empty();
    message["content"] = only_calls ? Json() : Json(std::exchange(text_, {}));
    if (piece && only_calls) message.erase("content");
    if (!piece) message["refusal"] = nullptr;
    if (!pieces_.empty()) message["tool_calls"] = take_calls(piece);
    json += fmt::format(R"({{"index":{},"{}":)", index_, piece ? "delta" : "message") + json_line(message);
    json += R"(,"logprobs":)";
    if (request_.settings.logprobs < 0) {
      json += "null";
    } else {
      json += R"({"content":)";
      logprobs_.write_entries(tokenizer_, json);
      json += R"(,"refusal":null})";
    }
    logprobs_.clear();
    ids_.take(json);
    write_finish(finish_, json, calls_ && calls_->calls() > 0);
  }

  [[nodiscard]] std::size_t numbers() const override { return logprobs_.size() + ids_.size(); }

 private:
  /// Pieces of one call that come together become one.
  void add_calls(ToolText&& text) {
    text_ += text.content;
    for (ToolText::Piece& piece : text.pieces) {
      if (piece.name.empty() && !pieces_.empty())
        pieces_.back().arguments += piece.arguments;
      else
        pieces_.push_back(std::move(piece));
    }
  }

  Json take_calls(bool piece) {
    Json calls = Json::array();
    for (const ToolText::Piece& part : std::exchange(pieces_, {})) {
      Json call = Json::object();
      if (piece) call["index"] = part.call;
      Json function = Json::object();
      if (!part.name.empty()) {
        call["id"] = new_call_id(*request_.tool_format);
        call["type"] = "function";
        function["name"] = part.name;
      }
      function["arguments"] = part.arguments;
      call["function"] = std::move(function);
      calls.push_back(std::move(call));
    }
    return calls;
  }

  const ApiRequest& request_;
  const Tokenizer& tokenizer_;
  int index_;
  bool first_ = true;
  std::optional<ToolCallReader> calls_;  // where the text may have calls of tools
  std::vector<ToolText::Piece> pieces_;
  std::string text_;
  LogprobList logprobs_;
  WrittenIds ids_;
  FinishReason finish_ = FinishReason::none;
};

}  // namespace

std::unique_ptr<Choice> make_choice(const ApiRequest& request, const ApiPrompt& prompt, const Tokenizer& tokenizer,
                                    int index) {
  if (request.endpoint == Endpoint::chat) return std::make_unique<ChatChoice>(request, prompt, tokenizer, index);
  return std::make_unique<CompletionChoice>(request, prompt, tokenizer, index);
}

}  // namespace layerboost
