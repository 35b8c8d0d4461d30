// /v1/embeddings: what is asked, and what is answered over real sockets.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "eval/tokenizer_for_tests.h"
#include "server/embedding_writer.h"
#include "server/refusal_for_tests.h"
#include "server/server_for_tests.h"

namespace layerboost {
namespace {

class EmbeddingRequests : public ::testing::Test {
 protected:
  EmbeddingRequests() {
    reader_.limits.positions = 20;
    reader_.limits.inputs = 4;
    reader_.hidden = 64;
  }
  [[nodiscard]] ApiRequest read(const std::string& body) const { return reader_.embedding(body); }

  [[nodiscard]] std::string refusal(const std::string& body) const {
    return refusal_of([&] { (void)read(body); });
  }

  Tokenizer tokenizer_{tokenizer_data_for_tests()};
  ApiReader reader_{tokenizer_, nullptr, {"tiny"}, {}};
};

TEST_F(EmbeddingRequests, AllKindsOfInputs) {
  const ApiRequest one = read(R"({"input": "ab c", "model": "tiny", "user": "somebody"})");
  ASSERT_EQ(one.prompts.size(), 1U);
  EXPECT_EQ(one.prompts[0].tokens, tokenizer_.encode("ab c"));
  EXPECT_TRUE(one.settings.embedding);
  EXPECT_EQ(one.settings.max_tokens, 0);
  EXPECT_FALSE(one.base64 || one.stream);
  EXPECT_EQ(read(R"({"input": ["ab", "c"], "encoding_format": "base64"})").prompts[1].tokens, tokenizer_.encode("c"));
  EXPECT_TRUE(read(R"({"input": "a", "encoding_format": "base64"})").base64);
  EXPECT_FALSE(read(R"({"input": "a", "encoding_format": "float", "dimensions": 64})").base64);
  EXPECT_EQ(read(R"({"input": [1, 2]})").prompts[0].tokens, (std::vector<TokenId>{1, 2}));
  EXPECT_EQ(read(R"({"input": [[1, 2], [3]]})").prompts[1].tokens, std::vector<TokenId>{3});
  EXPECT_EQ(refusal(R"({"input": "12345678901234567890"})"), "none");
}

TEST_F(EmbeddingRequests, RefusalsNameTheField) {
  EXPECT_EQ(refusal("{}"), R"(400 "input": "input" is missing: the text to be embedded)");
  for (const char* const empty : {R"("")", "[]", R"(["a", ""])", "[[]]"})
    EXPECT_TRUE(refusal(fmt::format(R"({{"input": {}}})", empty)).starts_with("400 \"input\"")) << empty;
  EXPECT_EQ(refusal(R"({"input": [[1, 100000]]})"),
            R"(400 "input": "input" must contain token ids from 0 to 259 only, those of this model's tokenizer; )"
            "send texts instead");
  EXPECT_EQ(refusal(R"({"input": ["a", ""]})"), R"(400 "input": "input[1]" is empty: there is nothing to be embedded)");
  for (const char* const wrong : {"5", "{}", "true", R"(["a", 1])", "[260]", "[-1]", R"(["a", "b", "c", "d", "e"])"})
    EXPECT_TRUE(refusal(fmt::format(R"({{"input": {}}})", wrong)).starts_with("400 \"input\"")) << wrong;
  EXPECT_EQ(
      refusal(R"({"input": ["a", "123456789012345678901"]})"),
      R"(400 "input" "context_length_exceeded": this model's maximum context length is 20 tokens; "input[1]" has 21: )"
      "shorten it");
  EXPECT_TRUE(refusal(R"({"input": "a", "dimensions": 32})").starts_with("400 \"dimensions\""));
  EXPECT_TRUE(refusal(R"({"input": "a", "encoding_format": "int8"})").starts_with("400 \"encoding_format\""));
  for (const char* const field : {R"("truncate_prompt_tokens": -1)", R"("normalize": false)", R"("stream": true)",
                                  R"("embed_dtype": "float16")", R"("input_type": "query")", R"("max_tokens": 1)"}) {
    const std::string name = Json::parse(fmt::format("{{{}}}", field)).items().begin().key();
    EXPECT_TRUE(refusal(fmt::format(R"({{"input": "a", {}}})", field)).starts_with("400 \"" + name + "\"")) << field;
  }
  EXPECT_TRUE(refusal(R"({"input": "a", "model": "gpt-9"})").starts_with("404 \"model\""));
  reader_.embeddings = 90;  // fewer than tokens
  EXPECT_EQ(refusal(R"({"input": "A"})"), "none");
  EXPECT_TRUE(refusal(R"({"input": "a"})").starts_with("400 \"input\""));
}

TEST_F(EmbeddingRequests, AnAnswerHasSoManyNumbers) {
  reader_.limits.embedding_numbers = 3 * 64;
  EXPECT_EQ(refusal(R"({"input": [[1], [1], [1]]})"), "none");
  EXPECT_EQ(refusal(R"({"input": [[1], [1], [1], [1]]})"),
            R"(400 "input": the embeddings of 4 texts are 256 numbers; ask for at most 192 in one request: 3 texts)");
}

TEST_F(EmbeddingRequests, AreOfLevel0UnlessTheyAsk) {
  reader_.level_positions = {10, 20};
  EXPECT_EQ(read(R"({"input": "a"})").settings.plan, 0);
  EXPECT_EQ(read(R"({"input": "a", "layerboost": {"level": 1}})").settings.plan, 1);
  EXPECT_EQ(reader_.embedding(R"({"input": "a"})", "1").settings.plan, 1);
  EXPECT_TRUE(refusal(R"({"input": "12345678901"})").starts_with("400 \"input\""));
  EXPECT_EQ(refusal(R"({"input": "12345678901", "layerboost": {"level": 1}})"), "none");
}

TEST(Base64, IsThatOfTheStandard) {
  for (const auto& [bytes, text] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}})
    EXPECT_EQ(base64(bytes, std::strlen(bytes)), text);
}

