#include "server/api_request.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "eval/tokenizer_for_tests.h"
#include "server/refusal_for_tests.h"

namespace layerboost {
namespace {

class ApiRequestTest : public ::testing::Test {
 protected:
  ApiRequestTest() { reader_.limits.positions = 100; }

  [[nodiscard]] ApiRequest completion(const Json& json) const { return reader_.completion(json.dump()); }

  [[nodiscard]] std::string refusal(const std::string& body, bool chat = false) const {
    return refusal_of([&] { (void)(chat ? reader_.chat_completion(body) : reader_.completion(body)); });
  }

  Tokenizer tokenizer_{tokenizer_data_for_tests()};
  ChatTemplate chat_{"{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}", "<s>", "</s>"};
  ApiReader reader_{tokenizer_, &chat_, {"tiny"}, {}};
};

TEST_F(ApiRequestTest, Defaults) {
  const ApiRequest request = completion({{"prompt", "ab c"}});
  ASSERT_EQ(request.prompts.size(), 1U);
  EXPECT_EQ(request.prompts[0].tokens, tokenizer_.encode("ab c"));
  EXPECT_EQ(request.prompts[0].text, "ab c");
  EXPECT_EQ(request.choices, 1);
  EXPECT_FALSE(request.stream || request.echo || request.include_usage || request.seed);
  EXPECT_EQ(request.settings.max_tokens, 16);
  EXPECT_EQ(request.settings.logprobs, -1);
  EXPECT_EQ(request.settings.sampling.temperature, 1);
  EXPECT_EQ(request.settings.sampling.top_k, 0);
}

TEST_F(ApiRequestTest, TokensThatTheModelHasNoEmbeddingOfAreRefused) {
  reader_.embeddings = 259;  // all but "</s>", token 259
  EXPECT_EQ(refusal(R"({"prompt": "a<s>"})"), "none");
  for (const char* prompt : {R"("a</s>")", "[97, 259]", R"(["a", "b</s>"])"})
    EXPECT_TRUE(
        refusal(fmt::format(R"({{"prompt": {}}})", prompt)).starts_with("400 \"prompt\": the prompt has token 259"))
        << prompt;
  EXPECT_EQ(refusal(R"({"messages": [{"role": "user", "content": "</s>"}]})", true).substr(0, 15), "400 \"messages\":");
  EXPECT_NE(refusal(R"({"prompt": "a", "logit_bias": {"259": 1}})"), "none");
  EXPECT_NE(refusal(R"({"prompt": "a", "stop_token_ids": [259]})"), "none");
}

TEST_F(ApiRequestTest, WhatIsNotSaidOfSamplingIsTheModels) {
  reader_.sampling = {.temperature = 0.5, .top_p = 0.75, .top_k = 9, .min_p = 0.125, .repetition_penalty = 1.5};
  const Sampling own = completion({{"prompt", "a"}}).settings.sampling;
  EXPECT_EQ(own.temperature, 0.5);
  EXPECT_EQ(own.top_p, 0.75);
  EXPECT_EQ(own.top_k, 9);
  EXPECT_EQ(own.min_p, 0.125);
  EXPECT_EQ(own.repetition_penalty, 1.5);
  const Sampling said =
      completion(
          {{"prompt", "a"}, {"temperature", 1}, {"top_p", 1}, {"top_k", -1}, {"min_p", 0}, {"repetition_penalty", 1}})
          .settings.sampling;
  EXPECT_EQ(said.temperature, 1);
  EXPECT_EQ(said.top_p, 1);
  EXPECT_EQ(said.top_k, 0);
  EXPECT_EQ(said.min_p, 0);
  EXPECT_EQ(said.repetition_penalty, 1);
}

TEST_F(ApiRequestTest, AllKindsOfPrompts) {
  EXPECT_EQ(completion({{"prompt", {1, 2, 3}}}).prompts[0].tokens, (std::vector<TokenId>{1, 2, 3}));
  const auto two = completion({{"prompt", {"ab", "c"}}}).prompts;
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[1].tokens, tokenizer_.encode("c"));
  const auto lists = completion({{"prompt", {{97, 98}, {99}}}, {"echo", true}}).prompts;
  ASSERT_EQ(lists.size(), 2U);
  EXPECT_EQ(lists[0].text, tokenizer_.decode(std::vector<TokenId>{97, 98}));
  EXPECT_EQ(completion({{"prompt", ""}}).prompts[0].tokens, std::vector<TokenId>{tokenizer_.bos()});
}

TEST_F(ApiRequestTest, BosIsAddedAsTheTokenizerAddsIt) {
  TokenizerData data = tokenizer_data_for_tests();
  data.add_bos = true;
  const Tokenizer tokenizer(data);
  const ApiReader reader{tokenizer, nullptr, {"tiny"}, reader_.limits};
  const TokenId bos = tokenizer.bos();
  const auto prompt = [&](const Json& json) { return reader.completion(json.dump()).prompts[0]; };
  EXPECT_EQ(prompt({{"prompt", "<s>x"}}).tokens, (std::vector<TokenId>{bos, bos, 'x'}));
  EXPECT_TRUE(prompt({{"prompt", "<s>x"}}).bos_added);
  EXPECT_EQ(prompt({{"prompt", "<s>x"}, {"add_special_tokens", false}}).tokens, (std::vector<TokenId>{bos, 'x'}));
  EXPECT_FALSE(prompt({{"prompt", "<s>x"}, {"add_special_tokens", false}}).bos_added);
  EXPECT_EQ(prompt({{"prompt", {97}}}).tokens, std::vector<TokenId>{97});
}

TEST_F(ApiRequestTest, AllSettings) {
  const Json json = Json::parse(R"({"model": "tiny", "prompt": "a", "max_tokens": 5.0, "n": 3, "stream": true,
    "stream_options": {"include_usage": true}, "seed": -2, "temperature": 0.5, "top_p": 0.25, "top_k": 7, "min_p": 0.125,
    "repetition_penalty": 1.5, "presence_penalty": -1, "frequency_penalty": 2, "logit_bias": {"3": -100, "4": 5},
    "stop": ["x", "y"], "stop_token_ids": [9], "ignore_eos": true, "min_tokens": 2, "logprobs": 4, "echo": true,
    "best_of": 3, "user": "somebody", "suffix": null, "response_format": {"type": "text"}})");
  const ApiRequest request = completion(json);
  const GenerationRequest& settings = request.settings;
  EXPECT_EQ(settings.max_tokens, 5);
  EXPECT_EQ(settings.min_tokens, 2);
  EXPECT_EQ(request.choices, 3);
  EXPECT_TRUE(request.stream && request.include_usage && request.echo && !settings.prompt_ranks);
  EXPECT_EQ(settings.prompt_logprobs, 4);
  EXPECT_EQ(request.seed, static_cast<std::uint64_t>(-2));
  EXPECT_EQ(settings.sampling.top_p, 0.25);
  EXPECT_EQ(settings.sampling.top_k, 7);
  EXPECT_EQ(settings.sampling.min_p, 0.125);
  EXPECT_EQ(settings.sampling.repetition_penalty, 1.5);
  EXPECT_EQ(settings.sampling.presence_penalty, -1);
  EXPECT_EQ(settings.sampling.frequency_penalty, 2);
  EXPECT_EQ(settings.sampling.logit_bias, (std::vector<std::pair<TokenId, float>>{{3, -100.F}, {4, 5.F}}));
  EXPECT_EQ(settings.stop, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(settings.stop_tokens, std::vector<TokenId>{9});
  EXPECT_TRUE(settings.ignore_eos);
  EXPECT_EQ(settings.logprobs, 4);
}

TEST_F(ApiRequestTest, ScoringAlwaysGetsItsToken) {
  // lm-evaluation-harness drops the last token of the answer, an end token among them.
  EXPECT_TRUE(completion({{"prompt", "a"}, {"echo", true}, {"logprobs", 1}, {"max_tokens", 1}}).settings.ignore_eos);
  EXPECT_FALSE(completion({{"prompt", "a"}, {"max_tokens", 1}}).settings.ignore_eos);
}

TEST_F(ApiRequestTest, Chat) {
  const ApiRequest request = reader_.chat_completion(
      R"({"messages": [{"role": "system", "content": "a"},
          {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}],
          "logprobs": true, "top_logprobs": 2, "max_completion_tokens": 4, "max_tokens": 9})");
  EXPECT_EQ(request.prompts[0].text, "[system]a[user]b\nc");
  EXPECT_EQ(request.settings.max_tokens, 4);
  EXPECT_EQ(request.settings.logprobs, 2);
  const ApiRequest open = reader_.chat_completion(R"({"messages": [{"role": "user", "content": "a"}]})");
  EXPECT_EQ(open.settings.max_tokens, 100 - static_cast<int>(open.prompts[0].tokens.size()));  // all that is left
}

