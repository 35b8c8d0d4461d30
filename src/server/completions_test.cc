// /v1/completions, /v1/chat/completions and the tokenizer's addresses over real sockets.
#include <gtest/gtest.h>

#include <cmath>

#include "eval/scoring.h"
#include "server/server_for_tests.h"

namespace layerboost {
namespace {

Json greedy(const Json& prompt, int tokens) {
  return {{"prompt", prompt}, {"max_tokens", tokens}, {"temperature", 0}, {"ignore_eos", true}};
}

std::string text_of(const Json& answer, std::size_t choice = 0) { return answer["choices"][choice]["text"]; }

/// The pieces of a stream put together.
std::string text_of_stream(const std::vector<Json>& events) {
  std::string text;
  for (const Json& event : events) {
    for (const Json& choice : event["choices"]) text += choice["text"].get<std::string>();
  }
  return text;
}

TEST(Completions, GreedyTextIsTheModels) {
  const ServerForTests server;
  const AnswerForTests answer = server.complete(greedy("ab a", 12));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  MixerSet mixers(served_model());
  Subject subject(served_model(), mixers.list(native_specs(served_model().config)));
  GenerateOptions options;
  options.tokens = 12;
  const std::vector<std::vector<TokenId>> prompts = {served_model().text().encode("ab a")};
  const auto expected = generate(subject, prompts, options)[0].tokens;
  StreamDecoder decoder(served_model().text());
  std::string text;
  for (const TokenId token : expected) text += decoder.push(token);
  EXPECT_EQ(text_of(json), text + decoder.finish());
  EXPECT_EQ(json["object"], "text_completion");
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(json["choices"][0]["logprobs"], nullptr);
  EXPECT_EQ(json["usage"]["prompt_tokens"], prompts[0].size());
  EXPECT_EQ(json["usage"]["completion_tokens"], 12);
  EXPECT_EQ("cmpl-" + answer.headers.at("X-Request-Id"), json["id"]);
}

TEST(Completions, StreamsTheSameText) {
  const ServerForTests server;
  Json asked = greedy("ab a", 12);
  const std::string whole = text_of(server.complete(asked).json());
  asked["stream"] = true;
  asked["stream_options"] = {{"include_usage", true}};
  const AnswerForTests answer = server.complete(asked);
  EXPECT_TRUE(answer.headers.at("Content-Type").starts_with("text/event-stream"));
  const std::vector<Json> events = answer.events();
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(text_of_stream(events), whole);
  EXPECT_EQ(events.back()["choices"], Json::array());
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], 12);
  EXPECT_EQ(events[events.size() - 2]["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(events[0]["usage"], nullptr);
  EXPECT_EQ(events[0]["choices"][0]["finish_reason"], nullptr);
}

// As vLLM has it: beside that of the whole at the end.
TEST(Completions, EachPieceOfAStreamMayHaveItsUsage) {
  const ServerForTests server;
  const auto check = [&](const char* path, Json asked, const std::vector<std::size_t>& prompt_tokens) {
    asked.update({{"stream", true}, {"max_tokens", 5}, {"n", 2}, {"ignore_eos", true}});
    asked["stream_options"] = {{"include_usage", true}, {"continuous_usage_stats", true}};
    std::vector<Json> events = server.post(path, asked).events();
    const std::size_t choices = 2 * prompt_tokens.size();
    EXPECT_EQ(events.back()["usage"]["completion_tokens"], 5 * choices) << path;
    events.pop_back();
    std::vector<int> last(choices);
    for (const Json& event : events) {
      const std::size_t choice = event["choices"][0]["index"];
      const Json usage = event["usage"];
      EXPECT_EQ(usage["prompt_tokens"], prompt_tokens[choice / 2]) << path;
      EXPECT_GE(usage["completion_tokens"], last[choice]) << path;
      last[choice] = usage["completion_tokens"];
      EXPECT_EQ(usage["total_tokens"], prompt_tokens[choice / 2] + static_cast<std::size_t>(last[choice])) << path;
    }
    EXPECT_LE(events.front()["usage"]["completion_tokens"], 2) << path;
    EXPECT_EQ(last, std::vector<int>(choices, 5)) << path;

    asked["stream_options"] = {{"continuous_usage_stats", true}};
    for (const Json& event : server.post(path, asked).events()) EXPECT_FALSE(event.contains("usage")) << path;
  };
  const Tokenizer& text = served_model().text();
  check("/v1/completions", {{"prompt", {"ab a", "c"}}}, {text.encode("ab a").size(), text.encode("c").size()});
  check("/v1/chat/completions", {{"messages", {{{"role", "user"}, {"content", "ab"}}}}},
        {text.encode("<user>ab</s>").size()});
}

TEST(Completions, SeveralPromptsAndChoices) {
  const ServerForTests server;
  const Json both = server.complete(greedy({"ab", "c d"}, 6)).json();
  ASSERT_EQ(both["choices"].size(), 2U);
  EXPECT_EQ(text_of(both, 0), text_of(server.complete(greedy("ab", 6)).json()));
  EXPECT_EQ(text_of(both, 1), text_of(server.complete(greedy("c d", 6)).json()));
  EXPECT_EQ(both["choices"][1]["index"], 1);
  EXPECT_EQ(both["usage"]["completion_tokens"], 12);

  Json sampled = {{"prompt", "ab"}, {"max_tokens", 8}, {"n", 2}, {"seed", 3}, {"ignore_eos", true}};
  const Json first = server.complete(sampled).json();
  EXPECT_NE(text_of(first, 0), text_of(first, 1));
  EXPECT_EQ(first["choices"], server.complete(sampled).json()["choices"]);
  EXPECT_EQ(first["usage"]["prompt_tokens"], 1);  // once, not for each choice
  sampled.erase("seed");
  EXPECT_NE(text_of(server.complete(sampled).json()), text_of(server.complete(sampled).json()));
}

TEST(Completions, StopStringsEndTheText) {
  const ServerForTests server;
  const std::string whole = text_of(server.complete(greedy("ab a", 24)).json());
  // Any printable character of the text will do.
  const auto at = std::find_if(whole.begin() + 1, whole.end(), [](char c) { return c > ' ' && c < 127; });
  ASSERT_NE(at, whole.end());
  Json asked = greedy("ab a", 24);
  asked["stop"] = std::string(1, *at);
  const Json json = server.complete(asked).json();
  EXPECT_EQ(text_of(json), whole.substr(0, whole.find(*at)));
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
}

TEST(Completions, EchoWithLogprobsIsWhatEvalComputes) {
  const ServerForTests server;
  const std::vector<TokenId> context = {97, 98, 32, 256, 200}, continuation = {99, 257, 100};
  std::vector<TokenId> all = context;
  all.insert(all.end(), continuation.begin(), continuation.end());
  Json asked = {
      {"prompt", Json::array({all, context})}, {"max_tokens", 1}, {"temperature", 0}, {"echo", true}, {"logprobs", 1}};
  const AnswerForTests answer = server.complete(asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json logprobs = answer.json()["choices"][0]["logprobs"];
  ASSERT_EQ(logprobs["token_logprobs"].size(), all.size() + 1);
  ASSERT_EQ(logprobs["tokens"].size(), all.size() + 1);
  ASSERT_EQ(logprobs["text_offset"].size(), all.size() + 1);
  EXPECT_EQ(logprobs["token_logprobs"][0], nullptr);
  EXPECT_EQ(logprobs["tokens"][3], "ab");
  EXPECT_EQ(logprobs["tokens"][4].get<std::string>().substr(0, 6), "bytes:");
  EXPECT_EQ(logprobs["text_offset"][3], 3);

  MixerSet mixers(served_model());
  Subject subject(served_model(), mixers.list(native_specs(served_model().config)));
  const std::vector<Request> requests = {{context, continuation}};
  const Score score = score_requests(subject, requests)[0];
  double sum = 0;
  bool is_greedy = true;
  for (std::size_t i = context.size(); i < all.size(); ++i) {  // lm-evaluation-harness: [ctxlen:-1]
    sum += logprobs["token_logprobs"][i].get<double>();
    double best = -1e9;
    for (const auto& [token, logprob] : logprobs["top_logprobs"][i].items())
      best = std::max(best, logprob.get<double>());
    is_greedy = is_greedy && logprobs["token_logprobs"][i] == best;
  }
  EXPECT_NEAR(sum, score.log_likelihood, 1e-3);
  EXPECT_EQ(is_greedy, score.greedy);
}

TEST(Completions, Chat) {
  const ServerForTests server;
  const Json messages = Json::array({{{"role", "user"}, {"content", "ab c"}}});
  Json asked = {{"messages", messages}, {"max_tokens", 6}, {"temperature", 0}, {"logprobs", true}, {"top_logprobs", 2}};
  const AnswerForTests answer = server.post("/v1/chat/completions", asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json(), choice = json["choices"][0];
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(choice["message"]["role"], "assistant");
  const std::string text = choice["message"]["content"];
  EXPECT_EQ(text,
            text_of(server.complete({{"prompt", "<user>ab c</s>"}, {"max_tokens", 6}, {"temperature", 0}}).json()));
  const Json& tokens = choice["logprobs"]["content"];
  ASSERT_FALSE(tokens.empty());
  EXPECT_EQ(tokens[0]["top_logprobs"].size(), 2U);
  EXPECT_EQ(tokens[0]["logprob"], tokens[0]["top_logprobs"][0]["logprob"]);  // greedy

  asked["stream"] = true;
  std::string streamed;
  const auto events = server.post("/v1/chat/completions", asked).events();
  EXPECT_EQ(events[0]["object"], "chat.completion.chunk");
  EXPECT_EQ(events[0]["choices"][0]["delta"]["role"], "assistant");
  for (const Json& event : events) streamed += event["choices"][0]["delta"]["content"].get<std::string>();
  EXPECT_EQ(streamed, text);
}

TEST(Completions, TokensThereAndBack) {
  const ServerForTests server;
  const Json tokens = server.post("/tokenize", {{"prompt", "ab c\u00e9"}}).json();
  EXPECT_EQ(tokens["tokens"].get<std::vector<TokenId>>(), served_model().text().encode("ab c\u00e9"));
  EXPECT_EQ(tokens["count"], tokens["tokens"].size());
  EXPECT_EQ(tokens["max_model_len"], 512);
  EXPECT_EQ(server.post("/detokenize", {{"tokens", tokens["tokens"]}}).json()["prompt"], "ab c\u00e9");
  EXPECT_EQ(server.post("/detokenize", {{"tokens", {999}}}).status, 400);
  EXPECT_EQ(server.ask("GET", "/tokenizer_info").json()["eos_token"], "</s>");
}

TEST(Completions, AModelWithoutNumbersIsAnError) {
  // Whatever reads its 20th token comes to nothing.
  const int hidden = served_model().config.hidden;
  ServerForTests server({}, {{.memory = std::size_t{64} << 20}}, [&](const MixerRows& rows) {
    for (const MixerSpan& span : rows.spans)
      if (span.position + span.count == 20) rows.hidden[(span.row + span.count - 1) * hidden] = std::nanf("");
  });
  Json asked = greedy("abcabc", 60);
  asked["n"] = 2;
  AnswerForTests answer = server.complete(asked);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.json()["error"]["message"], damaged_model);
  EXPECT_EQ(answer.json()["error"]["type"], "server_error");
  asked["stream"] = true;
  answer = server.complete(asked);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body.find("data: [DONE]") != std::string::npos);
  const std::vector<Json> events = answer.events();
  EXPECT_EQ(events.back()["error"]["message"], damaged_model);
  EXPECT_GT(events.size(), 2U);
  EXPECT_EQ(server.complete(greedy("a", 5)).status, 200);
  EXPECT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running == 0; }));
}

