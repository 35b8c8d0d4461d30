// A server whose engine has levels: what requests ask for, and what answers, metrics and the list of models say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "server/server_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::vector<MixerSpec>> higher = {specs({"window:16+3", "softmax", "softmax", "softmax"}),
                                                    specs({"window:16+3", "window:16+3", "softmax", "softmax"}),
                                                    specs({"window:16+3", "window:16+3", "window:16+3", "softmax"})};

LevelOptions level_options(LevelMode mode, int level, int cap) {
  LevelOptions options;
  options.mode = mode;
  options.level = level;
  options.cap = cap;
  return options;
}

constexpr std::size_t much_memory = std::size_t{64} << 20;

EngineOptions automatic(int cap, std::size_t memory = much_memory) {
  return {{.memory = memory}, level_options(LevelMode::automatic, 0, cap)};
}

EngineOptions fixed_at(int level) { return {{.memory = much_memory}, level_options(LevelMode::fixed, level, 0)}; }

ServerForTests& served() {
  static ServerForTests server({}, automatic(2), {}, higher);
  return server;
}

Json asked(int level, bool stream = false) {
  Json body = {{"prompt", "ab a"}, {"max_tokens", 60}, {"temperature", 0}, {"ignore_eos", true}, {"stream", stream}};
  if (level >= 0) body["layerboost"] = {{"level", level}};
  if (stream) body["stream_options"] = {{"include_usage", true}};
  return body;
}

Json levels(int first, int last) { return {{"first_level", first}, {"level", last}}; }

std::string text_of(const AnswerForTests& answer) { return answer.json()["choices"][0]["text"]; }

TEST(Levels, ARequestGetsTheOneItAsksFor) {
  const ServerForTests& server = served();
  std::set<std::string> texts, fingerprints;
  for (const int level : {0, 1, 2, 3}) {
    const AnswerForTests answer = server.complete(asked(level));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.json()["usage"]["layerboost"], levels(level, level));
    EXPECT_EQ(answer.headers.at("X-Layerboost-Level"), std::to_string(level));
    const bool own_mixers = level == 0;
    EXPECT_EQ(answer.headers.contains("X-Layerboost-Plan"), !own_mixers);
    if (!own_mixers) {
      EXPECT_EQ(answer.headers.at("X-Layerboost-Plan"), fmt::format("sha256:plan{}", level));
    }
    texts.insert(text_of(answer));
    fingerprints.insert(answer.json()["system_fingerprint"]);
  }
  EXPECT_EQ(fingerprints.size(), 4U);
  EXPECT_GT(texts.size(), 1U);
  EXPECT_EQ(server.complete(asked(-1)).json()["usage"]["layerboost"], levels(0, 0));
}

TEST(Levels, AreThoseOfTheirPlansAlone) {
  const ServerForTests& server = served();
  for (const int level : {0, 1, 2, 3}) {
    GenerationRequest request;
    request.prompt = served_model().text().encode("ab a");
    request.max_tokens = 60;
    request.ignore_eos = true;
    request.sampling.temperature = 0;
    MixerSet mixers(served_model());
    const MixerList& list =
        mixers.list(level == 0 ? native_specs(served_model().config) : higher[static_cast<std::size_t>(level - 1)]);
    EXPECT_EQ(text_of(server.complete(asked(level))), alone(served_model(), list, request).text) << level;
  }
}

