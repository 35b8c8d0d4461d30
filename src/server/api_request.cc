#include "server/api_request.h"

#include <algorithm>

#include "eval/bos.h"
#include "server/api_error.h"
#include "server/chat_messages.h"
#include "server/sampling_fields.h"

namespace layerboost {
namespace {

/// null, false, "", "none", [] and {}.
bool asks_for_nothing(const Json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (!value.is_string()) return value.empty();
  const auto& word = value.get_ref<const std::string&>();
  return word.empty() || word == "none";
}

/// Fields that would change the answer in a way that this server can't. Absent, null, false, "none" and empty are fine.
void refuse_unsupported(const Fields& fields, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    const Json* const value = fields.find(name);
    if (value == nullptr || asks_for_nothing(*value)) continue;
    refuse(name, "\"{}\" is not supported by this server; leave it out", name);
  }
}

void read_response_format(const Fields& fields) {
  const Json* const format = fields.find("response_format");
  if (format == nullptr) return;
  const bool text = format->is_object() && format->contains("type") && (*format)["type"] == "text";
  if (!text)
    refuse("response_format", R"("response_format" can only be {{"type": "text"}}; ask for JSON in the prompt)");
}

bool is_token(const Json& value) { return value.is_number(); }

}  // namespace

Json ApiReader::parse(std::string_view body) const {
  Json json = parse_body(body, limits.json_depth);
  const auto model = Fields(json).text("model");
  if (model && *model != model_name)
    throw ApiError(404, "invalid_request_error",
                   fmt::format("the model \"{}\" is not here; this server has \"{}\"", *model, model_name), "model",
                   "model_not_found");
  return json;
}

ApiPrompt ApiReader::text_prompt(std::string text, bool add_special) const {
  const TokenId bos = add_special ? bos_token(tokenizer, BosMode::automatic) : -1;
  ApiPrompt prompt{tokenizer.encode(text), std::move(text), false};
  prompt.bos_added = bos >= 0 && (prompt.tokens.empty() || prompt.tokens.front() != bos);
  if (prompt.bos_added) prompt.tokens.insert(prompt.tokens.begin(), bos);
  return prompt;
}

std::vector<ApiPrompt> ApiReader::prompts(const Fields& fields) const {
  const Json* const given = fields.find("prompt");
  const bool add_special = fields.flag("add_special_tokens", true);
  const auto make = [&](const Json& prompt) {
    if (prompt.is_string()) return text_prompt(prompt.get<std::string>(), add_special);
    if (!prompt.is_array() || prompt.empty())
      refuse("prompt", "\"prompt\" must be a string, a list of token ids, or a list of either");
    ApiPrompt made{token_list(prompt, tokenizer.size(), "prompt"), "", false};
    made.text = tokenizer.decode(made.tokens);
    return made;
  };
  if (given == nullptr) refuse("prompt", "\"prompt\" is missing: the text to go on from");
  std::vector<ApiPrompt> made;
  if (given->is_array() && !given->empty() && !is_token(given->front())) {
    if (given->size() > static_cast<std::size_t>(limits.choices))
      refuse("prompt", "\"prompt\" has {} prompts; send at most {} in one request", given->size(), limits.choices);
    for (const Json& prompt : *given) made.push_back(make(prompt));
  } else {
    made.push_back(make(*given));
  }
  for (ApiPrompt& prompt : made) {
    if (!prompt.tokens.empty()) continue;
    const TokenId prefix = prefix_token(tokenizer);
    if (prefix < 0) refuse("prompt", "\"prompt\" is empty, and the model has no token to begin a text with");
    prompt.tokens = {prefix};
    prompt.bos_added = true;
  }
  return made;
}

ApiPrompt ApiReader::chat_prompt(const Fields& fields) const {
  if (chat == nullptr)
    refuse("messages", "the model has no chat template; send the whole text to /v1/completions instead");
  ChatInput input;
  input.messages = read_messages(fields);
  input.add_generation_prompt = fields.flag("add_generation_prompt", true);
  if (const Json* const variables = fields.find("chat_template_kwargs")) {
    if (!variables->is_object()) refuse("chat_template_kwargs", "\"chat_template_kwargs\" must be an object");
    input.variables = *variables;
  }
  try {
    ApiPrompt prompt{{}, chat->render(input), false};
    prompt.tokens = tokenizer.encode(prompt.text);
    if (prompt.tokens.empty()) refuse("messages", "the model's chat template makes no text of these messages");
    return prompt;
  } catch (const Error& error) {
    refuse("messages", "the model's chat template refuses these messages: {}", error.what());
  }
}

