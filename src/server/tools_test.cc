#include "server/tools.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "grammar/automaton.h"
#include "server/api_error.h"
#include "server/server_for_tests.h"

namespace layerboost {
namespace {

constexpr const char* two_tools =
    R"("tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties":
       {"x": {"enum": [1, 2]}}, "required": ["x"]}}}, {"type": "function", "function": {"name": "g"}}])";

ToolUse tools_of(const std::string& fields, std::optional<ToolFormat> format = ToolFormat::hermes) {
  const Json json = Json::parse("{" + fields + "}");
  return read_tools(Fields(json), format);
}

std::string tools_refusal(const std::string& fields, std::optional<ToolFormat> format = ToolFormat::hermes) {
  try {
    (void)tools_of(fields, format);
  } catch (const ApiError& error) {
    const Json json = Json::parse(error.answer().body)["error"];
    return json["param"].dump() + ": " + json["message"].get<std::string>();
  }
  return "none";
}

bool calls_fit(const std::string& choice, ToolFormat format, std::string_view text) {
  ToolUse use = tools_of(two_tools + (", " + choice), format);
  if (!use.form) return false;
  Automaton automaton(std::move(*use.form));
  int state = automaton.start();
  for (const char c : text) state = automaton.next(state, static_cast<std::uint8_t>(c));
  return state >= 0 && automaton.accepts(state);
}

TEST(Tools, ChoicesAreRead) {
  EXPECT_FALSE(tools_of("").format);
  EXPECT_FALSE(tools_of(R"("tools": [])").format);
  EXPECT_TRUE(tools_of(std::string(two_tools) + R"(, "tool_choice": "none")").tools.is_null());
  EXPECT_TRUE(tools_refusal(R"("tools": [[[]]], "tool_choice": "none")").starts_with("\"tools[0]\""));
  const ToolUse use = tools_of(two_tools);
  EXPECT_EQ(use.tools.size(), 2U);
  EXPECT_EQ(use.format, ToolFormat::hermes);
  EXPECT_FALSE(use.form || use.one_call);
  EXPECT_TRUE(tools_of(std::string(two_tools) + R"(, "parallel_tool_calls": false)").one_call);
}

TEST(Tools, CallsThatHaveToBeMadeHaveAForm) {
  const std::string f = R"(<tool_call>
{"name": "f", "arguments": {"x": 1}}
</tool_call>)";
  const std::string g = R"(<tool_call>
{"name": "g", "arguments": {"any": [2]}}
</tool_call>)";
  const char* const required = R"("tool_choice": "required")";
  EXPECT_TRUE(calls_fit(required, ToolFormat::hermes, f));
  EXPECT_TRUE(calls_fit(required, ToolFormat::hermes, f + "\n" + g));
  EXPECT_FALSE(calls_fit(required, ToolFormat::hermes, "Hello"));
  EXPECT_FALSE(
      calls_fit(R"("tool_choice": "required", "parallel_tool_calls": false)", ToolFormat::hermes, f + "\n" + g));
  const char* const named = R"("tool_choice": {"type": "function", "function": {"name": "f"}})";
  EXPECT_TRUE(calls_fit(named, ToolFormat::hermes, f));
  EXPECT_FALSE(calls_fit(named, ToolFormat::hermes, g));
  EXPECT_FALSE(calls_fit(named, ToolFormat::hermes, f + "\n" + f));
  EXPECT_TRUE(calls_fit(required, ToolFormat::llama3,
                        R"({"name": "f", "parameters": {"x": 2}}; {"name": "g", "parameters": {}})"));
  EXPECT_TRUE(calls_fit(required, ToolFormat::mistral,
                        R"([{"name": "f", "arguments": {"x": 2}}, {"name": "g", "arguments": {}}])"));
  const auto fits_named = [&](const char* choice, std::string_view text) {
    return calls_fit(choice, ToolFormat::mistral_named, text);
  };
  EXPECT_TRUE(fits_named(required, R"([TOOL_CALLS]f[ARGS]{"x": 2}[TOOL_CALLS]g[ARGS]{})"));
  EXPECT_TRUE(fits_named(required, R"([TOOL_CALLS]f[CALL_ID]a1B2c3D4e[ARGS]{"x":2}[TOOL_CALLS]g[ARGS]{"a": [1]})"));
  for (const char* const other : {R"([TOOL_CALLS]f[ARGS]{"x": 3})", "[TOOL_CALLS]h[ARGS]{}", R"(f[ARGS]{"x": 2})",
                                  R"([TOOL_CALLS]f[CALL_ID]a1[ARGS]{"x": 2})", R"([TOOL_CALLS]f{"x": 2})", ""})
    EXPECT_FALSE(fits_named(required, other)) << other;
  EXPECT_TRUE(fits_named(named, R"([TOOL_CALLS]f[ARGS]{"x": 2})"));
  EXPECT_FALSE(fits_named(named, "[TOOL_CALLS]g[ARGS]{}"));
  EXPECT_FALSE(fits_named(named, R"([TOOL_CALLS]f[ARGS]{"x": 2}[TOOL_CALLS]f[ARGS]{"x": 2})"));
}

