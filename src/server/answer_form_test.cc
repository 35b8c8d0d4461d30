#include "server/answer_form.h"

#include <gtest/gtest.h>

#include <string>

#include "grammar/automaton.h"
#include "server/api_error.h"
#include "server/server_for_tests.h"

namespace layerboost {
namespace {

std::optional<AnswerForm> form_of(const std::string& fields) {
  const Json json = Json::parse("{" + fields + "}");
  return read_answer_form(Fields(json));
}

bool form_fits(const std::string& fields, std::string_view text) {
  auto form = form_of(fields);
  if (!form) return false;
  Automaton automaton(std::move(form->grammar));
  int state = automaton.start();
  for (const char c : text) state = automaton.next(state, static_cast<std::uint8_t>(c));
  return state >= 0 && automaton.accepts(state);
}

std::string form_refusal(const std::string& fields) {
  try {
    (void)form_of(fields);
  } catch (const ApiError& error) {
    const Json json = Json::parse(error.answer().body)["error"];
    return json["param"].dump() + ": " + json["message"].get<std::string>();
  }
  return "none";
}

TEST(AnswerForm, IsReadFromEveryName) {
  for (const char* const nothing :
       {"", R"("response_format": {"type": "text"})", R"("guided_json": null)", R"("guided_choice": [])",
        R"("structured_outputs": {})", R"("structured_outputs": {"json": null, "disable_fallback": false})",
        R"("guided_json_object": false, "guided_regex": "", "guided_grammar": "", "grammar": "")"})
    EXPECT_FALSE(form_of(nothing)) << nothing;
  EXPECT_TRUE(form_fits(R"("response_format": {"type": "json_object"})", R"({"a": [1]})"));
  EXPECT_FALSE(form_fits(R"("response_format": {"type": "json_object"})", "[1]"));
  const std::string schema = R"({"type": "integer"})";
  for (const std::string& fields :
       {R"("response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": )" +
            schema + "}}",
        R"("response_format": {"type": "json_object", "schema": )" + schema + "}", R"("guided_json": )" + schema,
        R"("guided_json": )" + Json(schema).dump(), R"("json_schema": )" + schema,
        R"("structured_outputs": {"json": )" + schema + "}"}) {
    EXPECT_TRUE(form_fits(fields, "12")) << fields;
    EXPECT_FALSE(form_fits(fields, "\"a\"")) << fields;
  }
  for (const char* const fields :
       {R"("guided_choice": ["yes", "no"])", R"("structured_outputs": {"choice": ["yes", "no"]})",
        R"("guided_regex": "yes|no")", R"("structured_outputs": {"regex": "yes|no"})",
        R"("guided_grammar": "root ::= y | \"no\"\ny ::= \"yes\"")", R"("grammar": "root ::= \"yes\" | \"no\"")",
        R"("structured_outputs": {"grammar": "root ::= \"yes\" | \"no\""})"}) {
    EXPECT_TRUE(form_fits(fields, "no")) << fields;
    EXPECT_FALSE(form_fits(fields, "noyes")) << fields;
  }
}

TEST(AnswerForm, RefusalsNameTheFieldAndTheKeyword) {
  EXPECT_EQ(form_refusal(R"("guided_json": {"properties": {"a": {"not": {}}}})"),
            R"("guided_json": "guided_json" can't be kept to: the schema's "not" at "/properties/a" is not supported)");
  EXPECT_TRUE(form_refusal(R"("response_format": {"type": "json_schema", "json_schema": {"schema": {"if": {}}}})")
                  .starts_with(R"("response_format.json_schema.schema": )"));
  EXPECT_TRUE(form_refusal(R"("response_format": {"type": "json_schema"})").ends_with("is missing"));
  EXPECT_TRUE(form_refusal(R"("response_format": {"type": "xml"})").starts_with(R"("response_format.type")"));
  for (const char* const mixed :
       {R"({"type": "json_object", "json_schema": {"schema": {}}})", R"({"type": "text", "schema": {}})"}) {
    const std::string refused = form_refusal(std::string(R"("response_format": )") + mixed);
    EXPECT_TRUE(refused.find("schema\" here") != std::string::npos) << refused;
  }
  EXPECT_TRUE(form_refusal(R"("structured_outputs": {"structural_tag": "x"})").starts_with(R"("structured_outputs")"));
  EXPECT_TRUE(form_refusal(R"("structured_outputs": {"grammar": "start: A"})")
                  .starts_with(R"("structured_outputs.grammar": )"));
  EXPECT_TRUE(form_refusal(R"("guided_grammar": "root ::= b")").ends_with("the grammar has no rule \"b\" (line 1)"));
  EXPECT_TRUE(form_refusal(R"("grammar": ")" + std::string(70000, ' ') + "\"").ends_with("more than 64 KiB"));
  EXPECT_TRUE(form_refusal(R"("guided_regex": "(")").starts_with(R"("guided_regex")"));
  EXPECT_TRUE(form_refusal(R"("guided_regex": "a", "guided_choice": ["a"])").find("2 forms") != std::string::npos);
}

