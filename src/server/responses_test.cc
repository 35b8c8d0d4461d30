// /v1/responses: what is asked, and what is answered over real sockets, whole and in events.
#include <gtest/gtest.h>

#include "eval/tokenizer_for_tests.h"
#include "server/refusal_for_tests.h"
#include "server/response_events_for_tests.h"
#include "server/server_for_tests.h"

namespace layerboost {
namespace {

class ResponseRequests : public ::testing::Test {
 protected:
  ResponseRequests() { reader_.limits.positions = 200; }
  [[nodiscard]] std::string prompt(const std::string& fields) const {
    return reader_.response("{" + fields + "}").prompts[0].text;
  }

  /// What the answer would say of its request.
  [[nodiscard]] Json repeated(const std::string& fields) const {
    return Json::parse("{" + reader_.response("{" + fields + "}").repeated + "}");
  }

  [[nodiscard]] std::string refusal(const std::string& fields) const {
    return refusal_of([&] { (void)reader_.response("{" + fields + "}"); });
  }

  Tokenizer tokenizer_{tokenizer_data_for_tests()};
  ChatTemplate chat_{
      "{% if tools %}{{ tools[0].function.name }};{% endif %}{% for m in messages %}[{{ m.role }}]{{ m.content }}"
      "{% for c in m.tool_calls %}<{{ c.id }}:{{ c.function.name }}={{ c.function.arguments.x }}>{% endfor %}"
      "{% if m.role == 'tool' %}({{ m.name }}){% endif %}{% endfor %}{{ reasoning_effort }}",
      "<s>", "</s>"};
  ApiReader reader_{tokenizer_, &chat_, {"tiny"}, {}};
};

TEST_F(ResponseRequests, InputBecomesMessages) {
  EXPECT_EQ(prompt(R"("input": "hi")"), "[user]hi");
  EXPECT_EQ(prompt(R"("input": "hi", "instructions": "Be kind.")"), "[system]Be kind.[user]hi");
  EXPECT_EQ(prompt(R"("input": "hi", "instructions": null, "reasoning": {"effort": "low", "summary": "auto"})"),
            "[user]hilow");
  EXPECT_EQ(prompt(R"("input": [{"role": "developer", "content": "a"}, {"type": "message", "role": "user", "content":
                       [{"type": "input_text", "text": "b"}, {"type": "input_text", "text": "c"}]}])"),
            "[developer]a[user]b\nc");
  // What an answer had, and more.
  EXPECT_EQ(prompt(R"("input": [{"role": "user", "content": "a"}, {"type": "message", "id": "msg_1", "status":
                       "completed", "role": "assistant", "content": [{"type": "output_text", "text": "b",
                       "annotations": [], "logprobs": []}]}, {"role": "user", "content": "c"}])"),
            "[user]a[assistant]b[user]c");
}

TEST_F(ResponseRequests, CallsBelongToTheAssistantsMessage) {
  EXPECT_EQ(prompt(R"("input": [{"role": "user", "content": "a"},
                       {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"x\": 1}"},
                       {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{\"x\": 2}"},
                       {"type": "function_call_output", "call_id": "c2", "output": "two"},
                       {"type": "function_call_output", "call_id": "c1", "output":
                        [{"type": "input_text", "text": "one"}]}],
                       "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": true}])"),
            "f;[user]a[assistant]<c1:f=1><c2:g=2>[tool]two(g)[tool]one(f)");
}

// As an answer has them: a template has one message for the assistant's turn, and the results after it.
TEST_F(ResponseRequests, ItemsOfATurnAreOneMessage) {
  EXPECT_EQ(prompt(R"("input": [{"role": "user", "content": "a"},
                       {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"x\": 1}"},
                       {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "then"}]},
                       {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{\"x\": 2}"},
                       {"type": "message", "role": "assistant", "content": "done"},
                       {"type": "function_call_output", "call_id": "c1", "output": "one"},
                       {"type": "function_call_output", "call_id": "c2", "output": "two"},
                       {"type": "message", "role": "assistant", "content": "So."},
                       {"role": "user", "content": "b"}])"),
            "[user]a[assistant]then\ndone<c1:f=1><c2:g=2>[tool]one(f)[tool]two(g)[assistant]So.[user]b");
}