TEST(Completions, LogProbabilitiesInPiecesAndWholeAreTheSame) {
  const ServerForTests server;
  Json asked = greedy("ab a", 20);
  asked["logprobs"] = 3;
  asked["echo"] = true;
  const Json whole = server.complete(asked).json()["choices"][0]["logprobs"];
  asked["stream"] = true;
  Json pieces = {{"tokens", Json::array()},
                 {"token_logprobs", Json::array()},
                 {"top_logprobs", Json::array()},
                 {"text_offset", Json::array()}};
  for (const Json& event : server.complete(asked).events())
    for (auto& [name, list] : pieces.items())
      for (const Json& value : event["choices"][0]["logprobs"][name]) list.push_back(value);
  EXPECT_EQ(pieces, whole);
  EXPECT_EQ(whole["tokens"].size(), whole["text_offset"].size());
}

TEST(Completions, ALargeAnswerIsPutTogetherAside) {
  const ServerForTests server;
  Json asked = greedy("ab a", 100);
  asked["logprobs"] = 20;
  asked["n"] = 6;  // 12,600 log-probabilities
  const Json json = server.complete(asked).json();
  ASSERT_EQ(json["choices"].size(), 6U);
  for (const Json& choice : json["choices"]) {
    EXPECT_EQ(choice["logprobs"]["tokens"].size(), 100U);
    EXPECT_EQ(choice["logprobs"]["top_logprobs"][99].size(), 20U);
    EXPECT_EQ(choice["logprobs"], json["choices"][0]["logprobs"]);  // greedy
  }
  EXPECT_EQ(json["usage"]["completion_tokens"], 600);
}