TEST(AnswerForm, AnswersHaveIt) {
  ServerForTests server;
  const Json chat = {{"messages", Json::array({{{"role", "user"}, {"content", "hi"}}})}, {"max_tokens", 80}};
  for (const double temperature : {0.0, 1.0}) {
    for (const double top_p : {1.0, 0.9}) {
      Json asked = chat;
      asked["temperature"] = temperature;
      asked["top_p"] = top_p;
      asked["n"] = 3;
      asked["seed"] = 5;
      asked["response_format"] = {
          {"type", "json_schema"},
          {"json_schema",
           {{"name", "n"},
            {"schema",
             {{"type", "object"},
              {"properties",
               {{"color", {{"enum", {"red", "blue"}}}}, {"size", {{"type", "string"}, {"maxLength", 5}}}}},
              {"required", {"color", "size"}}}}}}};
      const AnswerForTests answer = server.post("/v1/chat/completions", asked);
      ASSERT_EQ(answer.status, 200) << answer.body;
      const Json body = answer.json();
      for (const Json& choice : body["choices"]) {
        EXPECT_EQ(choice["finish_reason"], "stop");
        const Json written = Json::parse(choice["message"]["content"].get<std::string>());
        EXPECT_TRUE(written["color"] == "red" || written["color"] == "blue");
        EXPECT_EQ(written.size(), 2U);
      }
    }
  }
  const AnswerForTests answer =
      server.complete({{"prompt", "a"}, {"guided_choice", {"abc", "b"}}, {"max_tokens", 9}, {"ignore_eos", true}});
  const std::string text = answer.json()["choices"][0]["text"];
  EXPECT_TRUE(text == "abc" || text == "b") << answer.body;
}

// What leaves too much open is the client's: where it begins, or further on, in a stream, too.
TEST(AnswerForm, WhatLeavesTooMuchOpenIsRefused) {
  const ServerForTests server;
  Json asked = {{"prompt", "ab"}, {"max_tokens", 9}, {"guided_regex", "x([ab]?){5000}"}, {"stream", true}};
  AnswerForTests answer = server.complete(asked);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.json()["error"]["param"], "guided_regex");
  asked["structured_outputs"] = {{"regex", "[xy]z([ab]?){5000}"}};
  asked.erase("guided_regex");
  const auto expect_refusal = [](const Json& error) {
    EXPECT_EQ(error["type"], "invalid_request_error");
    EXPECT_EQ(error["param"], "structured_outputs.regex");
    EXPECT_NE(error["message"].get<std::string>().find("too much open"), std::string::npos);
  };
  answer = server.complete(asked);
  EXPECT_EQ(answer.status, 200);
  expect_refusal(answer.events().back()["error"]);
  asked["stream"] = false;
  asked["n"] = 3;
  answer = server.complete(asked);
  EXPECT_EQ(answer.status, 400);
  expect_refusal(answer.json()["error"]);
}

TEST(AnswerForm, MayBeThatOfNothing) {
  const ServerForTests server;
  for (const Json& form : {Json{{"grammar", "root ::= \"\""}}, Json{{"guided_choice", {""}}}}) {
    for (const bool stream : {false, true}) {
      Json asked = {{"prompt", "ab"}, {"max_tokens", 9}, {"ignore_eos", true}, {"n", 2}, {"stream", stream}};
      asked.update(form);
      const AnswerForTests answer = server.complete(asked);
      ASSERT_EQ(answer.status, 200) << answer.body;
      if (stream) continue;
      const Json body = answer.json();
      for (const Json& choice : body["choices"]) {
        EXPECT_EQ(choice["text"], "");
        EXPECT_EQ(choice["finish_reason"], "stop");
      }
      EXPECT_EQ(body["usage"]["completion_tokens"], 0);
    }
  }
}

}  // namespace
}  // namespace layerboost
