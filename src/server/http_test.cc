// What connections may do, well-behaved or not, and what the server says of itself.
#include <gtest/gtest.h>

#include <set>

#include "layerboost/version.h"
#include "server/server_for_tests.h"

namespace layerboost {
namespace {

const std::string small_request = R"({"prompt": "ab", "max_tokens": 2, "temperature": 0})";

const std::string post_head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

ServerOptions impatient() {
  ServerOptions options;
  options.limits.idle = options.limits.head_time = options.limits.body_time = std::chrono::seconds(1);
  options.limits.body = 2000;
  options.limits.head = 1000;
  return options;
}

TEST(Http, OneConnectionServesManyRequests) {
  const ServerForTests server;
  ClientForTests client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send("POST", "/v1/completions", small_request, "");
    EXPECT_EQ(client.read_answer().status, 200);
  }
  // Without waiting for the answers: they come in order.
  client.send("GET", "/health", "", "");
  client.send("POST", "/v1/completions", small_request, "");
  client.send("GET", "/version", "", "");
  EXPECT_EQ(client.read_answer().json()["status"], "ok");
  EXPECT_EQ(client.read_answer().json()["object"], "text_completion");
  EXPECT_EQ(client.read_answer().json()["version"], LAYERBOOST_VERSION);
}

TEST(Http, OldClientsGetStreamsWithoutChunks) {
  const ServerForTests server;
  ClientForTests client(server.port());
  const std::string body = R"({"prompt": "ab", "max_tokens": 2, "stream": true})";
  client.send(
      fmt::format("POST /v1/completions HTTP/1.0\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"
                  "Content-Length: {}\r\n\r\n{}",
                  body.size(), body));
  const std::string answer = client.read_until("never");
  EXPECT_TRUE(answer.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(answer.find("Transfer-Encoding"), std::string::npos);
}

TEST(Http, ExpectContinue) {
  const ServerForTests server;
  ClientForTests client(server.port());
  client.send(fmt::format(
      "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
      "Content-Length: {}\r\n\r\n",
      small_request.size()));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(small_request);
  EXPECT_NE(client.read_until("text_completion").find("200 OK"), std::string::npos);
}

TEST(Http, ErrorsSayWhatToChange) {
  const ServerForTests server;
  EXPECT_EQ(server.ask("GET", "/nothing").status, 404);
  EXPECT_EQ(server.ask("POST", "/nothing").status, 404);
  EXPECT_EQ(server.ask("GET", "/v1/completions").status, 405);
  EXPECT_EQ(server.ask("DELETE", "/v1/models").status, 405);
  EXPECT_EQ(server.ask("POST", "/v1/completions", "{").json()["error"]["type"], "invalid_request_error");
}

TEST(Http, MalformedRequestsEndOnlyTheirConnection) {
  const ServerForTests server(impatient());
  for (const std::string& bytes :
       {std::string("\x16\x03\x01\x02\x01 hello, this is TLS\r\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET / HTTP/9.9\r\n\r\n"), post_head + "Content-Length: -1\r\n\r\n",
        post_head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    ClientForTests client(server.port());
    client.send(bytes);
    EXPECT_EQ(client.read_answer().status, 400) << bytes;
  }
  EXPECT_EQ(server.ask("POST", "/v1/completions", small_request).status, 200);
}

TEST(Http, LimitsOfSize) {
  const ServerForTests server(impatient());
  EXPECT_EQ(server.ask("POST", "/v1/completions", std::string(3000, ' ')).status, 413);
  EXPECT_EQ(server.ask("GET", "/health", "", ("X: " + std::string(2000, 'x') + "\r\n").c_str()).status, 431);
  ClientForTests chunks(server.port());
  chunks.send(post_head + "Transfer-Encoding: chunked\r\n\r\nfff\r\n" + std::string(4095, 'x'));
  EXPECT_EQ(chunks.read_answer().status, 413);
}

TEST(Http, SlowAndSilentClientsAreLeft) {
  const ServerForTests server(impatient());
  ClientForTests silent(server.port()), half_head(server.port()), half_body(server.port());
  half_head.send("POST /v1/completions HTTP/1.1\r\nHo");
  half_body.send(post_head + "Content-Length: 100\r\n\r\n{");
  EXPECT_EQ(server.ask("GET", "/health").status, 200);  // meanwhile
  EXPECT_TRUE(silent.ended() && half_head.ended() && half_body.ended());
}

TEST(Http, ApiKey) {
  ServerOptions options;
  options.api_key = "secret";
  const ServerForTests server(options);
  EXPECT_EQ(server.ask("POST", "/v1/completions", small_request).status, 401);
  EXPECT_EQ(server.ask("POST", "/v1/completions", small_request, "Authorization: Bearer secreT\r\n").status, 401);
  EXPECT_EQ(server.ask("POST", "/v1/completions", small_request, "Authorization: Bearer secret\r\n").status, 200);
  EXPECT_EQ(server.ask("POST", "/v1/completions", small_request, "Authorization: bearer  secret\r\n").status, 200);
  EXPECT_EQ(server.ask("GET", "/v1/models", "", "Host: a.example\r\n").status, 400);  // two hosts
  EXPECT_EQ(server.ask("POST", "/v1/responses", R"({"input": "a"})").status, 401);
  EXPECT_EQ(server.ask("POST", "/v1/embeddings", R"({"input": "a"})").status, 401);
  EXPECT_EQ(server.ask("GET", "/v1/models").status, 401);
  EXPECT_EQ(server.ask("GET", "/health").status, 200);
  EXPECT_EQ(server.ask("GET", "/metrics").status, 200);
}

TEST(Http, SaysWhatItIs) {
  const ServerForTests server;
  const Json model = server.ask("GET", "/v1/models").json()["data"][0];
  EXPECT_EQ(model["id"], "tiny");
  EXPECT_EQ(model["max_model_len"], 512);
  EXPECT_EQ(model["meta"]["n_vocab"], 260);
  EXPECT_EQ(model["mixers"], "4 softmax");
  EXPECT_EQ(model["kv"], "f32");
  EXPECT_EQ(server.ask("GET", "/v1/models/tiny").json(), model);
  EXPECT_EQ(server.ask("GET", "/v1/models/%74in%79").json(), model);  // as clients encode ORG/NAME
  EXPECT_EQ(server.ask("GET", "/ready").json()["status"], "ready");
  const AnswerForTests page = server.ask("GET", "/");
  EXPECT_TRUE(page.headers.at("Content-Type").starts_with("text/html"));
  EXPECT_EQ(page.body.find("{{"), std::string::npos);
  EXPECT_EQ(server.ask("HEAD", "/?x=1").status, 200);
}

TEST(Http, AModelMayHaveSeveralNames) {
  ServerOptions options;
  options.names = {"tiny", "org/small"};
  const ServerForTests server(options);
  const Json list = server.ask("GET", "/v1/models").json()["data"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["id"], "tiny");
  EXPECT_EQ(list[1]["id"], "org/small");
  EXPECT_EQ(server.ask("GET", "/v1/models/tiny").json(), list[0]);
  EXPECT_EQ(server.ask("GET", "/v1/models/org%2Fsmall").json(), list[1]);
  EXPECT_EQ(server.ask("GET", "/v1/models/org/small").json(), list[1]);
  const auto check_missing = [](const AnswerForTests& answer) {
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.json()["error"]["code"], "model_not_found");
    EXPECT_EQ(answer.json()["error"]["message"],
              "the model \"gpt\" is not here; this server has \"tiny\", \"org/small\"");
  };
  check_missing(server.ask("GET", "/v1/models/gpt"));
  const std::pair<const char*, Json> requests[] = {
      {"/v1/completions", {{"prompt", "a"}, {"max_tokens", 1}}},
      {"/v1/chat/completions", {{"messages", {{{"role", "user"}, {"content", "a"}}}}, {"max_tokens", 1}}},
      {"/v1/responses", {{"input", "a"}, {"max_output_tokens", 1}}},
      {"/v1/embeddings", {{"input", "a"}}}};
  for (const auto& [path, body] : requests) {
    Json asked = body;
    EXPECT_EQ(server.post(path, asked).json()["model"], "tiny") << path;
    for (const std::string name : {"", "tiny", "org/small"}) {
      asked["model"] = name;
      EXPECT_EQ(server.post(path, asked).json()["model"], name.empty() ? "tiny" : name) << path;
    }
    asked["model"] = "gpt";
    check_missing(server.post(path, asked));
  }
  for (const char* const name : {"", "org/small"})
    EXPECT_EQ(server.post("/tokenize", {{"prompt", "a"}, {"model", name}}).status, 200) << name;
  for (const auto& [path, body] : {requests[0], requests[1]}) {
    Json asked = body;
    asked["stream"] = true;
    asked["model"] = "org/small";
    for (const Json& event : server.post(path, asked).events()) EXPECT_EQ(event["model"], "org/small") << event;
  }
  EXPECT_NE(server.ask("GET", "/metrics").body.find("model_name=\"tiny\""), std::string::npos);
}

TEST(Http, PositionsAreNoMoreThanTheMemoryHolds) {
  const ServerForTests server({}, {{.memory = 200'000}});  // 64 positions take 4 layers * 2 * 2 * 16 * 64 * 4 bytes
  EXPECT_EQ(server.ask("GET", "/v1/models").json()["data"][0]["max_model_len"], 192);
  const AnswerForTests chat =
      server.post("/v1/chat/completions", {{"messages", {{{"role", "user"}, {"content", "a"}}}}});
  EXPECT_EQ(chat.status, 200) << chat.body;
}

TEST(Http, PositionsThatRopeAllowsBesideTheModelsAreToBeAskedFor) {
  const auto model = with_dynamic_rope(text_model(), 64);
  const auto positions = [&](int asked) {
    ServerOptions options;
    options.limits.positions = asked;
    const ServerForTests server(options, {{.memory = std::size_t{2} << 30}}, {}, {}, *model);
    return server.ask("GET", "/v1/models").json()["data"][0]["max_model_len"].get<int>();
  };
  EXPECT_EQ(positions(0), 64);
  EXPECT_EQ(positions(50), 50);
  EXPECT_EQ(positions(300), 300);
  EXPECT_EQ(positions(1 << 30), model->config.longest_text());

  ServerOptions options;
  options.limits.positions = 300;
  testing::internal::CaptureStderr();
  const ServerForTests server(options, {{.memory = std::size_t{64} << 20}}, {}, {}, *model);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("64 positions are slow to write"), std::string::npos);
  const AnswerForTests long_one =
      server.complete({{"prompt", std::string(200, 'a')}, {"max_tokens", 3}, {"temperature", 0}, {"ignore_eos", true}});
  EXPECT_EQ(long_one.status, 200) << long_one.body;
  EXPECT_EQ(long_one.json()["usage"]["completion_tokens"], 3);
  EXPECT_EQ(server.complete({{"prompt", std::string(298, 'a')}, {"max_tokens", 3}}).status, 400);

  const Json choices = server
                           .complete({{"prompt", std::string(200, 'a')},
                                      {"max_tokens", 3},
                                      {"temperature", 0},
                                      {"ignore_eos", true},
                                      {"n", 3}})
                           .json()["choices"];
  for (const Json& choice : choices) EXPECT_EQ(choice["text"], long_one.json()["choices"][0]["text"]);
  EXPECT_EQ(choices.size(), 3U);

  // Who says no length gets the model's positions.
  const AnswerForTests any_length =
      server.complete({{"prompt", std::string(10, 'a')}, {"n_predict", -1}, {"temperature", 0}, {"ignore_eos", true}});
  EXPECT_EQ(any_length.json()["usage"]["completion_tokens"], 54);
}

TEST(Http, NothingIsSlowToWriteWhereMemoryHoldsNoLongTexts) {
  const auto model = with_dynamic_rope(text_model(), 64);
  ServerOptions options;
  options.limits.positions = 1 << 20;
  testing::internal::CaptureStderr();
  const ServerForTests server(options, {{.memory = 70'000}}, {}, {}, *model);
  const std::string notes = testing::internal::GetCapturedStderr();
  EXPECT_NE(notes.find("`memory` holds no more"), std::string::npos);
  EXPECT_EQ(notes.find("slow"), std::string::npos);
}

TEST(Http, FingerprintsTellWhatAnswers) {
  ServerInfo info;
  info.precision = info.kv = "bf16";
  std::set<std::string> fingerprints = {info.fingerprint()};
  for (std::string ServerInfo::*part :
       {&ServerInfo::model_hash, &ServerInfo::plan, &ServerInfo::precision, &ServerInfo::kv}) {
    ServerInfo other = info;
    other.*part = "int8";
    fingerprints.insert(other.fingerprint());
  }
  EXPECT_EQ(fingerprints.size(), 5U);
}

TEST(Http, HealthDoesNotWaitForTheModel) {
  // The compute thread is in this test's hands: it doesn't move at all.
  MixerSet mixers(served_model());
  const MixerList& list = mixers.list(native_specs(served_model().config));
  Engine engine(served_model(), list, {{.memory = std::size_t{64} << 20}});
  ServerOptions options;
  options.port = 0;
  options.names = {"tiny"};
  const Server server(engine, served_model(), list, options);
  ClientForTests busy(server.port());
  busy.send("POST", "/v1/completions", small_request, "");
  for (const char* path : {"/health", "/metrics", "/v1/models", "/"}) {
    ClientForTests client(server.port());
    client.send("GET", path, "", "");
    EXPECT_EQ(client.read_answer().status, 200) << path;
  }
  while (engine.stats().waiting == 0) std::this_thread::yield();
  while (engine.step()) {
  }
  EXPECT_EQ(busy.read_answer().status, 200);
}

TEST(Http, DrainFinishesStreamsAndRefusesNewOnes) {
  ServerForTests server;
  ClientForTests stream(server.port()), idle(server.port());
  stream.send("POST", "/v1/completions", R"({"prompt": "ab", "max_tokens": 400, "stream": true, "ignore_eos": true})",
              "");
  stream.read_until("data: ");
  server.server().drain();
  while (server.ask("GET", "/ready").status == 200 && server.engine().stats().running > 0) {
  }
  const bool drains = server.engine().stats().running > 0;  // before its answer has ended
  if (drains) {
    EXPECT_EQ(server.ask("POST", "/v1/completions", small_request).status, 503);
    EXPECT_EQ(server.ask("GET", "/health").status, 200);
  }
  const AnswerForTests answer = stream.read_answer();
  EXPECT_EQ(answer.events().back()["choices"][0]["finish_reason"], "length");
  EXPECT_TRUE(!drains || stream.ended());  // the connection ends with its answer
  server.wait_for_the_end();
}

}  // namespace
}  // namespace layerboost
