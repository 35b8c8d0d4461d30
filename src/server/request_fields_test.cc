// Fields of vLLM's and llama.cpp's requests: what is made of them, and what answers have by them.
#include "server/request_fields.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "server/answer_writer.h"
#include "server/api_error.h"
#include "server/server_for_tests.h"

namespace layerboost {
namespace {

constexpr const char* chat_path = "/v1/chat/completions";

class RequestFields : public ::testing::Test {
 protected:
  RequestFields() { reader_.limits.positions = 100; }

  [[nodiscard]] GenerationRequest settings(const std::string& fields) const {
    return reader_.completion(R"({"prompt": "a", )" + fields + "}").settings;
  }
  [[nodiscard]] std::string refusal(const std::string& fields, bool chat = false) const {
    const char* const prompt = chat ? R"({"messages": [{"role": "user", "content": "a"}], )" : R"({"prompt": "a", )";
    try {
      (void)(chat ? reader_.chat_completion(prompt + fields + "}") : reader_.completion(prompt + fields + "}"));
    } catch (const ApiError& error) {
      EXPECT_EQ(error.status(), 400);
      return Json::parse(error.answer().body)["error"]["message"];
    }
    return "none";
  }
  [[nodiscard]] ApiRequest chat(const Json& body) const { return reader_.chat_completion(body.dump()); }