TEST_F(ApiRequestTest, RefusalsNameTheFieldAndWhatIsRight) {
  EXPECT_EQ(refusal("{"), "400 null: the body: not valid JSON at byte 2");
  EXPECT_EQ(refusal("[]"), "400 null: the body must be a JSON object, not array");
  EXPECT_EQ(refusal("{}"), "400 \"prompt\": \"prompt\" is missing: the text to go on from");
  EXPECT_EQ(refusal(R"({"prompt": "a", "max_tokens": "5"})"),
            "400 \"max_tokens\": \"max_tokens\" must be an integer from 0 to 2147483647");
  EXPECT_EQ(refusal(R"({"prompt": "a", "temperature": -1})"),
            "400 \"temperature\": \"temperature\" must be a number from 0 to 100");
  EXPECT_EQ(
      refusal(R"({"prompt": "a", "max_tokens": 100})"),
      "400 \"prompt\" \"context_length_exceeded\": this model's maximum context length is 100 tokens; the prompt has 1 "
      "and 100 are to be written: shorten the prompt or ask for fewer with \"max_tokens\"");
  EXPECT_EQ(refusal(R"({"model": "gpt-4", "prompt": "a"})"),
            "404 \"model\" \"model_not_found\": the model \"gpt-4\" is not here; this server has \"tiny\"");
}