TEST(Levels, AHeaderAsksWhereTheBodyDoesNot) {
  const ServerForTests& server = served();
  const auto ask = [&](const Json& body, const std::string& headers) {
    return server.ask("POST", "/v1/completions", body.dump(), headers.c_str());
  };
  EXPECT_EQ(ask(asked(-1), "X-Layerboost-Level: 2\r\n").headers.at("X-Layerboost-Level"), "2");
  EXPECT_EQ(ask(asked(-1), "x-layerboost-level:  3 \r\n").headers.at("X-Layerboost-Level"), "3");
  EXPECT_EQ(ask(asked(1), "X-Layerboost-Level: 2\r\n").headers.at("X-Layerboost-Level"), "1");
  const Json chat = {{"messages", {{{"role", "user"}, {"content", "ab"}}}}, {"max_tokens", 3}};
  EXPECT_EQ(server.ask("POST", "/v1/chat/completions", chat.dump(), "X-Layerboost-Level: 1\r\n")
                .json()["usage"]["layerboost"],
            levels(1, 1));
  const std::string wrong = "the header X-Layerboost-Level must be an integer from 0 to 3, the levels of this server";
  for (const std::string& value :
       {std::string("4"), std::string("-1"), std::string("1.5"), std::string("+1"), std::string("\"1\""),
        std::string("null"), std::string("1e99"), std::string("[1]"), std::string("1 2"), std::string("0x1"),
        std::string(), std::string("\xff\xfe"), std::string("99999999999999999999"), std::string(10000, '1')}) {
    const AnswerForTests answer = ask(asked(-1), "X-Layerboost-Level: " + value + "\r\n");
    EXPECT_EQ(answer.status, 400) << value;
    EXPECT_EQ(answer.json()["error"]["message"], wrong) << value;
    EXPECT_EQ(ask(asked(1), "X-Layerboost-Level: " + value + "\r\n").status, 400) << value;
  }
  EXPECT_EQ(ask(asked(-1), "X-Layerboost-Level: 1\r\nX-Layerboost-Level: 1\r\n").status, 400);
  EXPECT_EQ(ask(asked(-1), "X-Layerboost-Level: " + std::string(100000, '1') + "\r\n").status, 431);
}

TEST(Levels, WhatTellsOfThePromptIsOfLevel0) {
  const ServerForTests& server = served();
  Json scored = {{"prompt", "abcabc"}, {"max_tokens", 1}, {"echo", true}, {"logprobs", 1}};
  EXPECT_EQ(server.complete(scored).headers.at("X-Layerboost-Level"), "0");
  EXPECT_EQ(server.ask("POST", "/v1/completions", scored.dump(), "X-Layerboost-Level: 0\r\n").status, 200);
  const std::string wrong = "\"echo\" is for level 0 only, and level 2 is asked for: ask for one of both";
  EXPECT_EQ(
      server.ask("POST", "/v1/completions", scored.dump(), "X-Layerboost-Level: 2\r\n").json()["error"]["message"],
      wrong);
  scored["layerboost"] = {{"level", 2}};
  EXPECT_EQ(server.complete(scored).json()["error"]["message"], wrong);
  EXPECT_EQ(server.complete(scored).json()["error"]["param"], "echo");
  scored.erase("layerboost");
  const ServerForTests fixed({}, fixed_at(3), {}, higher);
  EXPECT_EQ(fixed.complete(scored).headers.at("X-Layerboost-Level"), "0");
  scored.erase("logprobs");
  EXPECT_EQ(fixed.complete(scored).headers.at("X-Layerboost-Level"), "0");
  EXPECT_EQ(fixed.complete(asked(-1)).headers.at("X-Layerboost-Level"), "3");
}

TEST(Levels, AStreamsHeadNamesOnlyOneThatIsSure) {
  const ServerForTests& server = served();
  AnswerForTests answer = server.complete(asked(2, true));
  EXPECT_EQ(answer.headers.at("X-Layerboost-Level"), "2");
  EXPECT_EQ(answer.headers.at("X-Layerboost-Plan"), "sha256:plan2");
  EXPECT_EQ(answer.events().back()["usage"]["layerboost"], levels(2, 2));
  const std::string of_level_2 = answer.events()[0]["system_fingerprint"];
  EXPECT_EQ(of_level_2, server.complete(asked(2)).json()["system_fingerprint"]);
  for (const Json& event : answer.events()) EXPECT_EQ(event["system_fingerprint"], of_level_2);

  answer = server.complete(asked(-1, true));
  EXPECT_FALSE(answer.headers.contains("X-Layerboost-Level") || answer.headers.contains("X-Layerboost-Plan"));
  EXPECT_EQ(answer.events().back()["usage"]["layerboost"], levels(0, 0));
  const ServerForTests fixed({}, fixed_at(1), {}, higher);
  EXPECT_EQ(fixed.complete(asked(-1, true)).headers.at("X-Layerboost-Level"), "1");
}

