#include "server/response_writer.h"

#include <ctime>
#include <utility>

#include "server/json_answer.h"
#include "server/request_id.h"
#include "server/sse.h"
#include "server/tools.h"

namespace layerboost {

ResponseWriter::ResponseWriter(const ApiRequest& request, const Tokenizer& tokenizer)
    : request_(request), tokenizer_(tokenizer) {
  if (request.tool_format) calls_.emplace(*request.tool_format, request.one_call);
}

void ResponseWriter::add(std::size_t /*sequence*/, const Output& output) {
  for (const TokenLogprob& token : output.logprobs) {
    logprobs_.add(token);
    if (request_.stream) new_logprobs_.add(token);
  }
  finish_ = output.finish;
  if (calls_) {
    add_calls(calls_->push(output.text));
    if (finish_ != FinishReason::none) add_calls(calls_->finish());
  } else {
    add_text(output.text);
  }
  if (finish_ != FinishReason::none && items_.empty()) items_.push_back({.id = "msg_" + request_id("")});
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

std::size_t ResponseWriter::numbers() const { return logprobs_.size(); }

std::string ResponseWriter::body(const AnswerFacts& facts) {
  return json_line(response_json(facts, status_so_far())) + "\n";
}

void ResponseWriter::begin_stream(const AnswerFacts& facts, std::string& events) {
  const Json response = response_json(facts, "in_progress");
  write_event("response.created", {{"response", response}}, events);
  write_event("response.in_progress", {{"response", response}}, events);
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
  write_event("response.output_item.added", {{"output_index", index}, {"item", item_json(item, "in_progress", false)}},
              events);
  if (item.is_call) return;
  write_event("response.content_part.added",
              {{"item_id", item.id}, {"output_index", index}, {"content_index", 0}, {"part", part_json(item, false)}},
              events);
}

void ResponseWriter::write_delta(Item& item, int index, std::string& events) {
  const std::string delta = item.text.substr(std::exchange(item.written, item.text.size()));
  if (item.is_call)
    return write_event("response.function_call_arguments.delta",
                       {{"item_id", item.id}, {"output_index", index}, {"delta", delta}}, events);
  write_event("response.output_text.delta",
              {{"item_id", item.id},
               {"output_index", index},
               {"content_index", 0},
               {"delta", delta},
               {"logprobs", entries(new_logprobs_)}},
              events);
  new_logprobs_.clear();
}

void ResponseWriter::end_item(Item& item, int index, std::string& events) {
  item.ended = true;
  if (item.is_call) {
    write_event("response.function_call_arguments.done",
                {{"item_id", item.id}, {"output_index", index}, {"name", item.name}, {"arguments", item.text}}, events);
  } else {
    write_event("response.output_text.done",
                {{"item_id", item.id},
                 {"output_index", index},
                 {"content_index", 0},
                 {"text", item.text},
                 {"logprobs", entries(logprobs_)}},
                events);
    write_event("response.content_part.done",
                {{"item_id", item.id}, {"output_index", index}, {"content_index", 0}, {"part", part_json(item, true)}},
                events);
  }
  write_event("response.output_item.done", {{"output_index", index}, {"item", item_json(item, status_of(item), true)}},
              events);
}

void ResponseWriter::end_stream(const AnswerFacts& facts, std::string& events) {
  const bool whole = finish_ == FinishReason::stop;
  write_event(whole ? "response.completed" : "response.incomplete",
              {{"response", response_json(facts, status_so_far())}}, events);
}

void ResponseWriter::fail_stream(const ApiError& error, const AnswerFacts& facts, std::string& events) {
  finish_ = FinishReason::failed;
  Json response = response_json(facts, "failed");
  response["error"] = {{"code", "server_error"}, {"message", error.what()}};
  write_event("response.failed", {{"response", std::move(response)}}, events);
}

void ResponseWriter::write_event(const char* type, const Json& fields, std::string& events) {
  Json event = {{"type", type}, {"sequence_number", events_++}};
  event.update(fields);
  events += sse_event(type, json_line(event));
}

const char* ResponseWriter::status_so_far() const {
  if (finish_ == FinishReason::none) return "in_progress";
  return finish_ == FinishReason::stop ? "completed" : "incomplete";
}

const char* ResponseWriter::status_of(const Item& item) const {
  return &item == &items_.back() ? status_so_far() : "completed";
}

/// The answer as it is by now.
Json ResponseWriter::response_json(const AnswerFacts& facts, const char* status) const {
  Json output = Json::array();
  for (const Item& item : items_) output.push_back(item_json(item, status_of(item), true));
  Json response = {{"id", "resp_" + facts.id}, {"object", "response"},       {"created_at", facts.created},
                   {"status", status},         {"error", nullptr},           {"incomplete_details", nullptr},
                   {"model", facts.model},     {"output", std::move(output)}};
  response.update(request_.repeated);
  if (finish_ == FinishReason::length) response["incomplete_details"] = {{"reason", "max_output_tokens"}};
  if (finish_ == FinishReason::stop) response["completed_at"] = std::time(nullptr);
  Json& usage = response["usage"];  // null until it is known
  if (finish_ == FinishReason::none) return response;
  usage = {{"input_tokens", facts.prompt_tokens},
           {"input_tokens_details", {{"cached_tokens", facts.cached_tokens}, {"cache_write_tokens", 0}}},
           {"output_tokens", facts.completion_tokens},
           {"output_tokens_details", {{"reasoning_tokens", 0}}},
           {"total_tokens", facts.prompt_tokens + facts.completion_tokens}};
  if (facts.levels) usage["layerboost"] = to_json(*facts.levels);
  return response;
}

Json ResponseWriter::item_json(const Item& item, const char* status, bool with_text) const {
  if (item.is_call)
    return {{"id", item.id},           {"type", "function_call"}, {"status", status},
            {"call_id", item.call_id}, {"name", item.name},       {"arguments", with_text ? item.text : ""}};
  Json content = Json::array();
  if (with_text) content.push_back(part_json(item, true));
  return {{"id", item.id}, {"type", "message"}, {"status", status}, {"role", "assistant"}, {"content", content}};
}

Json ResponseWriter::part_json(const Item& item, bool with_text) const {
  return {{"type", "output_text"},
          {"annotations", Json::array()},
          {"logprobs", with_text ? entries(logprobs_) : Json::array()},
          {"text", with_text ? item.text : ""}};
}

Json ResponseWriter::entries(const LogprobList& logprobs) const {
  std::string json;
  logprobs.write_entries(tokenizer_, json);
  return Json::parse(json);
}

}  // namespace layerboost
