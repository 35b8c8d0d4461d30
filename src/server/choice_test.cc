#include "server/choice.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "eval/tokenizer_for_tests.h"

namespace layerboost {
namespace {

/// What a chat's answer says of a text that comes in such pieces: one entry, or one for each piece of a stream.
std::vector<Json> chat_entries(const std::vector<std::string>& pieces, bool stream, const ApiRequest& request,
                               FinishReason finish = FinishReason::stop) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  const ApiPrompt prompt;
  const auto choice = make_choice(request, prompt, tokenizer, 2);
  std::vector<Json> entries;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Output output;
    output.text = pieces[i];
    if (i + 1 == pieces.size()) output.finish = finish;
    choice->add(output);
    if (!stream && i + 1 < pieces.size()) continue;
    std::string json;
    choice->take(stream, json);
    entries.push_back(Json::parse(json));
  }
  return entries;
}

ApiRequest chat_with_format(ToolFormat format) {
  ApiRequest request;
  request.endpoint = Endpoint::chat;
  request.tool_format = format;
  return request;
}

const std::vector<std::string> text_and_calls = {"So:\n<tool", "_call>{\"name\": \"f\", \"argum", "ents\": {\"x\"",
                                                 ": 1}}</tool_call>",
                                                 "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>\n"};

TEST(ChatChoice, CallsStandBesideTheContent) {
  const Json entry = chat_entries(text_and_calls, false, chat_with_format(ToolFormat::hermes))[0];
  EXPECT_EQ(entry["index"], 2);
  EXPECT_EQ(entry["finish_reason"], "tool_calls");
  const Json message = entry["message"];
  EXPECT_EQ(message["role"], "assistant");
  EXPECT_EQ(message["content"], "So:");
  ASSERT_EQ(message["tool_calls"].size(), 2U);
  const Json first = message["tool_calls"][0], second = message["tool_calls"][1];
  EXPECT_EQ(first["type"], "function");
  EXPECT_EQ(first["function"], Json::parse(R"({"name": "f", "arguments": "{\"x\": 1}"})"));
  EXPECT_EQ(second["function"], Json::parse(R"({"name": "g", "arguments": "{}"})"));
  EXPECT_NE(first["id"], second["id"]);
  EXPECT_FALSE(first.contains("index"));
}

TEST(ChatChoice, CallsAreStreamedInPieces) {
  const std::vector<Json> entries = chat_entries(text_and_calls, true, chat_with_format(ToolFormat::hermes));
  ASSERT_EQ(entries.size(), text_and_calls.size());
  EXPECT_EQ(entries[0]["delta"], Json::parse(R"({"role": "assistant", "content": "So:"})"));
  EXPECT_EQ(entries[1]["delta"], Json::parse(R"({"content": ""})"));
  Json begun = entries[2]["delta"]["tool_calls"][0];
  EXPECT_TRUE(begun["id"].is_string());
  begun.erase("id");
  EXPECT_EQ(begun, Json::parse(R"({"index": 0, "type": "function",
                                   "function": {"name": "f", "arguments": "{\"x\""}})"));
  EXPECT_EQ(entries[3]["delta"], Json::parse(R"({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]})"));
  EXPECT_EQ(entries[3]["finish_reason"], nullptr);
  EXPECT_EQ(entries[4]["delta"]["tool_calls"][0]["index"], 1);
  EXPECT_EQ(entries[4]["finish_reason"], "tool_calls");
}

// Deltas begin where the arguments do; an id that the model gives its call is left out.
TEST(ChatChoice, CallsWithBareNamesAreStreamedInPieces) {
  const std::vector<Json> entries =
      chat_entries({"So:[TOOL", "_CALLS]f[CALL_ID]123456789[AR", "GS]{\"x\"", ": 1}[TOOL_CALLS]", "g[ARGS]{}"}, true,
                   chat_with_format(ToolFormat::mistral_named));
  EXPECT_EQ(entries[0]["delta"], Json::parse(R"({"role": "assistant", "content": "So:"})"));
  EXPECT_EQ(entries[1]["delta"], Json::parse(R"({"content": ""})"));
  EXPECT_EQ(entries[2]["delta"]["tool_calls"][0]["function"], Json::parse(R"({"name": "f", "arguments": "{\"x\""})"));
  EXPECT_EQ(entries[3]["delta"], Json::parse(R"({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]})"));
  EXPECT_EQ(entries[4]["delta"]["tool_calls"][0]["function"], Json::parse(R"({"name": "g", "arguments": "{}"})"));
  EXPECT_EQ(entries[4]["delta"]["tool_calls"][0]["index"], 1);
  EXPECT_EQ(entries[4]["finish_reason"], "tool_calls");
}

TEST(ChatChoice, WithoutCallsItIsAllContent) {
  const ApiRequest request = chat_with_format(ToolFormat::hermes);
  const Json entry = chat_entries({"a <tool", "_box>\n"}, false, request)[0];
  EXPECT_EQ(entry["message"]["content"], "a <tool_box>\n");
  EXPECT_FALSE(entry["message"].contains("tool_calls"));
  EXPECT_EQ(entry["finish_reason"], "stop");
  EXPECT_EQ(chat_entries({"a <tool"}, true, request)[0]["delta"]["content"], "a <tool");
}

TEST(ChatChoice, CallsThatAreCutShortSaySo) {
  const Json entry = chat_entries({R"(<tool_call>{"name": "f", "arguments": {"x)"}, false,
                                  chat_with_format(ToolFormat::hermes), FinishReason::length)[0];
  EXPECT_EQ(entry["finish_reason"], "length");
  EXPECT_EQ(entry["message"]["content"], nullptr);
  EXPECT_EQ(entry["message"]["tool_calls"][0]["function"]["arguments"], "{\"x");
}

// OpenAI's clients look for it: the member is there, and says that nothing was refused. Deltas have none.
TEST(ChatChoice, NothingIsRefused) {
  ApiRequest plain, with_tools = chat_with_format(ToolFormat::hermes);
  plain.endpoint = Endpoint::chat;
  for (ApiRequest request : {plain, with_tools}) {
    for (const int logprobs : {-1, 0}) {
      request.settings.logprobs = logprobs;
      for (const bool stream : {false, true}) {
        for (const Json& entry : chat_entries(text_and_calls, stream, request)) {
          const Json& message = entry[stream ? "delta" : "message"];
          EXPECT_EQ(message.contains("refusal"), !stream);
          EXPECT_TRUE(stream || message["refusal"].is_null());
          if (logprobs < 0)
            EXPECT_TRUE(entry.at("logprobs").is_null());
          else
            EXPECT_EQ(entry["logprobs"], Json::parse(R"({"content": [], "refusal": null})"));
        }
      }
    }
  }
}

// Their templates refuse others when they come back in the next request.
TEST(ChatChoice, IdsOfCallsAreAsMistralWantsThem) {
  for (const auto& [format, text] : {std::pair(ToolFormat::mistral, R"([{"name": "f", "arguments": {}}])"),
                                     std::pair(ToolFormat::mistral_named, "[TOOL_CALLS]f[ARGS]{}")}) {
    const Json entry = chat_entries({text}, false, chat_with_format(format))[0];
    const std::string id = entry["message"]["tool_calls"][0]["id"];
    EXPECT_EQ(id.size(), 9U);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"), std::string::npos);
  }
}

}  // namespace
}  // namespace layerboost