std::vector<float> numbers_of(const Json& embedding) { return embedding["embedding"].get<std::vector<float>>(); }

std::vector<float> expected_embedding(std::vector<TokenId> tokens) {
  MixerSet mixers(served_model());
  GenerationRequest request;
  request.prompt = std::move(tokens);
  request.max_tokens = 0;
  request.embedding = true;
  return alone(served_model(), mixers.list(native_specs(served_model().config)), request).last.embedding;
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5);
}

TEST(Embeddings, AreTheEngines) {
  const ServerForTests server;
  const std::vector<TokenId> first = served_model().text().encode("ab c d"), second = {97, 98, 99};
  const AnswerForTests answer = server.post("/v1/embeddings", {{"input", Json::array({first, second})}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  EXPECT_EQ(json["object"], "list");
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["id"], "embd-" + answer.headers.at("X-Request-Id"));
  ASSERT_EQ(json["data"].size(), 2U);
  EXPECT_EQ(json["data"][1]["object"], "embedding");
  EXPECT_EQ(json["data"][1]["index"], 1);
  EXPECT_EQ(json["usage"], Json({{"prompt_tokens", first.size() + 3}, {"total_tokens", first.size() + 3}}));
  expect_near(numbers_of(json["data"][0]), expected_embedding(first));
  expect_near(numbers_of(json["data"][1]), expected_embedding(second));
  const Json text = server.post("/v1/embeddings", {{"input", "ab c d"}, {"encoding_format", "float"}}).json();
  expect_near(numbers_of(text["data"][0]), expected_embedding(first));
}

TEST(Embeddings, AsBytesTheyAreTheSameNumbers) {
  const ServerForTests server;
  Json asked = {{"input", "ab c d"}};
  const std::vector<float> numbers = numbers_of(server.post("/v1/embeddings", asked).json()["data"][0]);
  asked["encoding_format"] = "base64";
  const std::string text = server.post("/v1/embeddings", asked).json()["data"][0]["embedding"];
  ASSERT_EQ(text.size(), (numbers.size() * sizeof(float) + 2) / 3 * 4);
  EXPECT_EQ(text, base64(numbers.data(), numbers.size() * sizeof(float)));
}

// Longer than the engine's queue, than what an answer has with the engine at once; and so large that it is put
// together aside.
TEST(Embeddings, ALongListTakesItsTurn) {
  const ServerForTests server({}, {{.memory = std::size_t{64} << 20, .max_sequences = 3, .max_queue = 2}});
  Json asked = {{"input", Json::array()}};
  for (int i = 0; i < 300; ++i) asked["input"].push_back(std::string(1 + i % 5, static_cast<char>('a' + i % 26)));
  const AnswerForTests answer = server.post("/v1/embeddings", asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  ASSERT_EQ(json["data"].size(), 300U);
  for (const std::size_t i : {0, 7, 131, 299}) {
    EXPECT_EQ(json["data"][i]["index"], i);
    expect_near(numbers_of(json["data"][i]),
                expected_embedding(served_model().text().encode(asked["input"][i].get<std::string>())));
  }
  const std::string metrics = server.ask("GET", "/metrics").body;
  for (const char* const line :
       {"layerboost_embeddings_total 300", "layerboost_requests_total 300", "layerboost_request_seconds_count 300",
        R"(layerboost_requests_finished_total{reason="length"} 300)",
        R"(layerboost_requests_finished_total{reason="abort"} 0)"})
    EXPECT_NE(metrics.find(fmt::format("\n{}\n", line)), std::string::npos) << line;
}

/// Of an engine whose steps of 20 tokens take a millisecond at least.
ServerForTests slow_server(int max_sequences, int max_queue) {
  return ServerForTests(
      {},
      {{.memory = std::size_t{64} << 20, .step_tokens = 20, .max_sequences = max_sequences, .max_queue = max_queue}},
      [](const MixerRows&) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
}

Json list_for_tests(int texts, int tokens) { return {{"input", Json(texts, std::string(tokens, 'b'))}}; }

// Others take each place that becomes free, and the list comes to its end all the same, without making a longer queue
// than by the places that it had.
TEST(Embeddings, AListThatHasBegunIsNotRefused) {
  ServerForTests server({}, {{.memory = std::size_t{64} << 20, .max_sequences = 1, .max_queue = 3}});
  std::atomic<bool> ended = false;
  std::atomic<int> longest = 0;
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i)
    others.emplace_back([&] {
      const Json asked = {{"input", std::string(100, 'a')}};
      while (!ended) {
        const int status = server.post("/v1/embeddings", asked).status;
        EXPECT_TRUE(status == 200 || status == 429) << status;
        longest = std::max<int>(longest, server.engine().stats().waiting);
      }
    });
  const AnswerForTests answer = server.post("/v1/embeddings", list_for_tests(100, 100));
  ended = true;
  for (std::thread& other : others) other.join();
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json()["data"].size(), 100U);
  EXPECT_LE(longest, 8);  // of four places
}

TEST(Embeddings, AListBeginsWithThePlacesThatThereAre) {
  ServerForTests server = slow_server(1, 1);
  ClientForTests running(server.port());
  const Json asked = {{"prompt", "ab"}, {"max_tokens", 300}, {"ignore_eos", true}};
  running.send("POST", "/v1/completions", asked.dump(), "");
  ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running == 1 && stats.waiting == 0; }));
  const AnswerForTests answer = server.post("/v1/embeddings", list_for_tests(10, 2));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json()["data"].size(), 10U);
  EXPECT_EQ(running.read_answer().status, 200);
}