TEST_F(ResponseRequests, SettingsAreChats) {
  const ApiRequest request = reader_.response(
      R"({"model": "tiny", "input": "a", "max_output_tokens": 7, "temperature": 0.5, "top_p": 0.25, "seed": 3,
          "stream": true, "stream_options": {"include_obfuscation": false}, "top_logprobs": 2,
          "include": ["message.output_text.logprobs", "reasoning.encrypted_content"]})");
  EXPECT_EQ(request.endpoint, Endpoint::responses);
  EXPECT_EQ(request.settings.max_tokens, 7);
  EXPECT_EQ(request.settings.sampling.temperature, 0.5);
  EXPECT_EQ(request.settings.sampling.top_p, 0.25);
  EXPECT_EQ(request.settings.logprobs, 2);
  EXPECT_EQ(request.seed, 3U);
  EXPECT_TRUE(request.stream);
  const ApiRequest open = reader_.response(R"({"input": "a"})");
  EXPECT_EQ(open.settings.max_tokens, 200 - static_cast<int>(open.prompts[0].tokens.size()));
  EXPECT_EQ(open.settings.logprobs, -1);
  EXPECT_EQ(repeated(R"("input": "a")")["store"], false);
  EXPECT_EQ(repeated(R"("input": "a")")["text"]["format"]["type"], "text");
  const char* const form = R"({"input": "a", "text": {"format": {"type": "json_schema", "name": "n", "strict": true,
                               "schema": {"type": "integer"}}}})";
  EXPECT_TRUE(reader_.response(form).constraint);
  EXPECT_EQ(Json::parse("{" + reader_.response(form).repeated + "}")["text"]["format"]["name"], "n");
  EXPECT_TRUE(reader_.response(R"({"input": "a", "text": {"format": {"type": "json_object"}}})").constraint);
  EXPECT_FALSE(reader_.response(R"({"input": "a", "text": {"format": {"type": "text"}}})").constraint);
}

TEST_F(ResponseRequests, WhatClientsSendWithoutMeaningMuchPasses) {
  for (
      const char* const fields :
      {R"("store": false, "background": false, "previous_response_id": null, "truncation": "disabled")",
       R"("metadata": {"a": "b"}, "user": "u", "safety_identifier": "s", "prompt_cache_key": "k", "service_tier": "auto")",
       R"("tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "max_tool_calls": 3)",
       R"("include": [], "text": {"verbosity": "medium"}, "reasoning": {}, "top_logprobs": 0, "conversation": null)",
       R"("include": ["reasoning.encrypted_content"], "text": {}, "stream": false)"})
    EXPECT_EQ(refusal(fmt::format(R"("input": "a", {})", fields)), "none") << fields;
}