  Tokenizer tokenizer_{tokenizer_data_for_tests()};
  ChatTemplate chat_{"{% for m in messages %}[{{ m.role }}]{{ m.content }}</s>{% endfor %}", "<s>", "</s>"};
  ApiReader reader_{tokenizer_, &chat_, {"tiny"}, {}};
};

using Words = std::vector<std::vector<TokenId>>;

TEST_F(RequestFields, AllowedTokens) {
  const auto filter = settings(R"("allowed_token_ids": [9, 3, 9])").sampling.filter;
  EXPECT_EQ(filter->allowed(), std::vector<std::uint64_t>{(1U << 9) | (1U << 3)});
  EXPECT_TRUE(filter->bad_words().empty());
  EXPECT_EQ(settings(R"("allowed_token_ids": null)").sampling.filter, nullptr);
  for (const bool in_chat : {false, true})
    EXPECT_EQ(refusal(R"("allowed_token_ids": [])", in_chat),
              "\"allowed_token_ids\" must be a list of token ids, at least one; leave it out where all are allowed");
  EXPECT_EQ(refusal(R"("allowed_token_ids": [260])"),
            "\"allowed_token_ids\" must contain token ids from 0 to 259 only");
  EXPECT_NE(refusal(R"("allowed_token_ids": [-1])"), "none");
  EXPECT_NE(refusal(R"("allowed_token_ids": 3)"), "none");
  EXPECT_EQ(refusal(R"("allowed_token_ids": [98, 99], "bad_words": ["c", "b"])"),
            "\"allowed_token_ids\" has only tokens that are \"bad_words\": none is left");
  reader_.embeddings = 100;
  EXPECT_NE(refusal(R"("allowed_token_ids": [100])"), "none");
}

// By themselves and with a space in front.
TEST_F(RequestFields, BadWords) {
  EXPECT_EQ(settings(R"("bad_words": ["a", "bc"])").sampling.filter->bad_words(),
            (Words{{'a'}, {257}, {'b', 'c'}, {' ', 'b', 'c'}}));
  EXPECT_EQ(settings(R"("bad_words": [" ab"])").sampling.filter->bad_words(), (Words{{256}, {' ', 256}}));
  EXPECT_EQ(settings(R"("bad_words": "</s>")").sampling.filter->bad_words(), (Words{{259}, {' ', 259}}));
  EXPECT_EQ(settings(R"("bad_words": ["\n"])").sampling.filter->bad_words(), (Words{{'\n'}, {' ', '\n'}}));
  EXPECT_EQ(refusal(R"("bad_words": ["a", ""])"), "\"bad_words\" must not contain an empty string");
  EXPECT_NE(refusal(R"("bad_words": [1])"), "none");
  EXPECT_NE(refusal(fmt::format(R"("bad_words": ["{}"])", std::string(8193, 'x'))).find("16384 tokens"),
            std::string::npos);
  reader_.embeddings = 256;  // what the model can't write needn't be forbidden
  EXPECT_EQ(settings(R"("bad_words": ["a", "ab"])").sampling.filter->bad_words(), Words{{'a'}});
}

TEST_F(RequestFields, NamesOfTheRepetitionPenalty) {
  EXPECT_EQ(settings(R"("repeat_penalty": 1.5)").sampling.repetition_penalty, 1.5);
  EXPECT_EQ(settings(R"("repeat_penalty": 1.5, "repetition_penalty": 1.5)").sampling.repetition_penalty, 1.5);
  EXPECT_NE(refusal(R"("repeat_penalty": 1.5, "repetition_penalty": 1.25)").find("differ"), std::string::npos);
  EXPECT_NE(refusal(R"("repeat_penalty": 1.5, "repeat_last_n": 64)").find("repeat_last_n"), std::string::npos);
  reader_.sampling.repetition_penalty = 2;
  EXPECT_EQ(settings(R"("repeat_penalty": 1.5)").sampling.repetition_penalty, 1.5);
  EXPECT_EQ(settings(R"("repeat_penalty": null)").sampling.repetition_penalty, 2);
}

TEST_F(RequestFields, WhatTextsHave) {
  EXPECT_FALSE(settings(R"("seed": 1)").include_stop || settings(R"("seed": 1)").include_end);
  EXPECT_TRUE(settings(R"("seed": 1)").skip_special);
  EXPECT_TRUE(settings(R"("include_stop_str_in_output": true)").include_stop);
  EXPECT_TRUE(settings(R"("include_stop_str_in_output": true)").include_end);
  const GenerationRequest in_form = settings(R"("include_stop_str_in_output": true, "guided_regex": "a+")");
  EXPECT_TRUE(in_form.include_stop);
  EXPECT_FALSE(in_form.include_end);
  EXPECT_FALSE(settings(R"("skip_special_tokens": false)").skip_special);
  EXPECT_NE(refusal(R"("skip_special_tokens": 1)"), "none");
}

TEST_F(RequestFields, PromptLogprobsBesideOthers) {
  GenerationRequest asked = settings(R"("prompt_logprobs": 0)");
  EXPECT_EQ(asked.prompt_logprobs, 0);
  EXPECT_EQ(asked.logprobs, -1);
  EXPECT_TRUE(asked.prompt_ranks);
  asked = settings(R"("prompt_logprobs": 2, "echo": true, "logprobs": 5, "max_tokens": 1)");
  EXPECT_EQ(asked.prompt_logprobs, 5);
  EXPECT_TRUE(asked.ignore_eos);
  EXPECT_EQ(settings(R"("prompt_logprobs": 2, "echo": true)").prompt_logprobs, 2);
  EXPECT_FALSE(settings(R"("prompt_logprobs": 2, "max_tokens": 1)").ignore_eos);
  EXPECT_FALSE(settings(R"("echo": true, "logprobs": 1)").prompt_ranks);
  EXPECT_EQ(refusal(R"("prompt_logprobs": 1, "stream": true)"),
            "\"prompt_logprobs\" are not available with \"stream\": true");
  EXPECT_NE(refusal(R"("prompt_logprobs": -1)"), "none");
  EXPECT_NE(refusal(R"("prompt_logprobs": 21)"), "none");
  reader_.limits.logprobs_of_request = 8;
  EXPECT_EQ(refusal(R"("prompt_logprobs": 3, "n": 2)"), "none");
  EXPECT_TRUE(refusal(R"("prompt_logprobs": 3, "n": 3)").starts_with("\"prompt_logprobs\" asks for too much"));
  const Json open = {{"messages", {{{"role", "user"}, {"content", ""}}}}, {"logprobs", true}, {"prompt_logprobs", 0}};
  const ApiRequest request = chat(open);  // as many as fit
  EXPECT_EQ(request.settings.max_tokens, 1);
  EXPECT_EQ(request.prompts[0].tokens.size(), 7U);
}

// All that an answer tells beside its text counts, as often as it is told; what asks for the most of it is blamed.
TEST_F(RequestFields, WhatAnswersTellIsBounded) {
  const auto most = [&](const std::string& fields, bool in_chat) {
    for (std::size_t limit = 0; limit < 1000; ++limit) {
      reader_.limits.logprobs_of_request = limit;
      if (refusal(fields, in_chat) == "none") return limit;
    }
    return std::size_t{0};
  };
  const auto blamed = [&](const std::string& fields, bool in_chat) {
    reader_.limits.logprobs_of_request = 1;
    const std::string message = refusal(fields, in_chat);
    return message.substr(1, message.find('"', 1) - 1);
  };
  const std::size_t prompt = chat({{"messages", {{{"role", "user"}, {"content", "a"}}}}}).prompts[0].tokens.size();
  const std::string three = R"("n": 3, "max_tokens": 2, )";
  EXPECT_EQ(most(three + R"("prompt_logprobs": 4)", false), 3U * 5);
  EXPECT_EQ(most(three + R"("prompt_logprobs": 4)", true), prompt * 5);  // a chat tells of its prompt once
  EXPECT_EQ(most(three + R"("logprobs": 4, "echo": true)", false), 3U * 5 * (2 + 1));
  EXPECT_EQ(most(three + R"("logprobs": true, "top_logprobs": 4, "prompt_logprobs": 0)", true), 3U * 5 * 2 + prompt);
  EXPECT_EQ(most(three + R"("return_token_ids": true)", false), 3U * (2 + 1));
  EXPECT_EQ(most(three + R"("return_token_ids": true)", true), 3U * 2 + prompt);
  EXPECT_EQ(blamed(three + R"("prompt_logprobs": 4, "logprobs": true)", true), "prompt_logprobs");
  EXPECT_EQ(blamed(three + R"("prompt_logprobs": 0, "logprobs": true, "top_logprobs": 9)", true), "logprobs");
  EXPECT_EQ(blamed(three + R"("return_token_ids": true)", false), "return_token_ids");
  reader_.limits.logprobs_of_request = prompt + 8;  // who doesn't say how many tokens gets as many as fit
  const Json open = {{"messages", {{{"role", "user"}, {"content", "a"}}}}, {"return_token_ids", true}, {"n", 2}};
  EXPECT_EQ(chat(open).settings.max_tokens, 4);
}

// The work of writing an answer: the loop's thread does little of it itself.
TEST_F(RequestFields, WhatIsWrittenIsCounted) {
  for (const bool in_chat : {false, true}) {
    Json asked = {{"return_token_ids", true}, {"prompt_logprobs", 0}, {"logprobs", in_chat ? Json(true) : Json(0)}};
    if (in_chat)
      asked["messages"] = {{{"role", "user"}, {"content", "abc"}}};
    else
      asked["prompt"] = "abc";
    const ApiRequest request = in_chat ? chat(asked) : reader_.completion(asked.dump());
    const std::size_t prompt = request.prompts[0].tokens.size();
    EXPECT_EQ(Json::parse(request.prompts[0].ids), Json(request.prompts[0].tokens));  // written by who reads
    const auto writer = make_writer(request, tokenizer_);
    EXPECT_EQ(writer->numbers(), prompt);
    Output output;
    output.tokens = {'x', 'y'};
    output.ended_by = 'z';
    output.logprobs = {{'x', -1, {}}, {'y', -1, {}}};
    output.prompt_logprobs.resize(prompt);
    output.finish = FinishReason::stop;
    writer->add(0, std::move(output));
    EXPECT_EQ(writer->numbers(), prompt + prompt + 2 + 3);
  }
}

// What can't be had is refused, each by its name.
TEST_F(RequestFields, WhatIsNotSupportedIsSaid) {
  for (const bool in_chat : {false, true}) {
    const auto expect = [&](const char* name, const char* value, const char* advice) {
      EXPECT_EQ(refusal(fmt::format(R"("{}": {})", name, value), in_chat),
                fmt::format("\"{}\" would change the answer and is not supported by this server; {}", name, advice));
    };
    expect("truncate_prompt_tokens", "3", "leave it out");
    expect("return_tokens", "true", R"(ask for "return_token_ids")");
    expect("n_probs", "5", R"(ask for "logprobs")");
    EXPECT_EQ(refusal(R"("spaces_between_special_tokens": false)", in_chat),
              "\"spaces_between_special_tokens\" would change the answer and is not supported by this server; leave it "
              "out");
    EXPECT_EQ(refusal(R"("prompt_logprobs": -1)", in_chat), "\"prompt_logprobs\" must be an integer from 0 to 20");
  }
}

// What llama.cpp's streams have more by them isn't left out in silence, and what asks for none of it passes.
TEST_F(RequestFields, WhatAddsToAnswersIsNotPassedOver) {
  for (const bool in_chat : {false, true}) {
    for (const char* const field : {"timings_per_token", "return_progress"}) {
      EXPECT_TRUE(refusal(fmt::format(R"("{}": true)", field), in_chat).starts_with(fmt::format("\"{}\" ", field)));
      EXPECT_EQ(refusal(fmt::format(R"("{}": false)", field), in_chat), "none");
    }
  }
  for (const char* const format : {"auto", "deepseek", "deepseek-legacy"})
    EXPECT_TRUE(refusal(fmt::format(R"("reasoning_format": "{}")", format), true).starts_with("\"reasoning_format\" "))
        << format;
  EXPECT_EQ(refusal(R"("reasoning_format": "none")", true), "none");
}

// The table writes a dot between an object and what is in it.
TEST_F(RequestFields, NamesWithADotAreNoneOfABody) {
  EXPECT_EQ(refusal(R"("layerboost.level": 0)"), "/v1/completions has no field \"layerboost.level\"; leave it out");
  EXPECT_EQ(refusal(R"("stream": true, "stream_options": {"stream_options.include_usage": true})"),
            "\"stream_options\" has no field \"stream_options.stream_options.include_usage\"; leave it out");
}

TEST_F(RequestFields, NamesOfTokensNeedLogprobs) {
  EXPECT_NE(refusal(R"("return_tokens_as_token_ids": true)").find("\"logprobs\""), std::string::npos);
  EXPECT_EQ(refusal(R"("return_tokens_as_token_ids": false)"), "none");
  EXPECT_EQ(refusal(R"("return_tokens_as_token_ids": true, "logprobs": 0)"), "none");
  EXPECT_NE(refusal(R"("return_tokens_as_token_ids": true, "prompt_logprobs": 1)", true), "none");
  EXPECT_EQ(refusal(R"("return_tokens_as_token_ids": true, "logprobs": true)", true), "none");
}

TEST_F(RequestFields, PromptLogprobsAreOfLevelZero) {
  reader_.level_positions = {100, 100};
  EXPECT_EQ(settings(R"("prompt_logprobs": 1)").plan, 0);
  EXPECT_TRUE(refusal(R"("prompt_logprobs": 1, "layerboost": {"level": 1})").starts_with("\"prompt_logprobs\""));
  const Json echo = {{"messages", {{{"role", "user"}, {"content", "a"}}}}, {"echo", true}};
  EXPECT_EQ(chat(echo).settings.plan, std::nullopt);  // of a chat, it doesn't tell of the prompt
}

Json conversation_of(const Json& last, const Json& fields) {
  Json body = {{"messages", {{{"role", "user"}, {"content", "q"}}, last}}};
  body.update(fields);
  return body;
}

TEST_F(RequestFields, LastMessagesAreContinued) {
  const Json on = {{"continue_final_message", true}, {"add_generation_prompt", false}};
  const Json last = {{"role", "assistant"}, {"content", "x y "}};
  EXPECT_EQ(chat(conversation_of(last, on)).prompts[0].text, "[user]q</s>[assistant]x y ");
  const Json parts = {{"role", "assistant"}, {"content", {{{"type", "text"}, {"text", "b"}}, "c"}}};
  EXPECT_EQ(chat(conversation_of(parts, on)).prompts[0].text, "[user]q</s>[assistant]b\nc");
  EXPECT_EQ(reader_.tokenize(conversation_of(last, on).dump()).tokens, tokenizer_.encode("[user]q</s>[assistant]x y "));
  for (const Json& fields : {Json{{"continue_final_message", true}},
                             Json{{"continue_final_message", true}, {"add_generation_prompt", true}}})
    EXPECT_THROW((void)chat(conversation_of(last, fields)), ApiError);
  EXPECT_THROW((void)chat(conversation_of({{"role", "assistant"}, {"content", nullptr}}, on)), ApiError);
  EXPECT_THROW((void)chat(conversation_of({{"role", "assistant"}}, on)), ApiError);
  const ChatTemplate changes("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "", "");
  reader_.chat = &changes;
  EXPECT_THROW((void)chat(conversation_of(last, on)), ApiError);
}

TEST_F(RequestFields, PlainMessagesAreContinued) {
  const PlainMessages plain(tokenizer_);
  reader_.plain_messages = &plain;
  const Json on = {{"continue_final_message", true}, {"add_generation_prompt", false}};
  for (const char* const words : {"</s>", "a</s", "a</s> b", "<", ""}) {
    const ApiPrompt prompt = chat(conversation_of({{"role", "assistant"}, {"content", words}}, on)).prompts[0];
    EXPECT_EQ(prompt.text, std::string("[user]q</s>[assistant]") + words);
    EXPECT_EQ(std::ranges::count(prompt.tokens, tokenizer_.eos()), 1) << words;  // the template's
  }
}

TEST_F(RequestFields, EchoOfChatsIsTheLastMessage) {
  const auto echoed = [&](const Json& last, const Json& fields) {
    Json body = conversation_of(last, fields);
    body["echo"] = true;
    return chat(body).prompts[0].text;
  };
  const Json answer = {{"role", "assistant"}, {"content", "x"}}, question = {{"role", "user"}, {"content", "y"}};
  const Json open = {{"add_generation_prompt", false}};
  EXPECT_EQ(echoed(answer, Json::object()), "x");
  EXPECT_EQ(echoed(answer, open), "x");
  EXPECT_EQ(echoed(question, Json::object()), "");
  EXPECT_EQ(echoed(question, open), "y");
  EXPECT_EQ(echoed({{"role", "assistant"}, {"content", {"b", "c"}}}, open), "b\nc");
}

TEST_F(RequestFields, TagsOfCallsReachTheText) {
  TokenizerData data = tokenizer_data_for_tests();
  for (const char* const tag : {"<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"}) {
    data.added.push_back({static_cast<TokenId>(data.tokens.size()), tag, true});
    data.tokens.emplace_back(tag);
  }
  const Tokenizer tokenizer(data);
  ApiReader reader{tokenizer, &chat_, {"tiny"}, reader_.limits};
  const Json tools = {{{"type", "function"}, {"function", {{"name", "f"}}}}};
  const auto shown = [&](const Json& fields) {
    Json body = {{"messages", {{{"role", "user"}, {"content", "a"}}}}};
    body.update(fields);
    return reader.chat_completion(body.dump()).settings.shown_tokens;
  };
  EXPECT_EQ(shown({{"tools", tools}}), (std::vector<TokenId>{260, 261}));
  EXPECT_TRUE(shown(Json::object()).empty());
  EXPECT_TRUE(shown({{"tools", tools}, {"tool_choice", "none"}}).empty());
  reader.tool_format = ToolFormat::mistral_named;
  EXPECT_EQ(shown({{"tools", tools}}), (std::vector<TokenId>{262, 263, 264}));
  reader.tool_format = ToolFormat::mistral;
  EXPECT_TRUE(shown({{"tools", tools}}).empty());
}

// None is passed over: "prompt" goes through no template.
TEST_F(RequestFields, TokenizeTakesFieldsOfMessagesBesideThemOnly) {
  const Json tools = {{{"type", "function"}, {"function", {{"name", "f"}}}}};
  const Json fields = {{"add_generation_prompt", true},
                       {"continue_final_message", true},
                       {"chat_template_kwargs", {{"a", 1}}},
                       {"tools", tools},
                       {"tool_choice", "required"},
                       {"parallel_tool_calls", true},
                       {"messages", {{{"role", "user"}, {"content", "a"}}}}};
  for (const auto& [name, value] : fields.items()) {
    Json body = {{"prompt", "a"}};
    body[name] = value;
    try {
      (void)reader_.tokenize(body.dump());
      ADD_FAILURE() << name;
    } catch (const ApiError& error) {
      EXPECT_EQ(error.status(), 400);
      EXPECT_EQ(Json::parse(error.answer().body)["error"]["param"], name == "messages" ? "prompt" : name);
    }
  }
  EXPECT_EQ(reader_.tokenize(R"({"prompt": "a", "add_generation_prompt": false, "tools": [], "tool_choice": null})")
                .tokens.size(),
            1U);
}

// What an answer would be held to doesn't matter where there is none.
TEST_F(RequestFields, TokenizeMakesNoFormOfCalls) {
  const Json parameters = {{"type", "object"}, {"not", Json::object()}};
  const Json body = {{"messages", {{{"role", "user"}, {"content", "a"}}}},
                     {"tools", {{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", parameters}}}}}},
                     {"tool_choice", "required"}};
  EXPECT_EQ(reader_.tokenize(body.dump()).tokens.size(), tokenizer_.encode("[user]a</s>").size());
  EXPECT_THROW((void)reader_.chat_completion(body.dump()), ApiError);
}

TEST_F(RequestFields, TokensAsTheVocabularyWritesThem) {
  const TokenizedText text = reader_.tokenize(R"({"prompt": "ab ax\n</s>", "return_token_strs": true})");
  EXPECT_EQ(text.tokens, (std::vector<TokenId>{256, 257, 'x', '\n', 259}));
  EXPECT_EQ(text.strings, (std::vector<std::string>{"ab", "\u0120a", "x", "\u010A", "</s>"}));
  EXPECT_FALSE(reader_.tokenize(R"({"prompt": "ab"})").strings);
  const ServerForTests server;
  const Json answer = server.post("/tokenize", {{"prompt", " a"}, {"return_token_strs", true}}).json();
  EXPECT_EQ(answer["token_strs"], Json::array({"\u0120a"}));
}

Json greedy_with(const Json& fields) {
  Json body = {{"prompt", "ab a"}, {"max_tokens", 12}, {"temperature", 0}, {"ignore_eos", true}};
  if (fields.is_object()) body.update(fields);
  return body;
}

std::string text_in(const AnswerForTests& answer) { return answer.json()["choices"][0]["text"]; }

TEST(AnswersByFields, OnlyAllowedTokensAreWritten) {
  const ServerForTests server;
  const Json c_and_d = {{"allowed_token_ids", {'c', 'd'}}, {"temperature", 1}};
  const std::string text = text_in(server.complete(greedy_with(c_and_d)));
  EXPECT_EQ(text.size(), 12U);
  EXPECT_EQ(text.find_first_not_of("cd"), std::string::npos) << text;
  Json none_left = c_and_d;
  none_left["bad_words"] = {"c", "d"};
  EXPECT_EQ(server.complete(greedy_with(none_left)).status, 400);
  none_left["bad_words"] = {"cc", "cd", "dc", "dd"};
  const AnswerForTests failed = server.complete(greedy_with(none_left));
  EXPECT_EQ(failed.status, 400);
  EXPECT_NE(failed.body.find("may come next"), std::string::npos) << failed.body;
  EXPECT_EQ(server.complete(greedy_with({})).status, 200);
}

TEST(AnswersByFields, StopStringsAreInTheTextIfWanted) {
  const ServerForTests server;
  const Json letters = {{"allowed_token_ids", {'a', 'b', 'c', 'd', 'e'}}, {"temperature", 2}, {"seed", 3}};
  const std::string whole = text_in(server.complete(greedy_with(letters)));
  Json asked = greedy_with(letters);
  asked["stop"] = whole.substr(5, 2);
  asked["include_stop_str_in_output"] = true;
  const std::string with = whole.substr(0, whole.find(whole.substr(5, 2)) + 2);
  EXPECT_EQ(text_in(server.complete(asked)), with);
  asked["stream"] = true;
  std::string streamed;
  for (const Json& event : server.complete(asked).events()) streamed += event["choices"][0]["text"].get<std::string>();
  EXPECT_EQ(streamed, with);
}

TEST(AnswersByFields, ControlTokensAreInTheTextIfWanted) {
  const ServerForTests server;
  Json asked = greedy_with({{"allowed_token_ids", {259}}, {"max_tokens", 2}, {"logprobs", 0}});
  EXPECT_EQ(text_in(server.complete(asked)), "");
  asked["skip_special_tokens"] = false;
  const Json choice = server.complete(asked).json()["choices"][0];
  EXPECT_EQ(choice["text"], "</s></s>");
  EXPECT_EQ(choice["logprobs"]["text_offset"], Json::array({0, 4}));
}

TEST(AnswersByFields, PromptLogprobsAreThoseOfEcho) {
  const ServerForTests server;
  const Json echo = server.complete(greedy_with({{"echo", true}, {"logprobs", 3}})).json()["choices"][0]["logprobs"];
  const Json whole = server.complete(greedy_with({{"prompt_logprobs", 2}, {"n", 2}})).json();
  const std::vector<TokenId> prompt = served_model().text().encode("ab a");
  for (const Json& choice : whole["choices"]) {
    const Json list = choice["prompt_logprobs"];
    ASSERT_EQ(list.size(), prompt.size());
    EXPECT_TRUE(list[0].is_null());
    for (std::size_t i = 1; i < prompt.size(); ++i) {
      const Json own = list[i][std::to_string(prompt[i])];
      EXPECT_NEAR(own["logprob"].get<double>(), echo["token_logprobs"][i].get<double>(), 1e-4);
      EXPECT_EQ(own["decoded_token"], echo["tokens"][i]);
      EXPECT_EQ(list[i].size(), own["rank"] <= 2 ? 2U : 3U);
      std::vector<int> ranks;
      for (const auto& [id, entry] : list[i].items()) ranks.push_back(entry["rank"]);
      std::ranges::sort(ranks);
      EXPECT_EQ(ranks[0], 1);
      EXPECT_EQ(ranks[1], 2);
    }
  }
  EXPECT_FALSE(server.complete(greedy_with({})).json()["choices"][0].contains("prompt_logprobs"));
  // Each of both has as many alternatives as it asked for.
  const Json both = server.complete(greedy_with({{"prompt_logprobs", 1}, {"echo", true}, {"logprobs", 3}})).json();
  EXPECT_EQ(both["choices"][0]["logprobs"], echo);
  EXPECT_LE(both["choices"][0]["prompt_logprobs"][1].size(), 2U);
}

TEST(AnswersByFields, PromptLogprobsOfAChatAreToldOnce) {
  const ServerForTests server;
  const Json asked = {
      {"messages", {{{"role", "user"}, {"content", "ab"}}}}, {"max_tokens", 2}, {"n", 2}, {"prompt_logprobs", 0}};
  const Json answer = server.post(chat_path, asked).json();
  const std::vector<TokenId> prompt = served_model().text().encode("<user>ab</s>");
  ASSERT_EQ(answer["prompt_logprobs"].size(), prompt.size()) << answer;
  for (std::size_t i = 1; i < prompt.size(); ++i) {
    ASSERT_EQ(answer["prompt_logprobs"][i].size(), 1U);
    EXPECT_GE(answer["prompt_logprobs"][i][std::to_string(prompt[i])]["rank"], 1);
  }
  EXPECT_FALSE(answer["choices"][0].contains("prompt_logprobs"));
}

TEST(AnswersByFields, TokensMayBeNamedByIds) {
  const ServerForTests server;
  const Json only_a = {{"allowed_token_ids", {'a'}}, {"max_tokens", 2}, {"return_tokens_as_token_ids", true}};
  Json asked = greedy_with(only_a);
  asked["logprobs"] = 1;
  const Json columns = server.complete(asked).json()["choices"][0]["logprobs"];
  EXPECT_EQ(columns["tokens"], Json::array({"token_id:97", "token_id:97"}));
  EXPECT_TRUE(columns["top_logprobs"][0].items().begin().key().starts_with("token_id:"));
  asked = only_a;
  asked["messages"] = {{{"role", "user"}, {"content", "ab"}}};
  asked["logprobs"] = true;
  const Json entry = server.post(chat_path, asked).json()["choices"][0]["logprobs"]["content"][0];
  EXPECT_EQ(entry["token"], "token_id:97");
  EXPECT_EQ(entry["bytes"], Json::array({'a'}));
}

TEST(AnswersByFields, IdsOfTokens) {
  const ServerForTests server;
  const Json ended = {{"allowed_token_ids", {'a', 'b'}},
                      {"bad_words", {"aa", "bb"}},
                      {"stop_token_ids", {'b'}},
                      {"logit_bias", {{"97", 100}}},
                      {"return_token_ids", true}};
  Json asked = greedy_with(ended);
  const std::vector<TokenId> prompt = served_model().text().encode("ab a"), written = {'a', 'b'};
  const Json choice = server.complete(asked).json()["choices"][0];
  EXPECT_EQ(choice["text"], "a");
  EXPECT_EQ(choice["prompt_token_ids"], Json(prompt));
  EXPECT_EQ(choice["token_ids"], Json(written));  // with the one that ended it
  asked["stream"] = true;
  Json streamed = Json::array();
  std::size_t prompts = 0;
  for (const Json& event : server.complete(asked).events()) {
    for (const Json& id : event["choices"][0]["token_ids"]) streamed.push_back(id);
    prompts += event["choices"][0].contains("prompt_token_ids") ? 1 : 0;
  }
  EXPECT_EQ(streamed, Json(written));
  EXPECT_EQ(prompts, 1U);

  asked = ended;
  asked["messages"] = {{{"role", "user"}, {"content", "ab"}}};
  Json answer = server.post(chat_path, asked).json();
  EXPECT_EQ(answer["prompt_token_ids"], Json(served_model().text().encode("<user>ab</s>")));
  EXPECT_EQ(answer["choices"][0]["token_ids"], Json(written));
  asked["stream"] = true;
  const std::vector<Json> events = server.post(chat_path, asked).events();
  EXPECT_TRUE(events.front().contains("prompt_token_ids"));
  EXPECT_FALSE(events.back().contains("prompt_token_ids"));
  EXPECT_FALSE(server.complete(greedy_with({})).json()["choices"][0].contains("token_ids"));
}

TEST(AnswersByFields, ChatsMayEchoWhatTheyContinue) {
  const ServerForTests server;
  Json asked = {{"messages", {{{"role", "user"}, {"content", "q"}}, {{"role", "assistant"}, {"content", "So b"}}}},
                {"max_tokens", 3},
                {"allowed_token_ids", {'a'}},
                {"continue_final_message", true},
                {"add_generation_prompt", false}};
  EXPECT_EQ(server.post(chat_path, asked).json()["choices"][0]["message"]["content"], "aaa");
  asked["echo"] = true;
  const Json answer = server.post(chat_path, asked).json();
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "So baaa");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], served_model().text().encode("<user>q</s><assistant>So b").size());
  asked["stream"] = true;
  std::string streamed;
  for (const Json& event : server.post(chat_path, asked).events())
    streamed += event["choices"][0]["delta"].value("content", "");
  EXPECT_EQ(streamed, "So baaa");
}

TEST(AnswersByFields, WhatIsFullIsSaid) {
  EngineOptions engine;
  engine.memory = std::size_t{64} << 20;
  engine.constraints = 1;
  const ServerForTests server({}, engine);
  const AnswerForTests refused = server.complete(greedy_with({{"guided_regex", "[ab]{300}"}}));
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(refused.json()["error"]["message"].get<std::string>().starts_with("the forms that answers are to have"));
}

}  // namespace
}  // namespace layerboost