// Who comes later waits for few texts of a list, not for all that it could have with the engine by their number.
TEST(Embeddings, AListLetsOthersIn) {
  ServerForTests server = slow_server(4, 1000);
  ClientForTests list(server.port());
  const Stopwatch since;
  list.send("POST", "/v1/embeddings", list_for_tests(500, 30).dump(), "");
  ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.embeddings > 0; }));
  const EngineStats before = server.engine().stats();
  EXPECT_LE(before.running + before.waiting, 2);  // of 30 tokens, where 40 are as many as two steps read
  EXPECT_EQ(server.complete({{"prompt", "ab"}, {"max_tokens", 1}}).status, 200);
  const EngineStats after = server.engine().stats();
  EXPECT_LT(after.embeddings, before.embeddings + 100);
  const AnswerForTests answer = list.read_answer();
  EXPECT_EQ(answer.json()["data"].size(), 500U);
  // Nor do those who are told when to come again hear of the whole list's time: each text counts from its turn.
  const std::string metrics = server.ask("GET", "/metrics").body, name = "\nlayerboost_request_seconds_sum ";
  EXPECT_LT(std::stod(metrics.substr(metrics.find(name) + name.size())), 20 * since.seconds());
}

TEST(Embeddings, AClientThatLeavesFreesItsWork) {
  ServerOptions options;
  options.limits.said_all = std::chrono::milliseconds(1);  // the model is quick
  ServerForTests server(options, {{.memory = std::size_t{64} << 20, .step_tokens = 20, .max_sequences = 4}});
  {
    ClientForTests client(server.port());
    Json asked = {{"input", Json::array()}};
    for (int i = 0; i < 500; ++i) asked["input"].push_back(std::string(500, 'c'));
    client.send("POST", "/v1/embeddings", asked.dump(), "");
    ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running > 0; }));
  }
  EXPECT_TRUE(server.wait_until(
      [](const EngineStats& stats) { return stats.cancelled > 0 && stats.running + stats.waiting == 0; }));
  EXPECT_LT(server.engine().stats().requests, 500U);
  EXPECT_EQ(server.post("/v1/embeddings", {{"input", "a"}}).status, 200);
}