TEST_F(ResponseRequests, RefusalsNameTheField) {
  for (const auto& [field, fields] : std::initializer_list<std::pair<const char*, const char*>>{
           {"store", R"("store": true)"},
           {"background", R"("background": true)"},
           {"previous_response_id", R"("previous_response_id": "resp_1")"},
           {"conversation", R"("conversation": "conv_1")"},
           {"prompt", R"("prompt": {"id": "p"})"},
           {"truncation", R"("truncation": "auto")"},
           {"context_management", R"("context_management": [{"type": "compaction"}])"},
           {"tools[0]", R"("tools": [{"type": "web_search"}])"},
           {"tools[0].name", R"("tools": [{"type": "function", "function": {"name": "f"}}])"},
           {"tool_choice", R"("tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "file_search"})"},
           {"tool_choice", R"("tools": [{"type": "function", "name": "f"}],
                              "tool_choice": {"type": "function", "function": {"name": "f"}})"},
           {"tool_choice", R"("tool_choice": "required")"},
           {"tools[0]", R"("tools": [[[]]], "tool_choice": "none")"},
           {"include", R"("include": ["everything"])"},
           {"include", R"("include": ["message.output_text.logprobs"], "tools": [{"type": "function", "name": "f"}])"},
           {"top_logprobs", R"("top_logprobs": 3)"},
           {"top_logprobs", R"("top_logprobs": 20, "include": ["message.output_text.logprobs"],
                               "max_output_tokens": 900)"},
           {"text.verbosity", R"("text": {"verbosity": "low"})"},
           {"text.format.type", R"("text": {"format": {"type": "grammar"}})"},
           {"text.format", R"("text": {"format": {"type": "json_object", "name": "n"}})"},
           {"text.format", R"("text": {"format": {"type": "json_schema", "json_schema": {"schema": {}}}})"},
           {"text.format.schema", R"("text": {"format": {"type": "json_schema", "name": "n"}})"},
           {"text.format.schema", R"("text": {"format": {"type": "json_schema", "name": "n", "schema": {"if": {}}}})"},
           {"reasoning.mode", R"("reasoning": {"mode": "pro"})"},
           {"max_output_tokens", R"("max_output_tokens": 0)"},
           {"max_tokens", R"("max_tokens": 5)"},
           {"messages", R"("messages": [{"role": "user", "content": "a"}])"},
           {"n", R"("n": 2)"},
           {"response_format", R"("response_format": {"type": "json_object"})"},
           {"stream_options", R"("stream_options": {"include_obfuscation": true})"}}) {
    if (std::string_view(fields).find("900") != std::string_view::npos) reader_.limits.positions = 1000;
    EXPECT_TRUE(refusal(fmt::format(R"("input": "a", {})", fields)).starts_with(fmt::format("400 \"{}\"", field)))
        << fields << ": " << refusal(fmt::format(R"("input": "a", {})", fields));
  }
  for (const auto& [field, input] : std::initializer_list<std::pair<const char*, const char*>>{
           {"input", "null"},
           {"input", "[]"},
           {"input", "5"},
           {"input[0]", "[5]"},
           {"input[1].role", R"([{"role": "user", "content": "a"}, {"content": "a"}])"},
           {"input[0].content", R"([{"role": "user", "content": 5}])"},
           {"input[0].content", R"([{"role": "user", "content": [{"type": "input_image"}]}])"},
           {"input[0].type", R"([{"type": "item_reference", "id": "x"}])"},
           {"input[0].tool_calls", R"([{"role": "assistant", "content": "", "tool_calls": "x"}])"},
           {"input[0].call_id", R"([{"type": "function_call", "name": "f", "arguments": "{}"}])"},
           {"input[0].output", R"([{"type": "function_call_output", "call_id": "c"}])"}})
    EXPECT_TRUE(refusal(fmt::format(R"("input": {})", input)).starts_with(fmt::format("400 \"{}\"", field))) << input;
  EXPECT_NE(refusal(R"("input": "a", "max_output_tokens": 1000)").find("\"max_output_tokens\""), std::string::npos);
}

// The answer has them, too: they are read though they change nothing.
TEST_F(ResponseRequests, WhatComesBackHasItsLimits) {
  const auto metadata = [](const std::string& key, const std::string& value) {
    return fmt::format(R"("input": "a", "metadata": {{"{}": "{}"}})", key, value);
  };
  std::string umlauts;
  for (int i = 0; i < 512; ++i) umlauts += "ü";
  EXPECT_EQ(repeated(metadata(std::string(64, 'k'), umlauts))["metadata"][std::string(64, 'k')], umlauts);
  EXPECT_TRUE(refusal(metadata(std::string(65, 'k'), "v")).starts_with("400 \"metadata\""));
  EXPECT_TRUE(refusal(metadata("k", umlauts + "v")).starts_with("400 \"metadata\""));
  Json many = Json::object();
  for (int i = 0; i < 17; ++i) many[fmt::format("{}", i)] = "v";
  EXPECT_TRUE(refusal(R"("input": "a", "metadata": )" + many.dump()).starts_with("400 \"metadata\""));
  for (const auto& [field, value] :
       std::initializer_list<std::pair<const char*, const char*>>{{"metadata", "[[[]]]"},
                                                                  {"metadata", "5"},
                                                                  {"metadata", R"({"a": {}})"},
                                                                  {"user", "[1]"},
                                                                  {"max_tool_calls", "[[]]"},
                                                                  {"max_tool_calls", "0.5"}})
    EXPECT_TRUE(
        refusal(fmt::format(R"("input": "a", "{}": {})", field, value)).starts_with(fmt::format("400 \"{}\"", field)))
        << field << value;
  EXPECT_TRUE(refusal(fmt::format(R"("input": "a", "user": "{}")", std::string(513, 'u'))).starts_with("400 \"user\""));
  EXPECT_EQ(repeated(R"("input": "a", "max_tool_calls": 3, "user": "u")")["max_tool_calls"], 3);
}