TEST_F(ApiRequestTest, RefusesWhatItCannotUse) {
  for (const char* const field : {R"("prompt": {})",
                                  R"("prompt": [])",
                                  R"("prompt": ["a", 1])",
                                  R"("prompt": [1, -1])",
                                  R"("prompt": [260])",
                                  R"("prompt": [1.5])",
                                  R"("prompt": [[[1]]])",
                                  R"("prompt": "a", "n": 0)",
                                  R"("prompt": "a", "n": 129)",
                                  R"("prompt": ["a", "b"], "n": 65)",
                                  R"("prompt": "a", "stream": "yes")",
                                  R"("prompt": "a", "stop": [1])",
                                  R"("prompt": "a", "stop": "")",
                                  R"("prompt": "a", "top_p": 0)",
                                  R"("prompt": "a", "logit_bias": {"x": 1})",
                                  R"("prompt": "a", "logit_bias": {"260": 1})",
                                  R"("prompt": "a", "logit_bias": {"1": 101})",
                                  R"("prompt": "a", "logprobs": 21)",
                                  R"("prompt": "a", "stream_options": {"include_usage": true})",
                                  R"("prompt": "a", "best_of": 2)",
                                  R"("prompt": "a", "max_tokens": 1e999)",
                                  R"("prompt": "a", "response_format": {"type": "grammar"})",
                                  R"("prompt": "a", "guided_regex": "a", "min_tokens": 1)",
                                  R"("prompt": "a", "min_tokens": 17)"}) {
    EXPECT_TRUE(refusal(fmt::format("{{{}}}", field)).starts_with("400")) << field;
  }
  for (const char* const field :
       {R"("messages": [])", R"("messages": "a")", R"("messages": [1])", R"("messages": [{"content": "a"}])",
        R"("messages": [{"role": "user", "content": 1}])", R"("messages": [{"role": 1, "content": "a"}])",
        R"("messages": [{"role": "user", "content": [{"type": "image_url"}]}])",
        R"("messages": [{"role": "user", "content": "a"}], "top_logprobs": 2)"}) {
    EXPECT_TRUE(refusal(fmt::format("{{{}}}", field), true).starts_with("400")) << field;
  }
}