TEST(Embeddings, LevelsAreNamed) {
  EngineOptions engine = {{.memory = std::size_t{64} << 20}};
  engine.levels.mode = LevelMode::fixed;
  engine.levels.level = engine.levels.cap = 1;
  const ServerForTests server({}, engine, {}, {specs({"window:16+3", "none", "window:7+2", "softmax"})});
  const std::string text = "abcdefghijklmnopqrstuvwxyz0123456789";
  const AnswerForTests usual = server.post("/v1/embeddings", {{"input", text}});
  ASSERT_EQ(usual.status, 200) << usual.body;
  EXPECT_EQ(usual.headers.at("X-Layerboost-Level"), "0");
  EXPECT_EQ(usual.json()["usage"]["layerboost"], Json({{"first_level", 0}, {"level", 0}}));
  expect_near(numbers_of(usual.json()["data"][0]), expected_embedding(served_model().text().encode(text)));
  const AnswerForTests higher = server.post("/v1/embeddings", {{"input", text}, {"layerboost", {{"level", 1}}}});
  EXPECT_EQ(higher.headers.at("X-Layerboost-Level"), "1");
  EXPECT_NE(numbers_of(higher.json()["data"][0]), numbers_of(usual.json()["data"][0]));
}

TEST(Embeddings, AStateWithoutNumbersIsAnError) {
  const int hidden = served_model().config.hidden;
  ServerForTests server({}, {{.memory = std::size_t{64} << 20}}, [&](const MixerRows& rows) {
    for (const MixerSpan& span : rows.spans)
      if (span.position + span.count == 20) rows.hidden[(span.row + span.count - 1) * hidden] = std::nanf("");
  });
  const AnswerForTests answer =
      server.post("/v1/embeddings", {{"input", Json::array({std::string(20, 'c'), std::string(5, 'c')})}});
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.json()["error"]["message"], damaged_model);
  EXPECT_EQ(server.post("/v1/embeddings", {{"input", "a"}}).status, 200);
}

}  // namespace
}  // namespace layerboost
