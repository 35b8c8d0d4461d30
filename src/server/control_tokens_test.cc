// Control tokens in answers: those that stand around calls of tools, those that end a text, and forms that have
// neither.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/server_for_tests.h"

namespace layerboost {
namespace {

constexpr const char* to_chat = "/v1/chat/completions";
constexpr TokenId end_id = 259, begin_tag = 260, end_tag = 261, mistral_tag = 262, llama3_tag = 263, call_json = 264,
                  id_tag = 265, arguments_tag = 266;

const Model& model_with_tags() {
  static const std::unique_ptr<Model> model = text_model(Precision::f32, large_tokenizer_data_for_tests());
  return *model;
}

/// A server of that model, which writes calls as `mark` in its template says.
ServerForTests server_with(const std::string& mark) {
  ServerOptions options;
  options.chat_template = "{# " + mark + " #}{{ tools }}" + chat_template_for_tests;
  return ServerForTests(options, {{.memory = std::size_t{64} << 20}}, {}, {}, model_with_tags());
}

/// Fields by which a text can only be these tokens, one after the other.
Json only_in_order(const std::vector<TokenId>& tokens) {
  Json fields = {{"allowed_token_ids", tokens}, {"temperature", 0}, {"logit_bias", Json::object()}};
  fields["bad_words"] = Json::array();
  const Tokenizer& tokenizer = model_with_tags().text();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    fields["logit_bias"][std::to_string(tokens[i])] = 100 - 15 * static_cast<int>(i);
    for (std::size_t k = 0; k <= i; ++k)
      fields["bad_words"].push_back(std::string(tokenizer.bytes(tokens[i])) + std::string(tokenizer.bytes(tokens[k])));
  }
  return fields;
}

Json with_fields(Json fields, const Json& more) {
  fields.update(more);
  return fields;
}

Json question_with_tools() {
  const Json none = {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  return {{"messages", {{{"role", "user"}, {"content", "ab"}}}},
          {"max_tokens", 60},
          {"tools", {{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", none}}}}}}};
}

void expect_one_call(const Json& choice, const Json& asked) {
  const Json message = choice["message"];
  EXPECT_TRUE(message["content"].is_null()) << message << asked;
  ASSERT_TRUE(message.contains("tool_calls")) << message << asked;
  ASSERT_EQ(message["tool_calls"].size(), 1U);
  const Json& function = message["tool_calls"][0]["function"];
  EXPECT_EQ(function["name"], "f");
  EXPECT_EQ(Json::parse(function["arguments"].get<std::string>()), Json::object()) << function;
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
}

// Whatever else of control tokens is to be in the text.
TEST(ControlTokens, CallsAreFound) {
  struct Form {
    const char* mark;
    std::vector<TokenId> tokens;
  };
  for (const Form& form :
       {Form{"<tool_call>", {begin_tag, call_json, end_tag, end_id}},
        Form{"[TOOL_CALLS]", {mistral_tag, '[', call_json, ']', end_id}},
        Form{"[TOOL_CALLS] [ARGS]", {mistral_tag, 'f', arguments_tag, '{', '}', end_id}},
        Form{"[TOOL_CALLS] [ARGS]", {mistral_tag, 'f', id_tag, '1', arguments_tag, '{', '}', end_id}},
        Form{"<|python_tag|>", {llama3_tag, call_json, end_id}}}) {
    const ServerForTests server = server_with(form.mark);
    for (const bool skip : {true, false}) {
      for (const bool include : {true, false}) {
        Json asked = with_fields(question_with_tools(), only_in_order(form.tokens));
        asked["skip_special_tokens"] = skip;
        asked["include_stop_str_in_output"] = include;
        expect_one_call(server.post(to_chat, asked).json()["choices"][0], asked);
        asked["stream"] = true;
        std::string name, content;
        for (const Json& event : server.post(to_chat, asked).events()) {
          const Json& delta = event["choices"][0]["delta"];
          content += delta.value("content", "");
          if (delta.contains("tool_calls")) name += delta["tool_calls"][0]["function"].value("name", "");
        }
        EXPECT_EQ(name, "f") << asked;
        EXPECT_EQ(content, "") << asked;
      }
    }
  }
}

TEST(ControlTokens, WhatOpensNoCallIsContentWhereItIsWanted) {
  const ServerForTests server = server_with("[TOOL_CALLS]");
  Json asked = with_fields(question_with_tools(), only_in_order({mistral_tag, 'x', end_id}));
  EXPECT_EQ(server.post(to_chat, asked).json()["choices"][0]["message"]["content"], "x");
  asked["skip_special_tokens"] = false;
  EXPECT_EQ(server.post(to_chat, asked).json()["choices"][0]["message"]["content"], "[TOOL_CALLS]x");
}

// They spell what the form of calls has, and stand in no other form.
TEST(ControlTokens, CallsThatHaveToBeMadeHaveTheirTags) {
  struct Form {
    const char* mark;
    std::vector<TokenId> tags;
  };
  for (const Form& form :
       {Form{"<tool_call>", {begin_tag, end_tag}}, Form{"[TOOL_CALLS] [ARGS]", {mistral_tag, arguments_tag}},
        Form{"[TOOL_CALLS] [ARGS]", {mistral_tag, id_tag, arguments_tag}}}) {
    SCOPED_TRACE(form.mark);
    const ServerForTests server = server_with(form.mark);
    Json likely = {{"temperature", 0}, {"return_token_ids", true}};
    for (const TokenId tag : form.tags)  // in their order where more than one may come
      likely["logit_bias"][std::to_string(tag)] = 100 - 10 * static_cast<int>(likely["logit_bias"].size());
    const auto tags_in = [](const Json& choice) {
      std::vector<TokenId> found = choice["token_ids"];
      std::erase_if(found, [](TokenId id) { return id < begin_tag || id > arguments_tag || id == call_json; });
      return found;
    };
    for (const Json& choice : {Json("required"), Json::parse(R"({"type": "function", "function": {"name": "f"}})")}) {
      Json asked = with_fields(question_with_tools(), likely);
      asked["tool_choice"] = choice;
      asked["parallel_tool_calls"] = false;
      const Json answer = server.post(to_chat, asked).json()["choices"][0];
      expect_one_call(answer, asked);
      EXPECT_EQ(tags_in(answer), form.tags);
      EXPECT_EQ(answer["token_ids"].front(), form.tags.front());
      asked.erase("logit_bias");
      expect_one_call(server.post(to_chat, asked).json()["choices"][0], asked);
    }
    Json asked = with_fields({{"prompt", "ab"}, {"max_tokens", 20}, {"guided_regex", "\"[^\"]*\""}}, likely);
    EXPECT_TRUE(tags_in(server.complete(asked).json()["choices"][0]).empty());
  }
}

// A text in a form ends where the form does, whatever ends it.
TEST(ControlTokens, WhatEndsATextIsNoPartOfItsForm) {
  const ServerForTests server({}, {{.memory = std::size_t{64} << 20}}, {}, {}, model_with_tags());
  const Json shown = {{"skip_special_tokens", false},
                      {"include_stop_str_in_output", true},
                      {"temperature", 0},
                      {"logit_bias", {{"259", 100}}}};
  const Json schema = {{"type", "integer"}};

  const Json by_schema = {{"response_format", {{"type", "json_schema"}, {"json_schema", {{"schema", schema}}}}}};
  Json asked =
      with_fields(with_fields({{"messages", question_with_tools()["messages"]}, {"max_tokens", 20}}, shown), by_schema);
  const Json chat = server.post(to_chat, asked).json()["choices"][0];
  EXPECT_TRUE(json_or_null(chat["message"]["content"].get<std::string>()).is_number_integer()) << chat;
  EXPECT_EQ(chat["finish_reason"], "stop");

  asked = with_fields({{"input", "ab"}, {"max_output_tokens", 20}}, shown);
  asked["text"] = {{"format", {{"type", "json_schema"}, {"name", "n"}, {"schema", schema}}}};
  const Json response = server.post("/v1/responses", asked).json();
  EXPECT_EQ(response["status"], "completed") << response;
  EXPECT_TRUE(json_or_null(response["output"][0]["content"][0]["text"].get<std::string>()).is_number_integer());

  asked = with_fields({{"prompt", "ab"}, {"max_tokens", 20}, {"guided_regex", "a+"}}, shown);
  Json choice = server.complete(asked).json()["choices"][0];
  EXPECT_EQ(choice["text"], "a");
  asked["stop_token_ids"] = {'z'};  // a token that has a text
  asked["logit_bias"] = {{"122", 100}};
  choice = server.complete(asked).json()["choices"][0];
  EXPECT_EQ(choice["text"], "a");
  EXPECT_EQ(choice["finish_reason"], "stop");
}

TEST(ControlTokens, ResponsesHaveThemIfWanted) {
  const ServerForTests server({}, {{.memory = std::size_t{64} << 20}}, {}, {}, model_with_tags());
  Json asked = {{"input", "ab"}, {"max_output_tokens", 5}, {"temperature", 0}, {"logit_bias", {{"259", 100}}}};
  const auto text = [&](bool include, bool skip) -> std::string {
    asked["include_stop_str_in_output"] = include;
    asked["skip_special_tokens"] = skip;
    const Json answer = server.post("/v1/responses", asked).json();
    return answer["output"][0]["content"][0]["text"];
  };
  EXPECT_EQ(text(false, true), "");
  EXPECT_EQ(text(true, true), "");
  EXPECT_EQ(text(false, false), "");
  EXPECT_EQ(text(true, false), "</s>");
  asked["logit_bias"] = {{"120", 100}};
  asked["stop"] = "xxx";
  EXPECT_EQ(text(false, true), "");
  EXPECT_EQ(text(true, true), "xxx");
}

TEST(ControlTokens, AnswersHaveOnlyTokensThatAreAllowed) {
  const ServerForTests server({}, {{.memory = std::size_t{64} << 20}}, {}, {}, model_with_tags());
  const std::vector<TokenId> allowed = {'q', 700, 1199};
  for (const Json& way : {Json{{"temperature", 0}}, Json{{"temperature", 1}}, Json{{"top_p", 0.7}}, Json{{"top_k", 2}},
                          Json{{"min_p", 0.1}}, Json{{"temperature", 1}, {"logit_bias", {{"513", 100}}}}}) {
    const Json asked = with_fields(
        {{"prompt", "ab"}, {"max_tokens", 30}, {"allowed_token_ids", allowed}, {"return_token_ids", true}}, way);
    const Json ids = server.complete(asked).json()["choices"][0]["token_ids"];
    EXPECT_EQ(ids.size(), 30U);
    for (const Json& id : ids) EXPECT_NE(std::ranges::find(allowed, id.get<TokenId>()), allowed.end()) << id << way;
  }
}

}  // namespace
}  // namespace layerboost