TEST_F(ResponseRequests, WhatComesBackIsLimitedAltogether) {
  reader_.limits.repeated = 2048;
  const auto tools = [](std::size_t size) {
    return fmt::format(R"("input": "a", "tool_choice": "none",
                          "tools": [{{"type": "function", "name": "f", "description": "{}"}}])",
                       std::string(size, 'd'));
  };
  EXPECT_EQ(refusal(tools(1000)), "none");
  EXPECT_EQ(refusal(tools(2048)),
            R"(400 null: the answer repeats "instructions", "tools" and "text", which have more than 2 KiB here: )"
            "shorten them");
}

TEST_F(ResponseRequests, ToolsNeedAModelThatIsToldOfThem) {
  reader_.told_of_tools = false;
  const std::string tools = R"("input": "a", "tools": [{"type": "function", "name": "f"}])";
  EXPECT_TRUE(refusal(tools).starts_with("400 \"tools\""));
  EXPECT_EQ(refusal(tools + R"(, "tool_choice": "required")"), "none");
  EXPECT_EQ(refusal(tools + R"(, "tool_choice": {"type": "function", "name": "f"})"), "none");
}

Json response_for_tests() {
  return {{"input", "ab c"}, {"max_output_tokens", 12}, {"temperature", 0}, {"ignore_eos", true}};
}

