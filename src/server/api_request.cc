#include "server/api_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/in_quotes.h"
#include "generate/bos.h"
#include "server/answer_form.h"
#include "server/api_error.h"
#include "server/chat_messages.h"
#include "server/json_answer.h"
#include "server/response_fields.h"
#include "server/sampling_fields.h"
#include "text/chat_messages.h"

namespace layerboost {
namespace {

/// The tokens to be written, under any of their names; -1 (llama.cpp's "n_predict") and none: as many as fit.
std::optional<std::int64_t> read_max_tokens(const Fields& fields, std::int64_t least) {
  constexpr int any = std::numeric_limits<int>::max();
  const auto predict = fields.integer("n_predict", -1, any);
  if (predict == -1) return std::nullopt;
  if (predict) return fields.integer("n_predict", least, any);
  const auto tokens = fields.integer("max_completion_tokens", least, any);
  return tokens ? tokens : fields.integer("max_tokens", least, any);
}

/// A header's value as a level.
int level_in_head(const std::string& value, int highest) {
  int level = -1;
  const char* const end = value.data() + value.size();
  const auto [read, error] = std::from_chars(value.data(), end, level);
  if (error == std::errc() && read == end && level >= 0 && level <= highest) return level;
  if (highest == 0) refuse("", "the header X-Layerboost-Level can only be 0: this server has no other levels");
  refuse("", "the header X-Layerboost-Level must be an integer from 0 to {}, the levels of this server", highest);
}

bool is_token(const Json& value) { return value.is_number(); }

/// The field that a request's prompts come from.
const char* prompt_field(const ApiRequest& request) {
  if (request.endpoint == Endpoint::embeddings || request.endpoint == Endpoint::responses) return "input";
  return request.endpoint == Endpoint::chat ? "messages" : "prompt";
}

/// The field that says how many tokens are to be written.
const char* length_field(const ApiRequest& request) {
  return request.endpoint == Endpoint::responses ? "max_output_tokens" : "max_tokens";
}

/// What a field asks for beside the text: log-probabilities, with their alternatives, and ids of tokens.
struct Numbers {
  const char* field;
  std::size_t of_a_token = 0;  // one of each sequence
  std::size_t of_prompts = 0;
};

std::array<Numbers, 3> numbers_of(const ApiRequest& request) {
  std::size_t prompts = 0;  // tokens
  for (const ApiPrompt& prompt : request.prompts) prompts += prompt.tokens.size();
  const auto choices = static_cast<std::size_t>(request.choices), sequences = request.prompts.size() * choices;
  const std::size_t told = request.endpoint == Endpoint::chat ? prompts : prompts * choices;  // a chat's once
  const auto logprobs = static_cast<std::size_t>(request.settings.logprobs + 1);
  const bool echoes = request.echo && request.endpoint == Endpoint::completions;
  return {{{request.endpoint == Endpoint::responses ? "top_logprobs" : "logprobs", sequences * logprobs,
            echoes ? prompts * choices * logprobs : 0},
           {"prompt_logprobs", 0, told * static_cast<std::size_t>(request.prompt_logprobs + 1)},
           {"return_token_ids", request.token_ids ? sequences : 0, request.token_ids ? told : 0}}};
}

/// The name by which a request asks for the model; an empty one is as good as none.
std::optional<std::string> asked_model(const Fields& fields) {
  std::optional<std::string> name = fields.text("model");
  if (name && name->empty()) name.reset();
  return name;
}

ApiError too_long(const ApiRequest& request, const std::string& message) {
  return {400, "invalid_request_error", message, prompt_field(request), "context_length_exceeded"};
}

}  // namespace

ApiError model_not_found(const std::string& asked, const std::vector<std::string>& names) {
  std::string here;
  for (const std::string& name : names) here += (here.empty() ? "" : ", ") + in_quotes(name);
  return {404, "invalid_request_error",
          fmt::format("the model {} is not here; this server has {}", in_quotes(asked), here), "model",
          "model_not_found"};
}

Json ApiReader::parse(std::string_view body, Endpoint endpoint) const {
  Json json = parse_body(body, limits.json_depth);
  check_fields(json, endpoint);
  const auto model = asked_model(Fields(json));
  if (model && std::ranges::find(model_names, *model) == model_names.end()) throw model_not_found(*model, model_names);
  return json;
}

/// With what all requests have that are the engine's work.
ApiRequest ApiReader::request_for(const Fields& fields, Endpoint endpoint) const {
  ApiRequest request;
  request.endpoint = endpoint;
  request.model = asked_model(fields).value_or(model_names.front());
  return request;
}

ApiPrompt ApiReader::text_prompt(std::string text, bool add_special) const {
  const TokenId bos = add_special ? bos_token(tokenizer, BosMode::automatic) : -1;
  std::vector<TokenId> tokens = encode_with_bos(tokenizer, text, bos);
  return {std::move(tokens), std::move(text), bos >= 0};
}

/// The texts and tokens of the field `name`, `most` of them at most.
std::vector<ApiPrompt> ApiReader::prompts(const Fields& fields, const char* name, int most) const {
  const Json* const given = fields.find(name);
  const bool add_special = fields.flag("add_special_tokens", true);
  const auto make = [&](const Json& prompt) {
    if (prompt.is_string()) return text_prompt(prompt.get<std::string>(), add_special);
    if (!prompt.is_array() || prompt.empty())
      refuse(name, "\"{}\" must be a string, a list of token ids, or a list of either", name);
    constexpr std::string_view advice = ", those of this model's tokenizer; send texts instead";
    return ApiPrompt{token_list(prompt, tokenizer.size(), name, advice), "", false};
  };
  std::vector<ApiPrompt> made;
  if (given->is_array() && !given->empty() && !is_token(given->front())) {
    if (given->size() > static_cast<std::size_t>(most))
      refuse(name, "\"{}\" has {} texts; send at most {} in one request", name, given->size(), most);
    for (const Json& prompt : *given) made.push_back(make(prompt));
  } else {
    made.push_back(make(*given));
  }
  return made;
}

/// What a chat template is given.
struct ApiReader::Conversation {
  const char* field;  // that has the messages
  Json messages;
  const Json& tools;
  std::optional<std::string> effort;  // of reasoning
};

ApiPrompt ApiReader::chat_prompt(const Fields& fields, Conversation conversation) const {
  const char* const field = conversation.field;
  if (chat == nullptr) refuse(field, "the model has no chat template; send the whole text to /v1/completions instead");
  ChatInput input;
  input.messages = std::move(conversation.messages);
  input.tools = conversation.tools;
  input.add_generation_prompt = fields.flag("add_generation_prompt", true);
  input.continue_last = fields.flag("continue_final_message", false);
  if (input.continue_last && input.add_generation_prompt)
    refuse("continue_final_message", R"("continue_final_message" needs "add_generation_prompt": false)");
  if (input.continue_last && Fields(fields.find(field)->back()).find("content") == nullptr)
    refuse(field, "the last message has no \"content\" that could be continued");
  if (const Json* const variables = fields.object("chat_template_kwargs")) input.variables = *variables;
  // As vLLM does; templates that know no such thing don't look at it.
  if (conversation.effort && !input.variables.contains("reasoning_effort"))
    input.variables["reasoning_effort"] = *conversation.effort;
  if (plain_messages != nullptr) {
    // Arguments of tool calls are read first: JSON may write a control token in escapes.
    input.messages = plain_messages->marked(messages_for_template(input.messages, ContentForms()));
    input.tools = plain_messages->marked(input.tools);
    input.variables = plain_messages->marked(input.variables);
  }
  ApiPrompt prompt;
  try {
    prompt.text = chat->render(input);
  } catch (const Error& error) {
    refuse(field, "the model's chat template refuses these messages: {}", printable(error.what()));
  }
  if (plain_messages != nullptr) {
    PlainMessages::Encoded encoded = plain_messages->encode(prompt.text);
    prompt.tokens = std::move(encoded.tokens);
    prompt.text = std::move(encoded.text);
  } else {
    prompt.tokens = tokenizer.encode(prompt.text);
  }
  if (prompt.tokens.empty()) refuse(field, "the model's chat template makes no text of these messages");
  return prompt;
}

void ApiReader::read_common(const Fields& fields, ApiRequest& request, ToolUse tools) const {
  const TokenId vocab = std::min(tokenizer.size(), embeddings);
  request.settings.sampling = read_sampling(fields, vocab, sampling);
  request.settings.sampling.filter = read_token_filter(fields, tokenizer, vocab, limits);
  const Sampling& asked = request.settings.sampling;
  const bool penalties = asked.repetition_penalty != 1 || asked.presence_penalty != 0 || asked.frequency_penalty != 0;
  if (const Json* const last = fields.find("repeat_last_n"); last != nullptr && penalties && *last != -1)
    refuse("repeat_last_n", "\"repeat_last_n\" can only be -1 beside a penalty: penalties look at the whole text");
  read_stops(fields, vocab, limits, request.settings);
  request.choices = static_cast<int>(fields.integer("n", 1, limits.choices).value_or(1));
  const std::size_t choices = request.prompts.size() * static_cast<std::size_t>(request.choices);
  if (choices > static_cast<std::size_t>(limits.choices))
    refuse("n", "prompts times \"n\" are {}; ask for at most {} choices in one request", choices, limits.choices);
  const auto seed =
      fields.integer("seed", std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  if (seed) request.seed = static_cast<std::uint64_t>(*seed);
  request.stream = fields.flag("stream", false);
  if (const Json* const options = fields.object("stream_options")) {
    if (!request.stream) refuse("stream_options", R"("stream_options" needs "stream": true)");
    check_options(*options, "stream_options", request.endpoint);
    const Fields own(*options, "stream_options.");
    request.include_usage = own.flag("include_usage", false);
    request.continuous_usage = own.flag("continuous_usage_stats", false) && request.include_usage;
  }
  const auto best_of = fields.integer("best_of", 1, limits.choices);
  if (best_of && *best_of != request.choices) refuse("best_of", "\"best_of\" must equal \"n\"; leave it out");
  read_what_is_told(fields, request);
  request.tool_format = tools.format;
  request.one_call = tools.one_call;
  if (tools.format) request.settings.shown_tokens = tags_of(*tools.format, tokenizer);
  read_form(fields, std::move(tools.form), request);
  // What ends the text is no part of its form, and no content beside calls.
  if (request.constraint != nullptr || request.tool_format) request.settings.include_end = false;
}

/// What vLLM's answers tell beside the text.
void ApiReader::read_what_is_told(const Fields& fields, ApiRequest& request) const {
  request.tokens_as_ids = fields.flag("return_tokens_as_token_ids", false);
  request.token_ids = fields.flag("return_token_ids", false);
  for (ApiPrompt& prompt : request.prompts)
    if (request.token_ids) write_ids(prompt.tokens, prompt.ids);
  request.prompt_logprobs = static_cast<int>(fields.integer("prompt_logprobs", 0, limits.logprobs).value_or(-1));
  if (request.prompt_logprobs < 0) return;
  if (request.stream) refuse("prompt_logprobs", R"("prompt_logprobs" are not available with "stream": true)");
  request.settings.prompt_logprobs = request.prompt_logprobs;
  request.settings.prompt_ranks = true;
}

/// What the answer is to fit. It ends as that says. `calls`: the form of calls that it has to be.
void ApiReader::read_form(const Fields& fields, std::optional<Grammar> calls, ApiRequest& request) const {
  std::optional<AnswerForm> form = read_answer_form(fields);
  if (form && request.tool_format)
    refuse("tools",
           R"("tools" are not supported beside a form of the answer; send "tool_choice": "none" or one of both)");
  const bool shows = calls && !request.settings.shown_tokens.empty();
  if (calls) form = AnswerForm{std::move(*calls), "tools"};
  if (!form) return;
  if (request.settings.min_tokens > 0)
    refuse("min_tokens", "\"min_tokens\" is not supported beside a form of the answer, which says where it ends");
  std::shared_ptr<const Vocabulary> tokens = shows ? vocabulary_of_calls : vocabulary;
  if (tokens == nullptr)
    tokens = std::make_shared<const Vocabulary>(tokenizer, embeddings,
                                                shows ? request.settings.shown_tokens : std::vector<TokenId>());
  const LookingLimits looking{.sequences = request.choices * static_cast<int>(request.prompts.size())};
  // Here nobody waits for it but other requests that are to be read.
  request.constraint = std::make_shared<const Constraint>(std::move(form->grammar), std::move(tokens), looking,
                                                          tokenizer.leading_spaces(request.prompts.front().tokens));
  request.form_field = std::move(form->field);
  if (!request.constraint->can_begin())
    refuse(request.form_field, "\"{}\" leaves too much open where the answer begins: use a simpler form",
           request.form_field);
}

int ApiReader::highest_level() const {
  return level_positions.empty() ? 0 : static_cast<int>(std::ssize(level_positions)) - 1;
}

/// The positions that a sequence with so long a prompt may have.
int ApiReader::positions_of(const ApiRequest& request, int prompt) const {
  if (request.settings.plan) return level_positions[static_cast<std::size_t>(*request.settings.plan)];
  if (!highest_level_of) return limits.positions;
  return level_positions[static_cast<std::size_t>(highest_level_of(prompt))];
}

/// The level that is asked for, and level 0 for what tells of the prompt, which is asked in order to judge the model,
/// and for embeddings that don't ask, which are to be compared with others.
void ApiReader::read_level(const Fields& fields, const std::optional<std::string>& head, ApiRequest& request) const {
  const int highest = highest_level();
  std::optional<int> level;
  if (head) level = level_in_head(*head, highest);
  if (const Json* const options = fields.object("layerboost")) {
    check_options(*options, "layerboost", request.endpoint);
    const Fields own(*options, "layerboost.");
    if (const Json* const asked = own.find("level"); highest == 0 && asked != nullptr && *asked != 0)
      refuse("layerboost.level", "\"layerboost.level\" can only be 0: this server has no other levels");
    if (const auto asked = own.integer("level", 0, highest)) level = static_cast<int>(*asked);
  }
  if (highest == 0) return;
  const bool echoes = request.echo && request.endpoint == Endpoint::completions;
  const bool tells = echoes || request.settings.prompt_logprobs >= 0;
  const char* const field = echoes ? "echo" : "prompt_logprobs";
  if (tells && level.value_or(0) != 0)
    refuse(field, "\"{}\" is for level 0 only, and level {} is asked for: ask for one of both", field, *level);
  request.settings.plan = tells || (request.settings.embedding && !level) ? 0 : level;
}

void ApiReader::check_tokens(const ApiRequest& request) const {
  for (const ApiPrompt& each : request.prompts) {
    for (const TokenId token : each.tokens) {
      if (token < embeddings) continue;
      refuse(prompt_field(request),
             "the prompt has token {} ({}), which the tokenizer knows and the model doesn't: it has {} embeddings",
             token, in_quotes(tokenizer.bytes(token)), embeddings);
    }
  }
}

void ApiReader::check_length(ApiRequest& request, std::optional<std::int64_t> max_tokens) const {
  check_tokens(request);
  std::int64_t prompt = 0, positions = limits.positions;  // of the prompt that leaves least room
  std::int64_t unasked = limits.positions;                // new tokens where the request doesn't say it
  for (const ApiPrompt& each : request.prompts) {
    const auto length = std::ssize(each.tokens);
    const std::int64_t has = positions_of(request, static_cast<int>(length));
    unasked = std::min(unasked, (length < limits.unasked ? std::min<std::int64_t>(has, limits.unasked) : has) - length);
    if (&each != request.prompts.data() && has - length >= positions - prompt) continue;
    prompt = length;
    positions = has;
  }
  const std::int64_t most = limits.max_tokens > 0 ? limits.max_tokens : positions;
  if (max_tokens && *max_tokens > most)
    refuse(length_field(request), "\"{}\" must be at most {} on this server", length_field(request), most);
  std::int64_t asked = max_tokens.value_or(std::clamp<std::int64_t>(unasked, 1, most));
  std::size_t each = 0, left = most_numbers(request);
  for (const Numbers& numbers : numbers_of(request)) {
    each += numbers.of_a_token;
    left -= std::min(left, numbers.of_prompts);
  }
  if (each > 0 && !max_tokens) asked = std::clamp<std::int64_t>(static_cast<std::int64_t>(left / each), 1, asked);
  if (prompt + asked > positions) {
    throw too_long(request,
                   fmt::format("this model's maximum context length is {} tokens; the prompt has {} and {} are to be "
                               "written: shorten the prompt or ask for fewer with \"{}\"",
                               positions, prompt, asked, length_field(request)));
  }
  request.settings.max_tokens = static_cast<int>(asked);
  if (request.settings.min_tokens > asked)
    refuse("min_tokens", "\"min_tokens\" must be at most the {} tokens that are to be written", asked);
  check_numbers(request);
}

/// The most numbers that an answer may have. Those of a response are written in several of its events.
std::size_t ApiReader::most_numbers(const ApiRequest& request) const {
  return request.endpoint == Endpoint::responses ? limits.logprobs_of_request / 64 : limits.logprobs_of_request;
}

/// They are kept until the whole answer is sent, or while a stream's client is slow.
void ApiReader::check_numbers(const ApiRequest& request) const {
  if (request.tokens_as_ids && request.settings.logprobs < 0)
    refuse("return_tokens_as_token_ids", R"("return_tokens_as_token_ids" is about "logprobs", which aren't asked for)");
  const auto tokens = static_cast<std::size_t>(request.settings.max_tokens);
  std::size_t all = 0, largest = 0;
  const char* field = "";
  for (const Numbers& asked : numbers_of(request)) {
    const std::size_t count = asked.of_prompts + asked.of_a_token * tokens;
    if (count > largest) field = asked.field;
    largest = std::max(largest, count);
    all += count;
  }
  if (const std::size_t most = most_numbers(request); all > most)
    refuse(field,
           "\"{}\" asks for too much: the answer could have {} log-probabilities, alternatives among them, and ids of "
           "tokens; ask for at most {} in one request: fewer tokens, choices or alternatives",
           field, all, most);
}

ApiRequest ApiReader::completion(std::string_view body, const std::optional<std::string>& level) const {
  const Json json = parse(body, Endpoint::completions);
  const Fields fields(json);
  if (fields.find("prompt") == nullptr) refuse("prompt", "\"prompt\" is missing: the text to go on from");
  ApiRequest request = request_for(fields, Endpoint::completions);
  request.prompts = prompts(fields, "prompt", limits.choices);
  request.echo = fields.flag("echo", false);
  for (ApiPrompt& prompt : request.prompts) {
    if (request.echo && prompt.text.empty()) prompt.text = tokenizer.decode(prompt.tokens);
    if (!prompt.tokens.empty()) continue;
    const TokenId prefix = prefix_token(tokenizer);
    if (prefix < 0) refuse("prompt", "\"prompt\" is empty, and the model has no token to begin a text with");
    prompt.tokens = {prefix};
    prompt.bos_added = true;
  }
  read_common(fields, request);
  const auto logprobs = fields.integer("logprobs", 0, limits.logprobs);
  request.settings.logprobs = static_cast<int>(logprobs.value_or(-1));
  const bool scores = request.echo && logprobs;
  if (scores) request.settings.prompt_logprobs = std::max(request.settings.prompt_logprobs, request.settings.logprobs);
  read_level(fields, level, request);
  const bool all_that_fit = fields.integer("n_predict", -1, std::numeric_limits<int>::max()) == -1;
  const int usual = limits.max_tokens > 0 ? std::min(16, limits.max_tokens) : 16;
  const auto max_tokens = read_max_tokens(fields, 0);
  check_length(request, max_tokens || all_that_fit ? max_tokens : usual);
  // lm-evaluation-harness scores a prompt by asking for one token beyond it, and counts on there being one.
  if (scores && request.settings.max_tokens == 1) request.settings.ignore_eos = true;
  return request;
}

ApiRequest ApiReader::chat_completion(std::string_view body, const std::optional<std::string>& level) const {
  const Json json = parse(body, Endpoint::chat);
  const Fields fields(json);
  ToolUse tools = read_tools(fields, tool_format, told_of_tools);
  ApiRequest request = request_for(fields, Endpoint::chat);
  request.echo = fields.flag("echo", false);
  Json messages = read_messages(fields);
  std::string before;
  if (request.echo) before = text_before_answer(messages, fields.flag("add_generation_prompt", true));
  request.prompts = {
      chat_prompt(fields, {"messages", std::move(messages), tools.tools, fields.text("reasoning_effort")})};
  if (request.echo) request.prompts[0].text = std::move(before);
  read_common(fields, request, std::move(tools));
  read_level(fields, level, request);
  const auto top = fields.integer("top_logprobs", 0, limits.logprobs);
  if (fields.flag("logprobs", false)) {
    request.settings.logprobs = static_cast<int>(top.value_or(0));
  } else if (top.value_or(0) > 0) {
    refuse("top_logprobs", R"("top_logprobs" needs "logprobs": true)");
  }
  check_length(request, read_max_tokens(fields, 1));
  return request;
}

ApiRequest ApiReader::response(std::string_view body, const std::optional<std::string>& level) const {
  const Json json = parse(body, Endpoint::responses);
  const Fields fields(json);
  ToolUse tools = read_tools(fields, tool_format, told_of_tools, FunctionForm::flat);
  const auto effort = read_effort(fields);
  ApiRequest request = request_for(fields, Endpoint::responses);
  request.prompts = {chat_prompt(fields, {"input", read_input(fields), tools.tools, effort})};
  read_common(fields, request, std::move(tools));
  read_level(fields, level, request);
  const auto top = fields.integer("top_logprobs", 0, limits.logprobs);
  if (wants_logprobs(fields)) {
    if (request.tool_format) refuse("include", "log-probabilities are not supported beside \"tools\"");
    request.settings.logprobs = static_cast<int>(top.value_or(0));
  } else if (top.value_or(0) > 0) {
    refuse("top_logprobs", R"("top_logprobs" needs "include": ["{}"])", include_logprobs);
  }
  const auto asked = fields.integer("max_output_tokens", 1, std::numeric_limits<int>::max());
  check_length(request, asked);
  request.repeated = repeated_fields(fields, request, asked, effort, limits.repeated);
  return request;
}

ApiRequest ApiReader::embedding(std::string_view body, const std::optional<std::string>& level) const {
  const Json json = parse(body, Endpoint::embeddings);
  const Fields fields(json);
  if (fields.find("input") == nullptr) refuse("input", "\"input\" is missing: the text to be embedded");
  ApiRequest request = request_for(fields, Endpoint::embeddings);
  request.prompts = prompts(fields, "input", limits.inputs);
  request.settings.embedding = true;
  request.settings.max_tokens = 0;
  read_level(fields, level, request);
  const std::string format = fields.text("encoding_format").value_or("float");
  if (format != "float" && format != "base64")
    refuse("encoding_format", R"("encoding_format" must be "float" or "base64")");
  request.base64 = format == "base64";
  if (const auto asked = fields.integer("dimensions", 1, std::numeric_limits<int>::max()); asked && *asked != hidden)
    refuse("dimensions", "\"dimensions\" can only be {}: this model's embeddings can't be shortened", hidden);
  if (const std::size_t each = static_cast<std::size_t>(hidden), texts = request.prompts.size();
      texts * each > limits.embedding_numbers)
    refuse("input", "the embeddings of {} texts are {} numbers; ask for at most {} in one request: {} texts", texts,
           texts * each, limits.embedding_numbers, limits.embedding_numbers / each);
  for (const ApiPrompt& prompt : request.prompts) {
    const std::string name =
        request.prompts.size() == 1 ? "input" : fmt::format("input[{}]", &prompt - request.prompts.data());
    const auto length = std::ssize(prompt.tokens);
    if (length == (prompt.bos_added ? 1 : 0)) refuse("input", "\"{}\" is empty: there is nothing to be embedded", name);
    const int positions = positions_of(request, static_cast<int>(length));
    if (length > positions)
      throw too_long(request, fmt::format("this model's maximum context length is {} tokens; \"{}\" has {}: shorten it",
                                          positions, name, length));
  }
  check_tokens(request);
  return request;
}

TokenizedText ApiReader::tokenize(std::string_view body) const {
  const Json json = parse(body, Endpoint::tokenize);
  const Fields fields(json);
  TokenizedText text{tokens_of(fields)};
  if (!fields.flag("return_token_strs", false)) return text;
  text.strings.emplace();
  for (const TokenId token : text.tokens) text.strings->emplace_back(tokenizer.piece(token));
  return text;
}

/// The tokens of a text or of a conversation.
std::vector<TokenId> ApiReader::tokens_of(const Fields& fields) const {
  if (fields.find("messages") != nullptr) {
    const ToolUse tools = read_tools(fields, tool_format, told_of_tools, FunctionForm::nested, false);
    if (fields.find("prompt") != nullptr)
      refuse("prompt", R"("prompt" and "messages" are two texts; send one of them)");
    if (fields.flag("add_special_tokens", false))
      refuse("add_special_tokens", "\"add_special_tokens\" is for \"prompt\": a chat's come from its template");
    return chat_prompt(fields, {"messages", read_messages(fields), tools.tools, {}}).tokens;
  }
  const auto text = fields.text("prompt");
  if (!text) refuse("prompt", "\"prompt\" is missing: the text, or \"messages\" of a conversation");
  for (const char* const name : {"add_generation_prompt", "continue_final_message", "chat_template_kwargs", "tools",
                                 "tool_choice", "parallel_tool_calls"}) {
    const Json* const value = fields.find(name);
    if (value != nullptr && *value != false && !(value->is_structured() && value->empty()))
      refuse(name, "\"{}\" is for \"messages\": a \"prompt\" goes through no chat template", name);
  }
  return text_prompt(*text, fields.flag("add_special_tokens", true)).tokens;
}

std::string ApiReader::detokenize(std::string_view body) const {
  const Json json = parse(body, Endpoint::detokenize);
  const Json* const tokens = Fields(json).find("tokens");
  if (tokens == nullptr || !tokens->is_array()) refuse("tokens", "\"tokens\" must be a list of token ids");
  return tokenizer.decode(token_list(*tokens, tokenizer.size(), "tokens"));
}

}  // namespace layerboost