TEST_F(ApiRequestTest, NoFieldThatChangesTheAnswerIsPassedOver) {
  for (const char* const field :
       {R"("structural_tag": {"a": 1})", R"("guided_whitespace_pattern": " ")", R"("lora_request": {"lora_name": "a"})",
        R"("typical_p": 0.5)", R"("mirostat": 2)", R"("use_beam_search": true)", R"("length_penalty": 0.5)",
        R"("spaces_between_special_tokens": false)", R"("return_progress": true)", R"("truncate_prompt_tokens": 5)",
        R"("suffix": "b")"}) {
    const std::string name = Json::parse(fmt::format("{{{}}}", field)).items().begin().key();
    for (const bool chat : {false, true}) {
      if (chat && name == "suffix") continue;
      const char* const prompt = chat ? R"("messages": [{"role": "user", "content": "a"}])" : R"("prompt": "a")";
      EXPECT_EQ(refusal(fmt::format("{{{}, {}}}", prompt, field), chat),
                fmt::format("400 \"{0}\": \"{0}\" would change the answer and is not supported by this server; "
                            "leave it out",
                            name));
    }
  }
  for (const char* const field :
       {R"("continue_final_message": true)", R"("modalities": ["text", "audio"])", R"("chat_template": "x")",
        R"("functions": [{"name": "f"}])", R"("tools": [{"type": "function"}])", R"("tool_choice": "required")"}) {
    EXPECT_TRUE(refusal(fmt::format(R"({{"messages": [{{"role": "user", "content": "a"}}], {}}})", field), true)
                    .starts_with("400"))
        << field;
  }
  for (const char* const field :
       {R"("suffix": "none")", R"("structural_tag": "none")", R"("presence_penalty": 1, "repeat_last_n": 0)",
        R"("repetition_penalty": 1.1, "repeat_last_n": 64)"})
    EXPECT_TRUE(refusal(fmt::format(R"({{"prompt": "a", {}}})", field)).starts_with("400")) << field;
}

TEST_F(ApiRequestTest, UnknownFieldsAreRefusedWithAGuess) {
  EXPECT_EQ(refusal(R"({"prompt": "a", "temprature": 0})"),
            "400 \"temprature\": /v1/completions has no field \"temprature\"; did you mean \"temperature\"?");
  EXPECT_EQ(refusal(R"({"prompt": "a", "zzz": 0})"), "400 \"zzz\": /v1/completions has no field \"zzz\"; leave it out");
  EXPECT_EQ(refusal(R"({"messages": [], "prompt": "a"})", true),
            "400 \"prompt\": /v1/chat/completions has no field \"prompt\"; leave it out");
  EXPECT_EQ(refusal(R"({"prompt": "a", "zzz": null})"), "none");
  const std::string echoed = refusal(fmt::format(R"({{"prompt": "a", "{}\n": 0}})", std::string(1'000'000, 'x')));
  EXPECT_LT(echoed.size(), 200U);
  const std::string model = refusal(fmt::format(R"({{"prompt": "a", "model": "{}\n"}})", std::string(1'000'000, 'x')));
  EXPECT_TRUE(model.starts_with("404")) << model;
  EXPECT_LT(model.size(), 200U);
}