TEST(Completions, AClientThatLeavesFreesItsWork) {
  ServerOptions options;
  options.limits.said_all = std::chrono::milliseconds(1);  // the model is quick
  ServerForTests server(options);
  for (const bool stream : {true, false}) {
    const std::uint64_t before = server.engine().stats().cancelled;
    {
      ClientForTests client(server.port());
      Json asked = greedy("ab", 500);
      asked["stream"] = stream;
      asked["n"] = 3;
      client.send("POST", "/v1/completions", asked.dump(), "");
      if (stream) client.read_until("data: ");
      ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running == 3; }));
    }
    EXPECT_TRUE(server.wait_until(
        [&](const EngineStats& stats) { return stats.running == 0 && stats.cancelled == before + 3; }));
  }
  EXPECT_EQ(server.complete(greedy("ab", 2)).status, 200);
}

// Proxies close connections on which nothing comes.
TEST(Completions, AStreamThatWaitsIsNeverSilentForLong) {
  ServerOptions options;
  options.limits.silence = std::chrono::milliseconds(1);  // the model is quick
  ServerForTests server(options, {{.memory = std::size_t{64} << 20, .max_sequences = 1}});
  ClientForTests running(server.port()), waiting(server.port());
  Json asked = greedy("ab", 500);
  running.send("POST", "/v1/completions", asked.dump(), "");
  ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running == 1; }));
  asked = greedy("ab", 2);
  asked["stream"] = true;
  waiting.send("POST", "/v1/completions", asked.dump(), "");
  const std::string body = waiting.read_answer().body;
  EXPECT_TRUE(body.starts_with(":\n\n")) << body;
  EXPECT_NE(body.find(":\n\n", 1), std::string::npos) << body;
  EXPECT_TRUE(body.ends_with("data: [DONE]\n\n")) << body;
  // What follows on the connection isn't a stream.
  waiting.send("POST", "/v1/completions", greedy("ab", 300).dump(), "");
  const AnswerForTests next = waiting.read_answer();
  EXPECT_EQ(next.status, 200);
  EXPECT_EQ(Json::parse(next.body)["usage"]["completion_tokens"], 300);
}

