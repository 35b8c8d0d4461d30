// What requests for the engine's work come down to, whatever their address, and reading it from their JSON.
#pragma once

#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"
#include "grammar/constraint.h"
#include "server/api_error.h"
#include "server/fields.h"
#include "server/limits.h"
#include "server/request_fields.h"
#include "server/tools.h"
#include "text/chat_template.h"
#include "text/plain_messages.h"

namespace layerboost {

struct ApiPrompt {
  std::vector<TokenId> tokens;
  std::string text;        // what `echo` gives back in front of the answer; of tokens only where that is asked for
  bool bos_added = false;  // tokens[0] is a BOS that `text` doesn't have
  std::string ids = {};    // the tokens as JSON, where the answer has them
};

/// What /tokenize answers.
struct TokenizedText {
  std::vector<TokenId> tokens;
  std::optional<std::vector<std::string>> strings = {};  // of each token as the vocabulary writes it, if asked for
};

struct ApiRequest {
  Endpoint endpoint = Endpoint::completions;
  std::string model = {};          // the name that the answer has
  std::vector<ApiPrompt> prompts;  // at least one
  int choices = 1;                 // of each prompt
  bool stream = false, include_usage = false;
  bool continuous_usage = false;      // each piece of a stream has its choice's, beside that of the whole at the end
  bool echo = false;                  // ApiPrompt::text is the beginning of the text
  int prompt_logprobs = -1;           // that the answer has by themselves; settings: those that it needs
  bool tokens_as_ids = false;         // log-probabilities name tokens by their ids
  bool token_ids = false;             // the answer has the ids of its tokens, and of the prompt's
  std::optional<std::uint64_t> seed;  // empty: any
  GenerationRequest settings;         // all but prompt and seed; plan: the level, if it mustn't be another
  std::shared_ptr<const Constraint> constraint = {};  // what each choice must fit
  std::string form_field = {};                        // that says so
  std::optional<ToolFormat> tool_format = {};         // how its calls of tools are written; empty: it is all text
  bool one_call = false;                              // at most
  bool base64 = false;                                // embeddings are sent as the bytes of f32
  std::string repeated = {};  // members of an answer of the Responses API: what was asked, as JSON

  /// Of the answer's choice `sequence`: each prompt has `choices`, one after the other.
  [[nodiscard]] const ApiPrompt& prompt_of(std::size_t sequence) const {
    return prompts[sequence / static_cast<std::size_t>(choices)];
  }
};

/// What those are told who ask for a model by a name that isn't one of its `names`.
ApiError model_not_found(const std::string& asked, const std::vector<std::string>& names);

/// What requests are read with; immutable.
struct ApiReader {
  const Tokenizer& tokenizer;
  const ChatTemplate* chat = nullptr;    // nullptr: the model has none
  std::vector<std::string> model_names;  // at least one; answers have the first where requests name none
  Limits limits;
  Sampling sampling{.temperature = 1};  // where a request doesn't say it
  int embeddings = INT_MAX;             // of the model, which may have fewer than the tokenizer has tokens
  int hidden = 0;                       // D, the numbers of an embedding
  /// [levels] positions of a sequence that is to have this level from beginning to end, at most limits.positions;
  /// empty: there is no ladder.
  std::vector<int> level_positions = {};
  /// The highest level of a sequence with so long a prompt that names none: Engine::highest_plan(); empty: there is no
  /// ladder.
  std::function<int(int prompt)> highest_level_of = {};
  /// Where control tokens in messages are plain text; nullptr: they are control tokens.
  const PlainMessages* plain_messages = nullptr;
  /// The tokenizer's, for answers that are to have a form; nullptr: made for each. That of calls has their tags, where
  /// these are control tokens.
  std::shared_ptr<const Vocabulary> vocabulary = {}, vocabulary_of_calls = {};
  /// How the model writes calls of tools; nullopt: in a form that isn't read.
  std::optional<ToolFormat> tool_format = ToolFormat::hermes;
  bool told_of_tools = true;  // whether the chat template tells the model of tools

  /// Read the bodies of /v1/completions, /v1/chat/completions, /v1/responses, /v1/embeddings. Any bytes may come:
  /// throws ApiError for what isn't a good request. They take long for long prompts. `level`: what the request's head
  /// asks for, where the body doesn't. Thread-safe.
  [[nodiscard]] ApiRequest completion(std::string_view body, const std::optional<std::string>& level = {}) const;
  [[nodiscard]] ApiRequest chat_completion(std::string_view body, const std::optional<std::string>& level = {}) const;

  [[nodiscard]] ApiRequest response(std::string_view body, const std::optional<std::string>& level = {}) const;
  [[nodiscard]] ApiRequest embedding(std::string_view body, const std::optional<std::string>& level = {}) const;

  /// The tokens of /tokenize's body ("prompt" or "messages"), the text of /detokenize's ("tokens").
  [[nodiscard]] TokenizedText tokenize(std::string_view body) const;
  [[nodiscard]] std::string detokenize(std::string_view body) const;

 private:
  [[nodiscard]] std::vector<ApiPrompt> prompts(const Fields& fields, const char* name, int most) const;
  [[nodiscard]] ApiPrompt text_prompt(std::string text, bool add_special) const;
  [[nodiscard]] std::vector<TokenId> tokens_of(const Fields& fields) const;
  struct Conversation;
  [[nodiscard]] ApiPrompt chat_prompt(const Fields& fields, Conversation conversation) const;
  [[nodiscard]] Json parse(std::string_view body, Endpoint endpoint) const;
  [[nodiscard]] ApiRequest request_for(const Fields& fields, Endpoint endpoint) const;
  void read_common(const Fields& fields, ApiRequest& request, ToolUse tools = {}) const;
  void read_what_is_told(const Fields& fields, ApiRequest& request) const;
  void read_level(const Fields& fields, const std::optional<std::string>& head, ApiRequest& request) const;
  void read_form(const Fields& fields, std::optional<Grammar> calls, ApiRequest& request) const;
  void check_tokens(const ApiRequest& request) const;
  void check_length(ApiRequest& request, std::optional<std::int64_t> max_tokens) const;
  [[nodiscard]] int highest_level() const;
  [[nodiscard]] int positions_of(const ApiRequest& request, int prompt) const;
  [[nodiscard]] std::size_t most_numbers(const ApiRequest& request) const;
  void check_numbers(const ApiRequest& request) const;
};

}  // namespace layerboost