/// The answer to a request whose sequence is folded while it is written: others come that leave too little memory for
/// it.
AnswerForTests folded_answer(const ServerForTests& server, const Json& body) {
  ClientForTests first(server.port());
  first.send("POST", "/v1/completions", body.dump(), "");
  EXPECT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running == 1; }));
  Json others = asked(-1);
  others["max_tokens"] = 300;
  others["n"] = 8;
  EXPECT_EQ(server.complete(others).status, 200);
  return first.read_answer();
}

/// Memory for five sequences of 320 tokens at level 0: 64 positions take 4 layers * 2 * 2 * 16 * 64 * 4 bytes.
constexpr std::size_t little_memory = 5 * std::size_t{5} * 65536;

TEST(Levels, AnAnswerTellsTheFirstAndTheLast) {
  const ServerForTests server({}, automatic(3, little_memory), {}, higher);
  Json body = asked(-1);
  body["max_tokens"] = 480;
  const AnswerForTests answer = folded_answer(server, body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const int last = answer.json()["usage"]["layerboost"]["level"];
  EXPECT_EQ(answer.json()["usage"]["layerboost"], levels(0, last));
  EXPECT_GT(last, 0);
  EXPECT_EQ(answer.headers.at("X-Layerboost-Level"), std::to_string(last));
  EXPECT_EQ(answer.headers.at("X-Layerboost-Plan"), fmt::format("sha256:plan{}", last));
}

TEST(Levels, AStreamsPiecesAllTellOfTheFirst) {
  const ServerForTests server({}, automatic(3, little_memory), {}, higher);
  Json body = asked(-1, true);
  body["max_tokens"] = 480;
  const std::vector<Json> events = folded_answer(server, body).events();
  EXPECT_EQ(events.back()["usage"]["layerboost"]["first_level"], 0);
  EXPECT_GT(events.back()["usage"]["layerboost"]["level"], 0);
  for (const Json& event : events) EXPECT_EQ(event["system_fingerprint"], events[0]["system_fingerprint"]);
  EXPECT_EQ(events[0]["system_fingerprint"], server.complete(asked(0)).json()["system_fingerprint"]);
}

TEST(Levels, WhoSaysNoLengthGetsWhatFitsTheLevel) {
  const ServerForTests server({}, automatic(3, 200'000), {}, higher);
  EXPECT_GT(server.ask("GET", "/v1/models").json()["data"][0]["max_model_len"], 192);
  Json chat = {{"messages", {{{"role", "user"}, {"content", "a"}}}}, {"layerboost", {{"level", 0}}}};
  EXPECT_EQ(server.post("/v1/chat/completions", chat).status, 200);
  chat["max_tokens"] = 190;
  EXPECT_EQ(server.post("/v1/chat/completions", chat).json()["error"]["code"], "context_length_exceeded");
}

TEST(Levels, MetricsCountByThem) {
  const ServerForTests server({}, automatic(2), {}, higher);
  ASSERT_EQ(server.ask("GET", "/metrics").body.find("layerboost_quality_served"), std::string::npos);
  for (const int level : {0, 2, 2, 3}) ASSERT_EQ(server.complete(asked(level)).status, 200);
  ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.finished_length == 4; }));
  const std::string text = server.ask("GET", "/metrics").body;
  for (const char* const line :
       {"# HELP layerboost_level ", "# TYPE layerboost_level gauge\nlayerboost_level 0\n",
        "layerboost_running_by_level{level=\"3\"} 0\n", "layerboost_requests_finished_by_level_total{level=\"0\"} 1\n",
        "layerboost_requests_finished_by_level_total{level=\"1\"} 0\n",
        "layerboost_requests_finished_by_level_total{level=\"2\"} 2\n",
        "layerboost_generated_tokens_by_level_total{level=\"2\"} 120\n",
        "layerboost_generated_tokens_by_level_total{level=\"3\"} 60\n", "layerboost_folds_total 0\n",
        "layerboost_folded_bytes_total 0\n", "layerboost_folded_prefixes_total ",
        "layerboost_level_changes_total{cause=\"memory\"} 0\n",
        "layerboost_level_changes_total{cause=\"first_token\"} 0\n",
        "layerboost_level_changes_total{cause=\"between_tokens\"} 0\n",
        "layerboost_level_changes_total{cause=\"idle\"} 0\n",
        "layerboost_quality_served 1.21875\n"})  // (1 + 2 * 1.25 + 1.375) / 4
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Levels, TheListOfModelsHasTheTable) {
  const ServerForTests& server = served();
  const Json model = server.ask("GET", "/v1/models").json()["data"][0];
  EXPECT_EQ(model["level_mode"], "auto");
  EXPECT_EQ(model["level_cap"], 2);
  ASSERT_EQ(model["levels"].size(), 4U);
  EXPECT_EQ(model["levels"][2], (Json{{"level", 2},
                                      {"plan", "sha256:plan2"},
                                      {"mixers", "2 softmax, 2 window:16+3"},
                                      {"rung", "rung 2"},
                                      {"perplexity_ratio", 1.25},
                                      {"kl", 0.5},
                                      {"kv_fraction", 1.0 / 3}}));
  EXPECT_EQ(model["levels"][0]["plan"], nullptr);
  EXPECT_EQ(model["levels"][0]["rung"], nullptr);
}