TEST_F(ApiRequestTest, WhatClientsSendWithoutMeaningMuchPasses) {
  // vLLM's benchmark client, guidellm, LangChain, llama.cpp's examples, lm-evaluation-harness.
  for (const char* const fields :
       {R"("repetition_penalty": 1.0, "logprobs": null, "best_of": 1, "use_beam_search": false, "ignore_eos": true)",
        R"("max_tokens": 4, "max_completion_tokens": 4, "stop": null, "stream": true,
           "stream_options": {"include_usage": true, "include_obfuscation": false, "continuous_usage_stats": true})",
        R"("frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {}, "top_p": 1, "n": 1, "user": "somebody")",
        R"("cache_prompt": true, "id_slot": -1, "typical_p": 1.0, "mirostat": 0, "mirostat_tau": 5.0, "grammar": "",
           "xtc_probability": 0, "xtc_threshold": 0.1, "dry_multiplier": 0.0, "min_keep": 0, "samplers": [],
           "repeat_penalty": 1, "repeat_last_n": 64, "dry_sequence_breakers": ["\n"], "top_n_sigma": -1.0)",
        R"("metadata": {"a": "b"}, "store": true, "service_tier": "auto", "priority": 5, "request_id": "x",
           "cache_salt": "y")",
        R"("skip_special_tokens": true, "spaces_between_special_tokens": true, "length_penalty": 1.0, "suffix": "",
           "include_stop_str_in_output": false, "allowed_token_ids": null, "guided_json": null, "bad_words": [],
           "truncate_prompt_tokens": null, "prompt_logprobs": null, "logits_processors": []
           )"}) {
    EXPECT_EQ(refusal(fmt::format(R"({{"prompt": "a", {}}})", fields)), "none") << fields;
  }
  for (const char* const fields :
       {R"("tools": [])", R"("add_special_tokens": false)", R"("function_call": "none")",
        R"("tools": null, "tool_choice": "none", "parallel_tool_calls": true)",
        R"("tools": [{"type": "function", "function": {"name": "f"}}])",
        R"("tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none")",
        R"("tool_choice": "auto")", R"("top_logprobs": 0)", R"("logprobs": false, "top_logprobs": 0)",
        R"("logprobs": true, "top_logprobs": null)",
        R"("reasoning_effort": "low", "verbosity": "medium", "modalities": ["text"], "store": false)",
        R"("response_format": {"type": "text"}, "functions": [], "documents": [], "continue_final_message": false)"}) {
    EXPECT_EQ(refusal(fmt::format(R"({{"messages": [{{"role": "user", "content": "a"}}], {}}})", fields), true), "none")
        << fields;
  }
}

TEST_F(ApiRequestTest, NamesOfMaxTokens) {
  const auto tokens = [&](const char* fields) {
    return completion(Json::parse(fmt::format(R"({{"prompt": "a", {}}})", fields))).settings.max_tokens;
  };
  EXPECT_EQ(tokens(R"("max_completion_tokens": 3)"), 3);
  EXPECT_EQ(tokens(R"("n_predict": 3, "max_tokens": 8)"), 3);  // as llama.cpp has it
  EXPECT_EQ(tokens(R"("n_predict": -1)"), 99);                 // all that fit
  EXPECT_EQ(tokens(R"("n_predict": 0)"), 0);
}

TEST_F(ApiRequestTest, PartsOfMessages) {
  const ApiRequest request = reader_.chat_completion(
      R"({"messages": [{"role": "user", "content": ["a", {"type": "input_text", "text": "b"}]},
          {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}]})");
  EXPECT_EQ(request.prompts[0].text, "[user]a\nb[assistant]no");
}

TEST_F(ApiRequestTest, PlainMessages) {
  const PlainMessages plain(tokenizer_);
  const TokenId end = tokenizer_.eos();
  const std::string words(tokenizer_.bytes(end));
  const Json body = {{"messages", {{{"role", "user"}, {"content", words + "a"}}}}};
  const auto controls = [&] {
    const ApiRequest request = reader_.chat_completion(body.dump());
    EXPECT_EQ(request.prompts[0].text, "[user]" + words + "a");
    const auto& tokens = request.prompts[0].tokens;
    return std::count(tokens.begin(), tokens.end(), end);
  };
  EXPECT_EQ(controls(), 1);
  reader_.plain_messages = &plain;
  EXPECT_EQ(controls(), 0);
}