/// A server that runs one sequence at a time, with one that runs and one that waits, each of a client's request.
struct BusyServer {
  explicit BusyServer(int max_queue)
      : server({}, {{.memory = std::size_t{64} << 20, .max_sequences = 1, .max_queue = max_queue}}) {
    running.send("POST", "/v1/completions", asked.dump(), "");
    EXPECT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running == 1 && stats.waiting == 0; }));
    waiting.send("POST", "/v1/completions", asked.dump(), "");
    EXPECT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.waiting == 1; }));
  }

  const Json asked = greedy("ab", 500);
  ServerForTests server;
  ClientForTests running{server.port()}, waiting{server.port()};
};

TEST(Completions, AFullQueueAsksToTryLater) {
  BusyServer busy(1);
  const AnswerForTests refused = busy.server.complete(busy.asked);
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_GE(std::stoi(refused.headers.at("Retry-After")), 1);
  EXPECT_EQ(refused.json()["error"]["code"], "queue_full");
}

TEST(Completions, AChoiceThatFindsNoPlaceComesLater) {
  BusyServer busy(2);
  Json asked = busy.asked;
  asked["n"] = 3;
  asked["max_tokens"] = 10;
  const AnswerForTests answer = busy.server.complete(asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json()["choices"].size(), 3U);
  EXPECT_EQ(busy.waiting.read_answer().status, 200);
  EXPECT_EQ(busy.server.engine().stats().cancelled, 0U);
}