TEST(Levels, TheirTable) {
  LevelTable table{{{.perplexity_ratio = 1}, {.perplexity_ratio = 1.5}, {}}, level_options(LevelMode::fixed, 1, 0)};
  EXPECT_EQ(table.cap(), 1);
  EXPECT_TRUE(table.constant());
  EXPECT_STREQ(table.mode(), "fixed");
  EXPECT_EQ(table.quality({0, 0, 0}), std::nullopt);
  EXPECT_EQ(table.quality({3, 1, 0}), 1.125);
  EXPECT_EQ(table.quality({3, 1, 1}), std::nullopt);  // nobody knows
  EXPECT_EQ(table.json()[2]["kl"], nullptr);
  table.options = level_options(LevelMode::per_request, 0, 2);
  EXPECT_EQ(table.cap(), 2);
  EXPECT_FALSE(table.constant());
  EXPECT_STREQ(table.mode(), "per-request");
  table.options.mode = LevelMode::off;
  EXPECT_EQ(table.cap(), 0);
  table.levels.resize(1);
  EXPECT_FALSE(table.is_ladder());
  EXPECT_EQ(table.highest(), 0);
}

TEST(Levels, PagesOfOtherSitesMayReadThem) {
  ServerOptions options;
  options.allow_origins = {"https://chat.example"};
  const char* const origin = "Origin: https://chat.example\r\n";
  const ServerForTests with_ladder(options, automatic(3), {}, higher), without(options);
  EXPECT_EQ(with_ladder.ask("GET", "/health", "", origin).headers.at("Access-Control-Expose-Headers"),
            "X-Request-Id, Retry-After, X-Layerboost-Level, X-Layerboost-First-Level, X-Layerboost-Plan");
  EXPECT_EQ(without.ask("GET", "/health", "", origin).headers.at("Access-Control-Expose-Headers"),
            "X-Request-Id, Retry-After");
}

TEST(Levels, AServerWithoutThemSaysNothingOfThem) {
  const ServerForTests server;
  const AnswerForTests answer = server.complete(asked(0));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_FALSE(answer.headers.contains("X-Layerboost-Level"));
  EXPECT_FALSE(answer.json()["usage"].contains("layerboost"));
  EXPECT_EQ(server.ask("POST", "/v1/completions", asked(-1).dump(), "X-Layerboost-Level: 0\r\n").status, 200);
  EXPECT_EQ(server.complete(asked(1)).json()["error"]["message"],
            "\"layerboost.level\" can only be 0: this server has no other levels");
  EXPECT_EQ(
      server.ask("POST", "/v1/completions", asked(-1).dump(), "X-Layerboost-Level: 1\r\n").json()["error"]["message"],
      "the header X-Layerboost-Level can only be 0: this server has no other levels");
  const std::string metrics = server.ask("GET", "/metrics").body;
  for (const char* const name : {"level", "fold", "quality"}) EXPECT_THAT(metrics, Not(HasSubstr(name)));
  const Json model = server.ask("GET", "/v1/models").json()["data"][0];
  for (const char* const name : {"levels", "level_mode", "level_cap"}) EXPECT_FALSE(model.contains(name));
}

}  // namespace
}  // namespace layerboost