TEST(Tools, ArgumentsAreAnObject) {
  const auto fits = [](const char* parameters, std::string_view arguments) {
    ToolUse use = tools_of(fmt::format(
        R"("tools": [{{"type": "function", "function": {{"name": "f", "parameters": {}}}}}], "tool_choice": "required")",
        parameters));
    Automaton automaton(std::move(*use.form));
    int state = automaton.start();
    for (const char c : fmt::format("<tool_call>\n{{\"name\": \"f\", \"arguments\": {}}}\n</tool_call>", arguments))
      state = automaton.next(state, static_cast<std::uint8_t>(c));
    return state >= 0 && automaton.accepts(state);
  };
  for (const char* const parameters : {"{}", "null", R"({"description": "none"})", R"({"type": "object"})"}) {
    EXPECT_TRUE(fits(parameters, R"({"a": 1})")) << parameters;
    EXPECT_FALSE(fits(parameters, "1")) << parameters;
  }
  EXPECT_TRUE(fits(R"({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"x": {}}}}})", R"({"x": 1})"));
}

TEST(Tools, WhatMakesNoSenseIsRefused) {
  EXPECT_TRUE(tools_refusal(R"("tools": [{"type": "function"}])").starts_with("\"tools[0]\""));
  EXPECT_TRUE(tools_refusal(R"("tools": [{"type": "function", "function": {"name": "a b"}}])")
                  .starts_with("\"tools[0].function.name\""));
  EXPECT_TRUE(tools_refusal(R"("tool_choice": "required")").starts_with("\"tool_choice\""));
  EXPECT_TRUE(tools_refusal(std::string(two_tools) + R"(, "tool_choice": "any")").starts_with("\"tool_choice\""));
  EXPECT_TRUE(
      tools_refusal(std::string(two_tools) + R"(, "tool_choice": {"type": "function", "function": {"name": "h"}})")
          .find("\"h\"") != std::string::npos);
  for (const char* const choice : {"1", "true", "[]", R"("")", "{}", R"({"type": "function", "function": "f"})"})
    EXPECT_TRUE(
        tools_refusal(fmt::format(R"({}, "tool_choice": {})", two_tools, choice)).starts_with("\"tool_choice\""))
        << choice;
  EXPECT_TRUE(tools_refusal(two_tools, std::nullopt).starts_with("\"tools\""));
  const std::string text =
      R"("tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}])";
  EXPECT_EQ(tools_refusal(text), "none");
  EXPECT_TRUE(tools_refusal(text + R"(, "tool_choice": "required")").starts_with("\"tools[0].function.parameters\""));
  const std::string with_not =
      R"("tools": [{"type": "function", "function": {"name": "f", "parameters": {"not": {}}}}])";
  EXPECT_EQ(tools_refusal(with_not), "none");
  EXPECT_TRUE(tools_refusal(with_not + R"(, "tool_choice": "required")").find("\"not\"") != std::string::npos);
}

// Each is small enough, but not all of them: their cost adds up.
TEST(Tools, SchemasOfAllCallsHaveABound) {
  Json tools = Json::array();
  for (int i = 0; i < 3; ++i) {
    const Json parameters = {{"type", "object"}, {"description", std::string(std::size_t{50} << 10, 'a')}};
    tools.push_back(
        {{"type", "function"}, {"function", {{"name", fmt::format("f{}", i)}, {"parameters", parameters}}}});
  }
  const std::string all = "\"tools\": " + tools.dump();
  EXPECT_EQ(tools_refusal(all), "none");
  EXPECT_TRUE(tools_refusal(all + R"(, "tool_choice": "required")").find("128 KiB") != std::string::npos);
  EXPECT_EQ(tools_refusal(all + R"(, "tool_choice": {"type": "function", "function": {"name": "f1"}})"), "none");
}