TEST(Completions, WhatIsRefusedWasNeverAskedFor) {
  BusyServer busy(1);
  Json asked = busy.asked;
  asked["n"] = 2;
  EXPECT_EQ(busy.server.complete(asked).status, 429);
  EXPECT_EQ(busy.waiting.read_answer().status, 200);
  EXPECT_EQ(busy.server.engine().stats().requests, 2U);
  EXPECT_EQ(busy.server.engine().stats().cancelled, 0U);
}

TEST(Completions, InAStreamTooChoicesComeOneAfterTheOther) {
  ServerForTests server({}, {{.memory = std::size_t{64} << 20, .max_sequences = 2, .max_queue = 1}});
  Json asked = greedy("ab", 8);
  const std::string expected = server.complete(asked).json()["choices"][0]["text"];
  asked["n"] = 10;
  asked["stream"] = true;
  std::vector<std::string> texts(10);
  for (const Json& event : server.complete(asked).events())
    for (const Json& choice : event["choices"])
      texts[choice["index"].get<std::size_t>()] += choice["text"].get<std::string>();
  EXPECT_EQ(texts, std::vector<std::string>(10, expected));
}

TEST(Completions, MoreChoicesThanPlacesComeOneAfterTheOther) {
  ServerForTests server({}, {{.memory = std::size_t{64} << 20, .max_sequences = 2, .max_queue = 1}});
  Json asked = greedy("ab", 8);
  const std::string expected = server.complete(asked).json()["choices"][0]["text"];
  asked["n"] = 20;
  const AnswerForTests answer = server.complete(asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  ASSERT_EQ(json["choices"].size(), 20U);
  for (const Json& choice : json["choices"]) EXPECT_EQ(choice["text"], expected);
  EXPECT_EQ(json["usage"]["completion_tokens"], 160);
}

TEST(Completions, ARequestsIdMayHaveWhatJsonEscapes) {
  const ServerForTests server;
  for (const auto& [path, body] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/v1/completions", R"({"prompt": "ab", "max_tokens": 2})"},
           {"/v1/chat/completions", R"({"messages": [{"role": "user", "content": "ab"}], "max_tokens": 2})"},
           {"/v1/responses", R"({"input": "ab", "max_output_tokens": 2})"},
           {"/v1/embeddings", R"({"input": "ab"})"}}) {
    const AnswerForTests answer = server.ask("POST", path, body, "X-Request-Id: a\\x\\\r\n");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(answer.json()["id"].get<std::string>().ends_with("-a\\x\\") ||
                answer.json()["id"].get<std::string>() == "resp_a\\x\\")
        << answer.body;
  }
}

}  // namespace
}  // namespace layerboost
