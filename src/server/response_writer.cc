#include "server/response_writer.h"

#include <ctime>
#include <utility>

#include "server/json_answer.h"
#include "server/request_id.h"
#include "server/sse.h"
#include "server/token_logprobs.h"
#include "server/tools.h"

namespace layerboost {

ResponseWriter::ResponseWriter(const ApiRequest& request, const Tokenizer& tokenizer)
    : request_(request), tokenizer_(tokenizer) {
  if (request.tool_format) calls_.emplace(*request.tool_format, request.one_call);
}

void ResponseWriter::add(std::size_t /*sequence*/, Output&& output) {
  add_logprobs(output);
  finish_ = output.finish;
  if (calls_) {
    add_calls(calls_->push(output.text));
    if (finish_ != FinishReason::none) add_calls(calls_->finish());
  } else {
    add_text(output.text);
  }
  if (finish_ != FinishReason::none && items_.empty()) items_.push_back({.id = "msg_" + request_id("")});
}

/// They are written as they come: at the end several events have all of them.
void ResponseWriter::add_logprobs(const Output& output) {
  if (output.logprobs.empty()) return;
  LogprobList added;
  for (const TokenLogprob& token : output.logprobs) added.add(token);
  std::string list;
  added.write_entries(tokenizer_, list);
  if (!logprobs_.empty()) logprobs_ += ',';
  logprobs_.append(list, 1, list.size() - 2);
}

void ResponseWriter::add_text(const std::string& text) {
  if (text.empty()) return;
  if (items_.empty() || items_.back().is_call) items_.push_back({.id = "msg_" + request_id("")});
  items_.back().text += text;
}

/// What goes on with the call that is being written comes before content, what begins others after it.
void ResponseWriter::add_calls(ToolText&& text) {
  auto piece = text.pieces.begin();
  for (; piece != text.pieces.end() && piece->name.empty(); ++piece) items_.back().text += piece->arguments;
  add_text(text.content);
  for (; piece != text.pieces.end(); ++piece) {
    if (!piece->name.empty())
      items_.push_back({.is_call = true,
                        .id = "fc_" + request_id(""),
                        .call_id = new_call_id(*request_.tool_format),
                        .name = std::move(piece->name)});
    items_.back().text += piece->arguments;
  }
}

/// None: they are written already.
std::size_t ResponseWriter::numbers() const { return 0; }

std::string ResponseWriter::body(const AnswerFacts& facts) { return response_json(facts, status_so_far()) + "\n"; }

void ResponseWriter::begin_stream(const AnswerFacts& facts, std::string& events) {
  const std::string response = "\"response\":" + response_json(facts, "in_progress");
  write_event("response.created", response, events);
  write_event("response.in_progress", response, events);
}

void ResponseWriter::write_piece(std::size_t /*sequence*/, const AnswerFacts& /*facts*/, std::string& events) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    if (item.ended) continue;
    const int index = static_cast<int>(i);
    if (!item.begun) begin_item(item, index, events);
    if (item.written < item.text.size()) write_delta(item, index, events);
    if (i + 1 < items_.size() || finish_ != FinishReason::none) end_item(item, index, events);
  }
}

void ResponseWriter::begin_item(Item& item, int index, std::string& events) {
  item.begun = true;
  write_event("response.output_item.added",
              fmt::format(R"("output_index":{},"item":{})", index, item_json(item, "in_progress", false)), events);
  if (item.is_call) return;
  write_event("response.content_part.added", place_of_text(item, index) + R"(,"part":)" + part_json(item, false),
              events);
}

void ResponseWriter::write_delta(Item& item, int index, std::string& events) {
  const Json delta = item.text.substr(std::exchange(item.written, item.text.size()));
  if (item.is_call)
    return write_event("response.function_call_arguments.delta",
                       json_members({{"item_id", item.id}, {"output_index", index}, {"delta", delta}}), events);
  std::string logprobs = logprobs_.substr(std::exchange(streamed_logprobs_, logprobs_.size()));
  if (logprobs.starts_with(',')) logprobs.erase(0, 1);
  write_event("response.output_text.delta",
              fmt::format(R"({},"delta":{},"logprobs":[{}])", place_of_text(item, index), json_line(delta), logprobs),
              events);
}