TEST(Tools, AModelThatIsNotToldOfThemOnlyMakesCallsThatItHasTo) {
  const auto refused = [](const std::string& choice) {
    const Json json = Json::parse("{" + std::string(two_tools) + choice + "}");
    try {
      (void)read_tools(Fields(json), ToolFormat::hermes, false);
      return false;
    } catch (const ApiError&) {
      return true;
    }
  };
  EXPECT_TRUE(refused(""));
  EXPECT_FALSE(refused(R"(, "tool_choice": "none")"));
  EXPECT_FALSE(refused(R"(, "tool_choice": "required")"));
  EXPECT_FALSE(refused(R"(, "tool_choice": {"type": "function", "function": {"name": "f"}})"));
}

ServerOptions options_with_tools() {
  ServerOptions options;
  options.chat_template =
      "{% if tools %}[{{ tools | length }} for <tool_call>]{% endif %}{% for m in messages %}<{{ m.role }}>{{ "
      "m.content }}{% "
      "endfor %}";
  return options;
}

Json chat_with_tools() {
  Json chat = Json::parse("{" + std::string(two_tools) + "}");
  chat["messages"] = Json::array({{{"role", "user"}, {"content", "hi"}}});
  chat["max_tokens"] = 120;
  chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", "f"}}}};
  return chat;
}

TEST(Tools, ACallThatHasToBeMadeIsMade) {
  ServerForTests server(options_with_tools());
  const AnswerForTests answer = server.post("/v1/chat/completions", chat_with_tools());
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json choice = answer.json()["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  ASSERT_EQ(choice["message"]["tool_calls"].size(), 1U) << answer.body;
  const Json call = choice["message"]["tool_calls"][0];
  EXPECT_EQ(call["type"], "function");
  EXPECT_TRUE(call["id"].get<std::string>().starts_with("call_"));
  EXPECT_EQ(call["function"]["name"], "f");
  const Json arguments = Json::parse(call["function"]["arguments"].get<std::string>());
  EXPECT_TRUE(arguments["x"] == 1 || arguments["x"] == 2);
}

TEST(Tools, CallsAreStreamed) {
  ServerForTests server(options_with_tools());
  Json chat = chat_with_tools();
  chat["stream"] = true;
  const AnswerForTests answer = server.post("/v1/chat/completions", chat);
  ASSERT_EQ(answer.status, 200) << answer.body;
  std::string arguments, names, content;
  int ids = 0;
  for (const Json& event : answer.events()) {
    const Json delta = event["choices"][0]["delta"];
    content += delta.value("content", "");
    for (const Json& call : delta.value("tool_calls", Json::array())) {
      EXPECT_EQ(call["index"], 0);
      ids += call.contains("id") ? 1 : 0;
      names += call["function"].value("name", "");
      arguments += call["function"]["arguments"].get<std::string>();
    }
  }
  EXPECT_EQ(ids, 1);
  EXPECT_EQ(names, "f");
  EXPECT_EQ(content, "");
  EXPECT_TRUE(Json::parse(arguments)["x"].is_number()) << arguments;
  EXPECT_EQ(answer.events().back()["choices"][0]["finish_reason"], "tool_calls");
}

TEST(Tools, ServersKnowTheirTemplates) {
  Json chat = chat_with_tools();
  chat["max_tokens"] = 1;
  chat["tool_choice"] = "auto";
  const auto answer = [&](const char* chat_template) {
    ServerOptions options;
    options.chat_template = chat_template;
    return ServerForTests(options).post("/v1/chat/completions", chat).status;
  };
  EXPECT_EQ(answer("{{ tools | tojson }} <tool_call>"), 200);
  EXPECT_EQ(answer("{{ tools | tojson }}"), 200);
  EXPECT_EQ(answer("{{ tools | tojson }} <|tool_call|>"), 400);
  EXPECT_EQ(answer("{{ messages | tojson }}"), 400);
}

TEST(Tools, ToolsReachTheTemplate) {
  ServerForTests server(options_with_tools());
  Json body = chat_with_tools();
  body.erase("max_tokens");
  body["tool_choice"] = "auto";
  const std::size_t with = server.post("/tokenize", body).json()["tokens"].size();
  body["tool_choice"] = "none";
  EXPECT_GT(with, server.post("/tokenize", body).json()["tokens"].size());
}

}  // namespace
}  // namespace layerboost
