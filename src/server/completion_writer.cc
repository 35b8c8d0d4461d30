#include "server/completion_writer.h"

#include <string_view>

#include "server/json_answer.h"
#include "server/sse.h"

namespace layerboost {
namespace {

constexpr std::size_t bytes_of_logprob = 64;  // about, as JSON

Json usage_json(std::size_t prompt, std::size_t completion) {
  return {{"prompt_tokens", prompt}, {"completion_tokens", completion}, {"total_tokens", prompt + completion}};
}

Json usage_json(const AnswerFacts& facts) {
  Json usage = usage_json(facts.prompt_tokens, facts.completion_tokens);
  usage["prompt_tokens_details"] = {{"cached_tokens", facts.cached_tokens}};
  if (facts.levels) usage["layerboost"] = to_json(*facts.levels);
  return usage;
}

/// What follows "choices". `usage`: nullptr for none. `levels`: those of the sequence whose last piece this is.
void end_json(const Json* usage, std::string& json, const std::optional<LevelSpan>& levels = {}) {
  if (levels) json += R"(,"layerboost":)" + json_line(to_json(*levels));
  if (usage != nullptr) json += R"(,"usage":)" + json_line(*usage);
  json += '}';
}

}  // namespace

CompletionWriter::CompletionWriter(const ApiRequest& request, const Tokenizer& tokenizer) : request_(request) {
  for (const ApiPrompt& prompt : request.prompts)
    for (int i = 0; i < request.choices; ++i)
      choices_.push_back(make_choice(request, prompt, tokenizer, static_cast<int>(choices_.size())));
  levels_.resize(choices_.size());
  generated_.resize(choices_.size());
  if (request.endpoint == Endpoint::chat) prompt_.emplace(request, request.prompts.front(), tokenizer);
}

void CompletionWriter::add(std::size_t sequence, Output&& output) {
  choices_[sequence]->add(output);
  if (prompt_ && sequence == 0) prompt_->add(output);
  generated_[sequence] = output.generated_tokens;
  if (output.finish != FinishReason::none) levels_[sequence] = LevelSpan{output.first_plan, output.plan};
}

std::size_t CompletionWriter::numbers() const {
  std::size_t count = prompt_ ? prompt_->size() : 0;
  for (const auto& choice : choices_) count += choice->numbers();
  return count;
}

/// The answer's object up to the entries of its "choices".
std::string CompletionWriter::begin_json(const AnswerFacts& facts) const {
  const bool is_chat = request_.endpoint == Endpoint::chat;
  const char* const chat = request_.stream ? "chat.completion.chunk" : "chat.completion";
  std::string json = json_line({{"id", fmt::format("{}-{}", is_chat ? "chatcmpl" : "cmpl", facts.id)},
                                {"object", is_chat ? chat : "text_completion"},
                                {"created", facts.created},
                                {"model", facts.model},
                                {"system_fingerprint", facts.fingerprint}});
  json.pop_back();
  return json += R"(,"choices":[)";
}

std::string CompletionWriter::body(const AnswerFacts& facts) {
  std::string json = begin_json(facts);
  json.reserve(json.size() + numbers() * bytes_of_logprob);
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    if (i > 0) json += ',';
    choices_[i]->take(false, json);
  }
  json += ']';
  if (prompt_) prompt_->take(json);
  const Json used = usage_json(facts);
  end_json(&used, json);
  json += '\n';
  return json;
}

/// null where the usage is told at the end alone.
Json CompletionWriter::usage_of_piece(std::size_t sequence) const {
  if (!request_.continuous_usage) return {};
  return usage_json(request_.prompt_of(sequence).tokens.size(), static_cast<std::size_t>(generated_[sequence]));
}

void CompletionWriter::write_piece(std::size_t sequence, const AnswerFacts& facts, std::string& events) {
  std::string json = begin_json(facts);
  choices_[sequence]->take(true, json);
  json += ']';
  if (prompt_) prompt_->take(json);
  const Json usage = usage_of_piece(sequence);
  end_json(request_.include_usage ? &usage : nullptr, json, facts.levels ? levels_[sequence] : std::nullopt);
  events += sse_event(json);
}

void CompletionWriter::end_stream(const AnswerFacts& facts, std::string& events) {
  if (request_.include_usage) {
    std::string json = begin_json(facts);
    json += ']';
    const Json used = usage_json(facts);
    end_json(&used, json);
    events += sse_event(json);
  }
  events += sse_done;
}

void CompletionWriter::fail_stream(const ApiError& error, const AnswerFacts& /*facts*/, std::string& events) {
  const std::string body = error.answer().body;
  events += sse_event(std::string_view(body).substr(0, body.size() - 1));  // without its line's end
  events += sse_done;
}

}  // namespace layerboost