void ResponseWriter::end_item(Item& item, int index, std::string& events) {
  item.ended = true;
  if (item.is_call) {
    write_event(
        "response.function_call_arguments.done",
        json_members({{"item_id", item.id}, {"output_index", index}, {"name", item.name}, {"arguments", item.text}}),
        events);
  } else {
    write_event(
        "response.output_text.done",
        fmt::format(R"({},"text":{},"logprobs":[{}])", place_of_text(item, index), json_line(item.text), logprobs_),
        events);
    write_event("response.content_part.done", place_of_text(item, index) + R"(,"part":)" + part_json(item, true),
                events);
  }
  write_event("response.output_item.done",
              fmt::format(R"("output_index":{},"item":{})", index, item_json(item, status_of(item), true)), events);
}

void ResponseWriter::end_stream(const AnswerFacts& facts, std::string& events) {
  const bool whole = finish_ == FinishReason::stop;
  write_event(whole ? "response.completed" : "response.incomplete",
              "\"response\":" + response_json(facts, status_so_far()), events);
}

void ResponseWriter::fail_stream(const ApiError& error, const AnswerFacts& facts, std::string& events) {
  finish_ = FinishReason::failed;
  const Json why = {{"code", error.status() < 500 ? "invalid_prompt" : "server_error"}, {"message", error.what()}};
  write_event("response.failed", "\"response\":" + response_json(facts, "failed", why), events);
}

void ResponseWriter::write_event(const char* type, std::string_view members, std::string& events) {
  events += sse_event(type, fmt::format(R"({{"type":"{}","sequence_number":{},{}}})", type, events_++, members));
}

const char* ResponseWriter::status_so_far() const {
  if (finish_ == FinishReason::none) return "in_progress";
  return finish_ == FinishReason::stop ? "completed" : "incomplete";
}

const char* ResponseWriter::status_of(const Item& item) const {
  return &item == &items_.back() ? status_so_far() : "completed";
}

/// The answer as it is by now. What may be large of it has been written before.
std::string ResponseWriter::response_json(const AnswerFacts& facts, const char* status, const Json& error) const {
  Json head = {{"id", "resp_" + facts.id}, {"object", "response"},          {"created_at", facts.created},
               {"status", status},         {"incomplete_details", nullptr}, {"error", error},
               {"model", facts.model}};
  if (finish_ == FinishReason::length) head["incomplete_details"] = {{"reason", "max_output_tokens"}};
  if (finish_ == FinishReason::stop) head["completed_at"] = std::time(nullptr);
  Json& usage = head["usage"];  // null until it is known
  if (finish_ != FinishReason::none) {
    usage = {{"input_tokens", facts.prompt_tokens},
             {"input_tokens_details", {{"cached_tokens", facts.cached_tokens}, {"cache_write_tokens", 0}}},
             {"output_tokens", facts.completion_tokens},
             {"output_tokens_details", {{"reasoning_tokens", 0}}},
             {"total_tokens", facts.prompt_tokens + facts.completion_tokens}};
    if (facts.levels) usage["layerboost"] = to_json(*facts.levels);
  }
  std::string json = "{" + json_members(head) + R"(,"output":[)";
  for (const Item& item : items_) {
    if (&item != items_.data()) json += ',';
    json += item_json(item, status_of(item), true);
  }
  json += ']';
  if (!request_.repeated.empty()) json += ',' + request_.repeated;
  return json += '}';
}

std::string ResponseWriter::item_json(const Item& item, const char* status, bool with_text) const {
  if (item.is_call)
    return json_line({{"id", item.id},
                      {"type", "function_call"},
                      {"status", status},
                      {"call_id", item.call_id},
                      {"name", item.name},
                      {"arguments", with_text ? item.text : ""}});
  return fmt::format(R"({{"id":"{}","type":"message","status":"{}","role":"assistant","content":[{}]}})", item.id,
                     status, with_text ? part_json(item, true) : "");
}

std::string ResponseWriter::part_json(const Item& item, bool with_text) const {
  return fmt::format(R"({{"type":"output_text","annotations":[],"logprobs":[{}],"text":{}}})",
                     with_text ? logprobs_ : "", json_line(with_text ? item.text : ""));
}

std::string ResponseWriter::place_of_text(const Item& item, int index) {
  return fmt::format(R"("item_id":"{}","output_index":{},"content_index":0)", item.id, index);
}

}  // namespace layerboost