TEST(Responses, TheTextIsChats) {
  const ServerForTests server;
  Json asked = response_for_tests();
  asked["metadata"] = {{"key", "value"}};
  const AnswerForTests answer = server.post("/v1/responses", asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  const Json chat = server
                        .post("/v1/chat/completions", {{"messages", {{{"role", "user"}, {"content", "ab c"}}}},
                                                       {"max_tokens", 12},
                                                       {"temperature", 0},
                                                       {"ignore_eos", true}})
                        .json();
  EXPECT_EQ(json["object"], "response");
  EXPECT_EQ(json["id"], "resp_" + answer.headers.at("X-Request-Id"));
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["status"], "incomplete");
  EXPECT_EQ(json["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(json["error"], nullptr);
  EXPECT_EQ(json["store"], false);
  EXPECT_EQ(json["metadata"]["key"], "value");
  EXPECT_EQ(json["max_output_tokens"], 12);
  ASSERT_EQ(json["output"].size(), 1U);
  const Json message = json["output"][0];
  EXPECT_EQ(message["type"], "message");
  EXPECT_EQ(message["role"], "assistant");
  EXPECT_EQ(message["status"], "incomplete");
  ASSERT_EQ(message["content"].size(), 1U);
  EXPECT_EQ(message["content"][0]["type"], "output_text");
  EXPECT_EQ(message["content"][0]["text"], chat["choices"][0]["message"]["content"]);
  EXPECT_EQ(message["content"][0]["annotations"], Json::array());
  EXPECT_EQ(message["content"][0]["logprobs"], Json::array());
  EXPECT_EQ(json["usage"]["input_tokens"], chat["usage"]["prompt_tokens"]);
  EXPECT_EQ(json["usage"]["input_tokens_details"]["cached_tokens"], 0);
  EXPECT_EQ(json["usage"]["output_tokens"], 12);
  EXPECT_EQ(json["usage"]["output_tokens_details"]["reasoning_tokens"], 0);
  EXPECT_EQ(json["usage"]["total_tokens"], chat["usage"]["total_tokens"]);
}

TEST(Responses, EventsGrowIntoTheSameResponse) {
  const ServerForTests server;
  Json asked = response_for_tests();
  const Json whole = server.post("/v1/responses", asked).json();
  asked["stream"] = true;
  const AnswerForTests answer = server.post("/v1/responses", asked);
  EXPECT_TRUE(answer.headers.at("Content-Type").starts_with("text/event-stream"));
  const std::vector<EventForTests> events = response_events(answer.body);
  EXPECT_EQ(event_names(events),
            (std::vector<std::string>{"response.created", "response.in_progress", "response.output_item.added",
                                      "response.content_part.added", "response.output_text.delta",
                                      "response.output_text.done", "response.content_part.done",
                                      "response.output_item.done", "response.incomplete"}));
  const Json begun = events[0].data["response"];
  EXPECT_EQ(begun["status"], "in_progress");
  EXPECT_EQ(begun["output"], Json::array());
  EXPECT_EQ(begun["usage"], nullptr);
  const Json added = events[2].data["item"];
  EXPECT_EQ(added["status"], "in_progress");
  EXPECT_EQ(added["content"], Json::array());
  std::string text;
  for (const EventForTests& event : events) {
    EXPECT_EQ(event.data.value("item_id", added["id"]), added["id"]);
    if (event.name == "response.output_text.delta") text += event.data["delta"].get<std::string>();
  }
  const std::string right = whole["output"][0]["content"][0]["text"];
  EXPECT_EQ(text, right);
  EXPECT_EQ(events[events.size() - 4].data["text"], right);
  EXPECT_EQ(events[events.size() - 3].data["part"]["text"], right);
  EXPECT_EQ(events[events.size() - 2].data["item"]["content"][0]["text"], right);
  Json last = events.back().data["response"];
  EXPECT_EQ(last["id"], begun["id"]);
  EXPECT_EQ(last["output"][0]["id"], added["id"]);
  EXPECT_EQ(last["output"][0]["content"], whole["output"][0]["content"]);
  EXPECT_EQ(last["usage"], whole["usage"]);
}

TEST(Responses, AnAnswerThatEndsIsCompleted) {
  const ServerForTests server;
  Json asked = {
      {"input", "hi"},
      {"text", {{"format", {{"type", "json_schema"}, {"name", "color"}, {"schema", {{"enum", {"red", "blue"}}}}}}}}};
  const Json json = server.post("/v1/responses", asked).json();
  EXPECT_EQ(json["status"], "completed") << json;
  EXPECT_EQ(json["incomplete_details"], nullptr);
  EXPECT_EQ(json["output"][0]["status"], "completed");
  EXPECT_EQ(json["text"]["format"]["name"], "color");
  const std::string text = json["output"][0]["content"][0]["text"];
  EXPECT_TRUE(text == "\"red\"" || text == "\"blue\"") << text;
  asked["stream"] = true;
  EXPECT_EQ(response_events(server.post("/v1/responses", asked).body).back().name, "response.completed");
}

// A message there always is.
TEST(Responses, AnAnswerMayBeEmpty) {
  const ServerForTests server;
  Json asked = {{"input", "hi"}, {"logit_bias", {{"259", 100}}}, {"temperature", 0}};  // the end token
  const Json json = server.post("/v1/responses", asked).json();
  EXPECT_EQ(json["status"], "completed");
  ASSERT_EQ(json["output"].size(), 1U);
  EXPECT_EQ(json["output"][0]["content"][0]["text"], "");
  asked["stream"] = true;
  EXPECT_EQ(
      event_names(response_events(server.post("/v1/responses", asked).body)),
      (std::vector<std::string>{"response.created", "response.in_progress", "response.output_item.added",
                                "response.content_part.added", "response.output_text.done",
                                "response.content_part.done", "response.output_item.done", "response.completed"}));
}

TEST(Responses, LogProbabilitiesComeWithTheText) {
  const ServerForTests server;
  Json asked = response_for_tests();
  asked["include"] = {"message.output_text.logprobs"};
  asked["top_logprobs"] = 2;
  const Json json = server.post("/v1/responses", asked).json();
  const Json logprobs = json["output"][0]["content"][0]["logprobs"];
  ASSERT_EQ(logprobs.size(), 12U);
  EXPECT_EQ(logprobs[0]["top_logprobs"].size(), 2U);
  EXPECT_EQ(logprobs[0]["logprob"], logprobs[0]["top_logprobs"][0]["logprob"]);  // greedy
  asked["stream"] = true;
  Json pieces = Json::array();
  Json done;
  for (const EventForTests& event : response_events(server.post("/v1/responses", asked).body)) {
    if (event.name == "response.output_text.done") done = event.data["logprobs"];
    if (event.name == "response.output_text.delta")
      for (const Json& entry : event.data["logprobs"]) pieces.push_back(entry);
  }
  EXPECT_EQ(done, logprobs);
  ASSERT_LE(pieces.size(), logprobs.size());  // the last ones may have added nothing to the text
  for (std::size_t i = 0; i < pieces.size(); ++i) EXPECT_EQ(pieces[i], logprobs[i]);
}

TEST(Responses, CallsAreItems) {
  ServerOptions options;
  options.chat_template =
      "{% if tools %}{{ tools[0].function.name }}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}";
  const ServerForTests server(options);
  Json asked = {
      {"input", "hi"},
      {"max_output_tokens", 120},
      {"tools",
       {{{"type", "function"},
         {"name", "f"},
         {"parameters", {{"type", "object"}, {"properties", {{"x", {{"enum", {1, 2}}}}}}, {"required", {"x"}}}}}}},
      {"tool_choice", {{"type", "function"}, {"name", "f"}}}};
  const AnswerForTests answer = server.post("/v1/responses", asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  EXPECT_EQ(json["status"], "completed");
  ASSERT_EQ(json["output"].size(), 1U) << answer.body;
  const Json call = json["output"][0];
  EXPECT_EQ(call["type"], "function_call");
  EXPECT_EQ(call["name"], "f");
  EXPECT_EQ(call["status"], "completed");
  EXPECT_TRUE(call["call_id"].get<std::string>().starts_with("call_"));
  EXPECT_TRUE(Json::parse(call["arguments"].get<std::string>())["x"].is_number()) << call;
  EXPECT_EQ(json["tools"], asked["tools"]);
  EXPECT_EQ(json["tool_choice"], asked["tool_choice"]);

  asked["stream"] = true;
  const std::vector<EventForTests> events = response_events(server.post("/v1/responses", asked).body);
  EXPECT_EQ(event_names(events),
            (std::vector<std::string>{"response.created", "response.in_progress", "response.output_item.added",
                                      "response.function_call_arguments.delta", "response.function_call_arguments.done",
                                      "response.output_item.done", "response.completed"}));
  std::string arguments;
  for (const EventForTests& event : events)
    if (event.name == "response.function_call_arguments.delta") arguments += event.data["delta"].get<std::string>();
  EXPECT_EQ(events[2].data["item"]["arguments"], "");
  EXPECT_EQ(events.back().data["response"]["output"][0]["arguments"], arguments);
  EXPECT_TRUE(Json::parse(arguments)["x"].is_number());
}

TEST(Responses, AModelWithoutNumbersIsAnError) {
  const int hidden = served_model().config.hidden;
  const ServerForTests server({}, {{.memory = std::size_t{64} << 20}}, [&](const MixerRows& rows) {
    for (const MixerSpan& span : rows.spans)
      if (span.position + span.count == 25) rows.hidden[(span.row + span.count - 1) * hidden] = std::nanf("");
  });
  Json asked = response_for_tests();
  asked["max_output_tokens"] = 60;
  const AnswerForTests whole = server.post("/v1/responses", asked);
  EXPECT_EQ(whole.status, 500);
  EXPECT_EQ(whole.json()["error"]["message"], damaged_model);
  asked["stream"] = true;
  const std::vector<EventForTests> events = response_events(server.post("/v1/responses", asked).body);
  EXPECT_EQ(events.back().name, "response.failed");
  EXPECT_EQ(events.back().data["response"]["status"], "failed");
  EXPECT_EQ(events.back().data["response"]["error"]["message"], damaged_model);
  EXPECT_EQ(events.back().data["response"]["output"][0]["status"], "incomplete");
}

TEST(Responses, AStreamMayFailBeforeItsFirstItem) {
  const int hidden = served_model().config.hidden;
  const ServerForTests server({}, {{.memory = std::size_t{64} << 20}}, [&](const MixerRows& rows) {
    for (const MixerSpan& span : rows.spans) rows.hidden[(span.row + span.count - 1) * hidden] = std::nanf("");
  });
  Json asked = response_for_tests();
  asked["stream"] = true;
  const std::vector<EventForTests> events = response_events(server.post("/v1/responses", asked).body);
  EXPECT_EQ(event_names(events),
            (std::vector<std::string>{"response.created", "response.in_progress", "response.failed"}));
  EXPECT_EQ(events.back().data["response"]["output"], Json::array());
  EXPECT_EQ(events.back().data["response"]["error"]["message"], damaged_model);
}

TEST(Responses, NothingIsKept) {
  const ServerForTests server;
  EXPECT_EQ(server.ask("GET", "/v1/responses/resp_1").status, 404);
  EXPECT_EQ(server.ask("GET", "/v1/responses").status, 405);
}

}  // namespace
}  // namespace layerboost