void ApiReader::read_common(const Fields& fields, ApiRequest& request) const {
  request.settings.sampling = read_sampling(fields, tokenizer.size());
  read_stops(fields, tokenizer.size(), limits, request.settings);
  request.choices = static_cast<int>(fields.integer("n", 1, limits.choices).value_or(1));
  const std::size_t choices = request.prompts.size() * static_cast<std::size_t>(request.choices);
  if (choices > static_cast<std::size_t>(limits.choices))
    refuse("n", "prompts times \"n\" are {}; ask for at most {} choices in one request", choices, limits.choices);
  const auto seed =
      fields.integer("seed", std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  if (seed) request.seed = static_cast<std::uint64_t>(*seed);
  request.stream = fields.flag("stream", false);
  if (const Json* const options = fields.find("stream_options")) {
    if (!request.stream) refuse("stream_options", R"("stream_options" needs "stream": true)");
    if (!options->is_object()) refuse("stream_options", "\"stream_options\" must be an object");
    request.include_usage = Fields(*options, "stream_options.").flag("include_usage", false);
  }
  read_response_format(fields);
}

void ApiReader::check_length(ApiRequest& request, std::optional<std::int64_t> max_tokens) const {
  std::size_t longest = 0;
  for (const ApiPrompt& prompt : request.prompts) longest = std::max(longest, prompt.tokens.size());
  const std::int64_t prompt = static_cast<std::int64_t>(longest);
  const std::int64_t most = limits.max_tokens > 0 ? limits.max_tokens : limits.positions;
  if (max_tokens && *max_tokens > most) refuse("max_tokens", "\"max_tokens\" must be at most {} on this server", most);
  const std::int64_t asked = max_tokens.value_or(std::clamp<std::int64_t>(limits.positions - prompt, 1, most));
  if (prompt + asked > limits.positions) {
    throw ApiError(400, "invalid_request_error",
                   fmt::format("this model's maximum context length is {} tokens; the prompt has {} and {} are to be "
                               "written: shorten the prompt or ask for fewer with \"max_tokens\"",
                               limits.positions, prompt, asked),
                   request.chat ? "messages" : "prompt", "context_length_exceeded");
  }
  request.settings.max_tokens = static_cast<int>(asked);
  if (request.settings.min_tokens > asked)
    refuse("min_tokens", "\"min_tokens\" must be at most the {} tokens that are to be written", asked);
}

void ApiReader::check_prompt_logprobs(const ApiRequest& request) const {
  std::size_t entries = 0;
  for (const ApiPrompt& prompt : request.prompts) entries += prompt.tokens.size();
  entries *= static_cast<std::size_t>(request.choices) * static_cast<std::size_t>(request.settings.logprobs + 1);
  if (entries > limits.prompt_logprobs)
    refuse("echo",
           "\"echo\" with \"logprobs\" asks for {} log-probabilities of prompts; ask for at most {} in one request",
           entries, limits.prompt_logprobs);
}

ApiRequest ApiReader::completion(std::string_view body) const {
  const Json json = parse(body);
  const Fields fields(json);
  ApiRequest request;
  request.prompts = prompts(fields);
  read_common(fields, request);
  request.echo = fields.flag("echo", false);
  const auto logprobs = fields.integer("logprobs", 0, limits.logprobs);
  request.settings.logprobs = static_cast<int>(logprobs.value_or(-1));
  request.settings.prompt_logprobs = request.echo && logprobs;
  const int usual = limits.max_tokens > 0 ? std::min(16, limits.max_tokens) : 16;
  check_length(request, fields.integer("max_tokens", 0, std::numeric_limits<int>::max()).value_or(usual));
  if (request.settings.prompt_logprobs) check_prompt_logprobs(request);
  // lm-evaluation-harness scores a prompt by asking for one token beyond it, and counts on there being one.
  if (request.settings.prompt_logprobs && request.settings.max_tokens == 1) request.settings.ignore_eos = true;
  const auto best_of = fields.integer("best_of", 1, limits.choices);
  if (best_of && *best_of != request.choices) refuse("best_of", "\"best_of\" must equal \"n\"; leave it out");
  refuse_unsupported(fields, {"suffix"});
  return request;
}

ApiRequest ApiReader::chat_completion(std::string_view body) const {
  const Json json = parse(body);
  const Fields fields(json);
  refuse_unsupported(fields, {"tools", "tool_choice", "functions", "function_call", "audio"});
  ApiRequest request;
  request.chat = true;
  request.prompts = {chat_prompt(fields)};
  read_common(fields, request);
  const auto top = fields.integer("top_logprobs", 0, limits.logprobs);
  if (fields.flag("logprobs", false)) {
    request.settings.logprobs = static_cast<int>(top.value_or(0));
  } else if (top) {
    refuse("top_logprobs", R"("top_logprobs" needs "logprobs": true)");
  }
  constexpr int any = std::numeric_limits<int>::max();
  const auto max_tokens = fields.integer("max_completion_tokens", 1, any);
  check_length(request, max_tokens ? max_tokens : fields.integer("max_tokens", 1, any));
  return request;
}

std::vector<TokenId> ApiReader::tokenize(std::string_view body) const {
  const Json json = parse(body);
  const Fields fields(json);
  if (fields.find("messages") != nullptr) return chat_prompt(fields).tokens;
  const auto text = fields.text("prompt");
  if (!text) refuse("prompt", "\"prompt\" is missing: the text, or \"messages\" of a conversation");
  return text_prompt(*text, fields.flag("add_special_tokens", true)).tokens;
}

std::string ApiReader::detokenize(std::string_view body) const {
  const Json json = parse(body);
  const Json* const tokens = Fields(json).find("tokens");
  if (tokens == nullptr || !tokens->is_array()) refuse("tokens", "\"tokens\" must be a list of token ids");
  return tokenizer.decode(token_list(*tokens, tokenizer.size(), "tokens"));
}

}  // namespace layerboost