TEST_F(ApiRequestTest, PlainMessagesInArgumentsAndVariables) {
  const PlainMessages plain(tokenizer_);
  const ChatTemplate chat(
      "{% for m in messages %}{{ m.name }}{{ m.tool_calls[0].function.arguments.a }}{{ extra }}{% endfor %}", "", "");
  reader_.chat = &chat;
  const TokenId end = tokenizer_.eos();
  const std::string words(tokenizer_.bytes(end));
  std::string escaped;  // as JSON in a text may have it
  for (const char c : words) escaped += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  const Json call = {{"function", {{"name", "f"}, {"arguments", "{\"a\": \"" + escaped + "\"}"}}}};
  const Json message = {{"role", "user"}, {"content", ""}, {"name", words}, {"tool_calls", Json::array({call})}};
  const Json body = {{"messages", Json::array({message})}, {"chat_template_kwargs", {{"extra", words}}}};
  const auto controls = [&] {
    const ApiRequest request = reader_.chat_completion(body.dump());
    EXPECT_EQ(request.prompts[0].text, words + words + words);
    const auto& tokens = request.prompts[0].tokens;
    return std::count(tokens.begin(), tokens.end(), end);
  };
  EXPECT_EQ(controls(), 3);
  reader_.plain_messages = &plain;
  EXPECT_EQ(controls(), 0);
}

TEST_F(ApiRequestTest, PlainMessagesInTools) {
  const PlainMessages plain(tokenizer_);
  const ChatTemplate chat("{{ tools[0].function.description }}", "", "");
  reader_.chat = &chat;
  const TokenId end = tokenizer_.eos();
  const Json tool = {{"type", "function"},
                     {"function", {{"name", "f"}, {"description", std::string(tokenizer_.bytes(end))}}}};
  const Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "a"}}})}, {"tools", Json::array({tool})}};
  const auto controls = [&] {
    const auto tokens = reader_.chat_completion(body.dump()).prompts[0].tokens;
    return std::count(tokens.begin(), tokens.end(), end);
  };
  EXPECT_EQ(controls(), 1);
  reader_.plain_messages = &plain;
  EXPECT_EQ(controls(), 0);
}

TEST_F(ApiRequestTest, LimitsOfTheServer) {
  reader_.limits.max_tokens = 5;
  EXPECT_EQ(completion({{"prompt", "a"}}).settings.max_tokens, 5);
  EXPECT_EQ(refusal(fmt::format(R"({{"prompt": "a", "stop": ["b", "{}"]}})", std::string(1024, 'x'))), "none");
  EXPECT_EQ(refusal(fmt::format(R"({{"prompt": "a", "stop": ["b", "{}"]}})", std::string(1025, 'x'))),
            "400 \"stop\": \"stop\" has a string of 1025 bytes; send at most 1024 in each");
}

TEST_F(ApiRequestTest, WhoAsksForNoLengthGetsTheModelsPositions) {
  const auto most = [&](const Json& messages) {
    return reader_.chat_completion(Json{{"messages", messages}}.dump()).settings.max_tokens;
  };
  const auto saying = [](std::size_t letters) {
    return Json::array({{{"role", "user"}, {"content", std::string(letters, 'a')}}});
  };
  const int around = 100 - most(saying(1)) - 1;  // tokens of the template
  reader_.limits.unasked = 60;
  EXPECT_EQ(most(saying(1)), 60 - around - 1);
  EXPECT_EQ(most(saying(static_cast<std::size_t>(59 - around))), 1);
  EXPECT_EQ(most(saying(static_cast<std::size_t>(60 - around))), 40);  // it is as long already
  EXPECT_EQ(most(saying(static_cast<std::size_t>(80 - around))), 20);
  EXPECT_EQ(completion({{"prompt", "a"}, {"max_tokens", 90}}).settings.max_tokens, 90);
  reader_.limits.unasked = 1000;
  EXPECT_EQ(most(saying(1)), 100 - around - 1);
}

