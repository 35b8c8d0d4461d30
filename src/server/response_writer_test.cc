#include "server/response_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eval/tokenizer_for_tests.h"
#include "server/response_events_for_tests.h"

namespace layerboost {
namespace {

/// The answer to a text that comes in such pieces, whole and in events.
struct Written {
  Json response;
  std::vector<EventForTests> events;
};

Written written_response(const std::vector<std::string>& pieces, ApiRequest request,
                         FinishReason finish = FinishReason::stop) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  request.endpoint = Endpoint::responses;
  const AnswerFacts facts{"id", 1, "tiny", "", 5, 2, 7, LevelSpan{1, 2}};
  ResponseWriter whole(request, tokenizer), streaming(request, tokenizer);
  std::string events;
  streaming.begin_stream(facts, events);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Output output;
    output.text = pieces[i];
    if (i + 1 == pieces.size()) output.finish = finish;
    whole.add(0, Output(output));
    streaming.add(0, std::move(output));
    streaming.write_piece(0, facts, events);
  }
  streaming.end_stream(facts, events);
  return {Json::parse(whole.body(facts)), response_events(events)};
}

ApiRequest response_with_calls(ToolFormat format, bool one_call = false) {
  ApiRequest request;
  request.tool_format = format;
  request.one_call = one_call;
  return request;
}

/// "TYPE STATUS TEXT" of each item.
std::vector<std::string> items_of(const Json& response) {
  std::vector<std::string> items;
  for (const Json& item : response["output"]) {
    const std::string text = item["type"] == "message"
                                 ? item["content"][0]["text"].get<std::string>()
                                 : item["name"].get<std::string>() + item["arguments"].get<std::string>();
    items.push_back(item["type"].get<std::string>() + " " + item["status"].get<std::string>() + " " + text);
  }
  return items;
}

TEST(ResponseWriter, TextAndCallsAreItemsInTheirOrder) {
  const Written written =
      written_response({"So:\n<tool", "_call>{\"name\": \"f\", \"argum", "ents\": {\"x\"", ": 1}}</tool_call>", " Then",
                        "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>\n"},
                       response_with_calls(ToolFormat::hermes));
  const std::vector<std::string> items = {"message completed So:", "function_call completed f{\"x\": 1}",
                                          "message completed  Then", "function_call completed g{}"};
  EXPECT_EQ(items_of(written.response), items);
  EXPECT_EQ(items_of(written.events.back().data["response"]), items);
  EXPECT_NE(written.response["output"][1]["call_id"], written.response["output"][3]["call_id"]);
  const std::vector<std::string> message = {"response.output_item.added", "response.content_part.added",
                                            "response.output_text.delta", "response.output_text.done",
                                            "response.content_part.done", "response.output_item.done"};
  const std::vector<std::string> call = {"response.output_item.added", "response.function_call_arguments.delta",
                                         "response.function_call_arguments.done", "response.output_item.done"};
  std::vector<std::string> names = {"response.created", "response.in_progress"};
  for (const auto* const part : {&message, &call, &message, &call})
    names.insert(names.end(), part->begin(), part->end());
  names.emplace_back("response.completed");
  EXPECT_EQ(event_names(written.events), names);
  std::vector<std::string> deltas(items.size());
  int index = -1;
  for (const EventForTests& event : written.events) {
    if (event.name == "response.output_item.added") ++index;
    EXPECT_EQ(event.data.value("output_index", index), index);
    if (event.data.contains("delta")) deltas[static_cast<std::size_t>(index)] += event.data["delta"].get<std::string>();
    if (event.name != "response.output_item.done") continue;
    EXPECT_EQ(event.data["item"]["status"], "completed");
  }
  EXPECT_EQ(deltas, (std::vector<std::string>{"So:", "{\"x\": 1}", " Then", "{}"}));
}

TEST(ResponseWriter, WhatTurnsOutToBeNoCallIsText) {
  const Written written = written_response({"a", " <tool"}, response_with_calls(ToolFormat::hermes));
  EXPECT_EQ(items_of(written.response), std::vector<std::string>{"message completed a <tool"});
  EXPECT_EQ(items_of(written.events.back().data["response"]), items_of(written.response));
}

TEST(ResponseWriter, OnlyTheLastItemIsCutShort) {
  const Written written = written_response({"So:", "<tool_call>{\"name\": \"f\", \"arguments\": {\"x"},
                                           response_with_calls(ToolFormat::hermes), FinishReason::length);
  const std::vector<std::string> items = {"message completed So:", "function_call incomplete f{\"x"};
  EXPECT_EQ(items_of(written.response), items);
  EXPECT_EQ(written.response["status"], "incomplete");
  EXPECT_EQ(written.response["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_FALSE(written.response.contains("completed_at"));
  EXPECT_EQ(written.events.back().name, "response.incomplete");
  EXPECT_EQ(items_of(written.events.back().data["response"]), items);
  EXPECT_EQ(written.events[written.events.size() - 2].data["item"]["status"], "incomplete");
}

TEST(ResponseWriter, OneCallMayBeAll) {
  const std::vector<std::string> text = {
      "[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arguments\": {}}]"};
  EXPECT_EQ(written_response(text, response_with_calls(ToolFormat::mistral)).response["output"].size(), 2U);
  const Json one = written_response(text, response_with_calls(ToolFormat::mistral, true)).response["output"];
  ASSERT_EQ(one.size(), 1U);
  // Templates of Mistral's models refuse others when they come back.
  const std::string id = one[0]["call_id"];
  EXPECT_EQ(id.size(), 9U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"), std::string::npos);
}

TEST(ResponseWriter, UsageIsThereAtTheEnd) {
  const Written written = written_response({"a", "b"}, {});
  const Json usage = written.response["usage"];
  EXPECT_EQ(usage["input_tokens"], 5);
  EXPECT_EQ(usage["input_tokens_details"]["cached_tokens"], 2);
  EXPECT_EQ(usage["output_tokens"], 7);
  EXPECT_EQ(usage["total_tokens"], 12);
  EXPECT_EQ(usage["layerboost"], Json({{"first_level", 1}, {"level", 2}}));
  EXPECT_TRUE(written.response["completed_at"].is_number());
  EXPECT_EQ(written.events.back().data["response"]["usage"], usage);
  for (const std::size_t begun : {0, 1}) EXPECT_EQ(written.events[begun].data["response"]["usage"], nullptr);
}

}  // namespace
}  // namespace layerboost