TEST_F(ApiRequestTest, LogProbabilitiesOfOneRequestAreBounded) {
  reader_.limits.logprobs_of_request = 12;
  const std::string prompts = R"("prompt": [[1, 2], [3, 4]], "echo": true)";
  EXPECT_EQ(refusal(fmt::format(R"({{{}, "logprobs": 2, "max_tokens": 0}})", prompts)), "none");
  const std::string too_many =
      "400 \"logprobs\": \"logprobs\" asks for too much: the answer could have {} log-probabilities, alternatives "
      "among "
      "them, and ids of tokens; ask for at most 12 in one request: fewer tokens, choices or alternatives";
  EXPECT_EQ(refusal(fmt::format(R"({{{}, "logprobs": 3, "max_tokens": 0}})", prompts)),
            fmt::format(fmt::runtime(too_many), 16));
  EXPECT_EQ(refusal(fmt::format(R"({{{}, "logprobs": 2, "max_tokens": 1}})", prompts)),
            fmt::format(fmt::runtime(too_many), 18));
  EXPECT_EQ(refusal(R"({"prompt": "a", "logprobs": 1, "n": 3, "max_tokens": 2})"), "none");
  EXPECT_EQ(refusal(R"({"prompt": "a", "logprobs": 1, "n": 3, "max_tokens": 3})"),
            fmt::format(fmt::runtime(too_many), 18));
  // Who doesn't say how many tokens gets no more than that.
  const char* const chat = R"({"messages": [{"role": "user", "content": "a"}], "logprobs": true, "top_logprobs": 2})";
  EXPECT_EQ(reader_.chat_completion(chat).settings.max_tokens, 4);
}

TEST_F(ApiRequestTest, ALevelPinsTheRequest) {
  reader_.level_positions = {60, 100, 100, 100};
  const auto plan = [&](const std::string& fields, const std::optional<std::string>& head = {}) {
    return reader_.completion(fmt::format(R"({{"prompt": "a"{}}})", fields), head).settings.plan;
  };
  EXPECT_EQ(plan(""), std::nullopt);
  EXPECT_EQ(plan(R"(, "layerboost": null)"), std::nullopt);
  EXPECT_EQ(plan(R"(, "layerboost": {})"), std::nullopt);
  EXPECT_EQ(plan(R"(, "layerboost": {"level": null})"), std::nullopt);
  EXPECT_EQ(plan(R"(, "layerboost": {"level": 0})"), 0);
  EXPECT_EQ(plan(R"(, "layerboost": {"level": 3.0})"), 3);
  EXPECT_EQ(plan("", "2"), 2);
  EXPECT_EQ(plan(R"(, "layerboost": {})", "2"), 2);
  EXPECT_EQ(plan(R"(, "layerboost": {"level": 1})", "2"), 1);
  EXPECT_EQ(plan(R"(, "echo": true)"), 0);
  EXPECT_EQ(plan(R"(, "echo": true, "layerboost": {"level": 0})", "2"), 0);
  EXPECT_EQ(reader_.chat_completion(R"({"messages": [{"role": "user", "content": "a"}], "layerboost": {"level": 2}})")
                .settings.plan,
            2);
  reader_.level_positions.clear();
  EXPECT_EQ(plan(R"(, "layerboost": {"level": 0})"), std::nullopt);
  EXPECT_EQ(plan(R"(, "echo": true)", "0"), std::nullopt);
}

TEST_F(ApiRequestTest, ALevelMayHaveFewerPositions) {
  reader_.level_positions = {60, 100};
  const auto tokens = [&](const char* level) {
    return reader_
        .chat_completion(
            fmt::format(R"({{"messages": [{{"role": "user", "content": "a"}}], "layerboost": {}}})", level))
        .settings.max_tokens;
  };
  EXPECT_EQ(tokens("{}") - tokens(R"({"level": 0})"), 40);
  EXPECT_EQ(tokens("{}"), tokens(R"({"level": 1})"));
  EXPECT_EQ(refusal(R"({"prompt": "a", "max_tokens": 60, "layerboost": {"level": 1}})"), "none");
  EXPECT_TRUE(refusal(R"({"prompt": "a", "max_tokens": 60, "layerboost": {"level": 0}})").starts_with("400"));
  EXPECT_TRUE(refusal(R"({"prompt": "a", "max_tokens": 60, "echo": true})").starts_with("400"));

  // Where caps go by length, a short prompt has the positions of its own.
  const int as_level_0 = tokens(R"({"level": 0})");
  for (const int level : {0, 1}) {
    reader_.highest_level_of = [&](int prompt) { return prompt > 0 ? level : 1; };
    EXPECT_EQ(tokens("{}") - as_level_0, 40 * level);
    EXPECT_EQ(refusal(R"({"prompt": "a", "max_tokens": 60})") == "none", level == 1);
  }
  // Of several prompts the one that leaves least room counts, be it a short one.
  reader_.highest_level_of = [](int prompt) { return prompt > 10 ? 1 : 0; };
  const std::string prompts = R"("prompt": ["a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])";
  const int room = reader_.completion("{" + prompts + R"(, "max_tokens": 1})").settings.max_tokens;
  EXPECT_EQ(room, 1);
  EXPECT_EQ(refusal("{" + prompts + R"(, "max_tokens": 59})"), "none");
  EXPECT_TRUE(refusal("{" + prompts + R"(, "max_tokens": 60})").starts_with("400"));
}

TEST_F(ApiRequestTest, WhatIsNoLevelIsRefused) {
  const auto refused = [&](const std::string& value) {
    return refusal(fmt::format(R"({{"prompt": "a", "layerboost": {}}})", value));
  };
  const auto refused_level = [&](const std::string& value) {
    return refused(fmt::format(R"({{"level": {}}})", value));
  };
  const std::vector<std::string> wrong = {"-1",
                                          "4",
                                          "1.5",
                                          R"("3")",
                                          "1e99",
                                          "-1e99",
                                          "[1]",
                                          "{}",
                                          "true",
                                          "1e999",
                                          "18446744073709551615",
                                          "99999999999999999999999"};
  reader_.level_positions = {60, 100, 100, 100};
  for (const std::string& value : wrong) {
    const std::string message = refused_level(value);
    EXPECT_TRUE(message == "400 \"layerboost.level\": \"layerboost.level\" must be an integer from 0 to 3" ||
                message.starts_with("400 null: the body: "))
        << value << ": " << message;
  }
  EXPECT_EQ(refused("[]"), "400 \"layerboost\": \"layerboost\" must be an object, not array");
  EXPECT_EQ(refused("3"), "400 \"layerboost\": \"layerboost\" must be an object, not number");
  EXPECT_EQ(refused(R"({"levle": 1})"),
            "400 \"layerboost.levle\": \"layerboost\" has no field \"layerboost.levle\"; did you mean \"level\"?");
  EXPECT_EQ(refusal(R"({"prompt": "a", "echo": true, "layerboost": {"level": 1}})"),
            "400 \"echo\": \"echo\" is for level 0 only, and level 1 is asked for: ask for one of both");
  reader_.level_positions.clear();
  for (const std::string& value : wrong) EXPECT_TRUE(refused_level(value).starts_with("400")) << value;
  EXPECT_EQ(refused_level("1"),
            "400 \"layerboost.level\": \"layerboost.level\" can only be 0: this server has no other levels");
}

TEST_F(ApiRequestTest, HostileBytes) {
  EXPECT_TRUE(refusal("{\"prompt\": \"\xff\xfe\"}").starts_with("400"));
  const std::string deep(100000, '[');
  EXPECT_EQ(refusal("{\"prompt\": " + deep), "400 null: the body: JSON nested deeper than 32");
  std::string wide = R"({"prompt": "a", "logit_bias": {"0": 0)", nested = R"({"prompt": "a", "metadata": {"x": 0)";
  for (int key = 1; key < 1024; ++key) wide += fmt::format(R"(, "{}": 0)", key % 260);
  EXPECT_EQ(refusal(wide + R"(, "x": 0}})"), "400 null: the body: an object has more than 1024 keys");
  for (int key = 0; key < 900; ++key) nested += fmt::format(R"(, "{}": [{{"a": {{"b": 0}}, "c": 0}}])", key);
  EXPECT_EQ(refusal(nested + "}}"), "none");  // each object is counted by itself
  EXPECT_TRUE(refusal("").starts_with("400"));
  EXPECT_TRUE(refusal(std::string(1, '\0')).starts_with("400"));
}

TEST_F(ApiRequestTest, WithoutAChatTemplate) {
  reader_.chat = nullptr;
  EXPECT_TRUE(refusal(R"({"messages": [{"role": "user", "content": "a"}]})", true).starts_with("400 \"messages\""));
}

}  // namespace
}  // namespace layerboost
