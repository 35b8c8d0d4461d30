// What the server makes of requests that are odd, hostile, or well-formed in unusual ways.
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <sstream>

#include "server/server_for_tests.h"

namespace layerboost {
namespace {

const std::string short_request = R"({"prompt": "ab", "max_tokens": 2, "temperature": 0})";
const std::string completions_head =
    "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
const std::string with_length =
    fmt::format("{}Content-Length: {}\r\n\r\n{}", completions_head, short_request.size(), short_request);
const std::string health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The status of each answer until the server ends the connection.
std::vector<int> statuses(const ServerForTests& server, const std::string& bytes) {
  ClientForTests client(server.port());
  client.send(bytes);
  std::vector<int> statuses;
  for (int status = client.read_answer().status; status != 0; status = client.read_answer().status)
    statuses.push_back(status);
  return statuses;
}

std::string get(const std::string& target, const std::string& headers) {
  return "GET " + target + " HTTP/1.1\r\nConnection: close\r\n" + headers + "\r\n";
}

TEST(HttpRequests, WhoseEndIsNotClearAreRefusedOnceAndForAll) {
  const ServerForTests server;
  const std::string end = "\r\n0\r\n\r\n" + health;
  for (const std::string coding :
       {"xchunked", "identity", "chunked, gzip", "gzip, chunked", "chunked, chunked", "\"chunked\""})
    EXPECT_EQ(statuses(server, completions_head + "Transfer-Encoding: " + coding + "\r\n" + end), std::vector{501})
        << coding;
  for (const std::string headers :
       {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: +2\r\n", "Host: localhost\r\n"})
    EXPECT_EQ(statuses(server, completions_head + headers + end), std::vector{400}) << headers;
  EXPECT_EQ(statuses(server, completions_head + std::string("X: a\0b\r\n", 8) + end), std::vector{400});
  EXPECT_EQ(statuses(server, "POST /v1/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + end),
            std::vector{400});
}

TEST(HttpRequests, NeedAHost) {
  const ServerForTests server;
  EXPECT_EQ(statuses(server, "GET /health HTTP/1.1\r\n\r\n"), std::vector{400});
  EXPECT_EQ(statuses(server, "GET /health HTTP/1.0\r\n\r\n"), std::vector{200});
}

TEST(HttpRequests, UnusualFormsAreUnderstood) {
  const ServerForTests server;
  const std::string last = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(statuses(server, "\r\n\r\n" + health + "\r\n" + last), (std::vector{200, 200}));
  EXPECT_EQ(statuses(server, get("http://localhost/health?x", "Host: other\r\n")), std::vector{200});
  EXPECT_EQ(statuses(server, get("/%68ealth", "Host: localhost\r\n")), std::vector{200});
  const std::string chunks =
      fmt::format("{:x};ext=1\r\n{}\r\n0\r\nTrailer: x\r\n\r\n", short_request.size(), short_request);
  EXPECT_EQ(statuses(server, completions_head + "Transfer-Encoding: Chunked\r\n\r\n" + chunks + with_length + last),
            (std::vector{200, 200, 200}));
  for (const char* type : {"Application/JSON", "application/json ; charset=utf-8"})
    EXPECT_EQ(statuses(server,
                       fmt::format("POST /v1/completions HTTP/1.0\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}",
                                   type, short_request.size(), short_request)),
              std::vector{200});
}

// RFC 9112, section 3.2.
TEST(HttpRequests, TargetsHaveFourForms) {
  const ServerForTests server;
  const auto ask = [&](const std::string& line) {
    ClientForTests client(server.port());
    client.send(line + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return client.read_answer();
  };
  for (const char* const target : {"/health", "/health?x#y", "http://localhost/health", "HTTP://localhost:80/health?x"})
    EXPECT_EQ(ask(fmt::format("GET {}", target)).json()["status"], "ok") << target;
  for (const char* const root : {"/", "http://localhost", "http://localhost?x", "https://localhost/"})
    EXPECT_TRUE(ask(fmt::format("GET {}", root)).headers.at("Content-Type").starts_with("text/html")) << root;
  for (const char* const all : {"*", "http://localhost"}) {
    const AnswerForTests answer = ask(fmt::format("OPTIONS {}", all));
    EXPECT_EQ(answer.status, 200) << all;
    EXPECT_EQ(answer.headers.at("Allow"), "GET, HEAD, POST, OPTIONS") << all;
  }
  for (const char* const line : {"GET *", "POST *", "GET localhost:80", "OPTIONS localhost", "GET health", "GET *x",
                                 "OPTIONS **", "GET ftp://localhost/health",
                                 // What is written in percent signs is no part of the form.
                                 "OPTIONS %2A", "GET %2Fhealth", "GET %2F",
                                 // An address has a host.
                                 "GET http:///health", "GET http://", "GET HTTP://", "OPTIONS http://", "GET http://?x",
                                 "GET https://:80/health"})
    EXPECT_EQ(ask(line).status, 400) << line;
  // What follows it is for a proxy: none of it is taken for a request.
  EXPECT_EQ(statuses(server, "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n" + health), std::vector{501});
}

TEST(HttpRequests, WhatBodiesMayBeIsSaid) {
  const ServerForTests server;
  for (const char* const coding : {"gzip", "gzip, identity", "identity\r\nContent-Encoding: br"}) {
    const AnswerForTests answer =
        server.ask("POST", "/v1/completions", short_request, fmt::format("Content-Encoding: {}\r\n", coding).c_str());
    EXPECT_EQ(answer.status, 415) << coding;
    EXPECT_EQ(answer.headers.at("Accept-Encoding"), "identity") << coding;
  }
  EXPECT_EQ(server.ask("POST", "/v1/completions", short_request, "Content-Encoding: Identity\r\n").status, 200);
  ClientForTests form(server.port());
  form.send("POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
  const AnswerForTests answer = form.read_answer();
  EXPECT_EQ(answer.status, 415);
  EXPECT_EQ(answer.headers.at("Accept"), "application/json");
  EXPECT_FALSE(answer.headers.contains("Accept-Encoding"));
}

TEST(HttpRequests, NamesOfOtherSitesAreRefused) {
  const ServerForTests server;
  const std::string foreign = "Host: evil.example:8080\r\n";
  EXPECT_EQ(statuses(server, get("/v1/models", foreign)), std::vector{403});
  EXPECT_EQ(statuses(server, get("http://evil.example/v1/models", "Host: localhost\r\n")), std::vector{403});
  EXPECT_EQ(statuses(server, get("/health", foreign)), std::vector{200});
  EXPECT_EQ(statuses(server, "OPTIONS * HTTP/1.1\r\nConnection: close\r\n" + foreign + "\r\n"), std::vector{403});
  const std::string by_page = fmt::format(
      "POST /v1/completions HTTP/1.1\r\nHost: box\r\nOrigin: http://box\r\nConnection: close\r\n"
      "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      short_request.size(), short_request);
  EXPECT_EQ(statuses(server, by_page), std::vector{403});
  EXPECT_EQ(statuses(server, get("/v1/models", "Host: upstream\r\nOrigin: http://models.example\r\n")),
            std::vector{200});
  ServerOptions options;
  options.allow_hosts = {"evil.example"};
  EXPECT_EQ(statuses(ServerForTests(options), get("/v1/models", foreign)), std::vector{200});
  ServerOptions with_key;
  with_key.api_key = "secret";
  EXPECT_EQ(statuses(ServerForTests(with_key), get("/v1/models", foreign + "Authorization: Bearer secret\r\n")),
            std::vector{200});
}

TEST(HttpRequests, AreAnsweredByTheirHeadsWhereTheseAreEnough) {
  ServerOptions options;
  options.api_key = "secret";
  const ServerForTests server(options);
  const std::string with_key = "Authorization: Bearer secret\r\n";
  EXPECT_EQ(statuses(server, completions_head + "Content-Length: 8000000\r\n\r\n"), std::vector{401});
  EXPECT_EQ(statuses(server, completions_head + "Transfer-Encoding: chunked\r\n\r\n"), std::vector{401});
  EXPECT_EQ(statuses(server, completions_head + "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"),
            std::vector{401});
  EXPECT_EQ(statuses(server, completions_head + with_key + "Content-Length: 8000000000\r\n\r\n"), std::vector{413});
  ClientForTests client(server.port());
  // What remains of a small body isn't taken for a request.
  client.send(completions_head + "Content-Length: 20\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 401);
  client.send("GET / HTTP/1.1\r\n\r\n\r\n" + health);
  EXPECT_EQ(client.read_answer().json()["status"], "ok");
}

TEST(HttpRequests, EndlessExtensionsAndTrailersAreCutOff) {
  const ServerForTests server;
  for (const std::string begin : {"1;", "1\r\n{\r\n0\r\nX: "})
    EXPECT_EQ(
        statuses(server, completions_head + "Transfer-Encoding: chunked\r\n\r\n" + begin + std::string(100000, 'a')),
        std::vector{431});
}

TEST(HttpRequests, HeadsAreBoundedInWhateverPiecesTheyCome) {
  const ServerForTests server;
  ClientForTests client(server.port());
  client.send("GET /health HTTP/1.1\r\n");
  for (int i = 0; i < 100; ++i) client.send("X: " + std::string(1000, 'x') + "\r\n");
  EXPECT_EQ(client.read_answer().status, 431);
}

TEST(HttpRequests, AllLargeBodiesTogetherAreBounded) {
  ServerOptions options;
  options.limits.body = std::size_t{1} << 20;
  options.limits.bodies = std::size_t{2} << 20;
  const ServerForTests server(options);
  const std::string most_of_one = completions_head + "Content-Length: 1048576\r\n\r\n" + std::string(1'048'000, ' ');
  std::vector<std::unique_ptr<ClientForTests>> clients;
  for (int i = 0; i < 4; ++i) clients.emplace_back(std::make_unique<ClientForTests>(server.port()))->send(most_of_one);
  while (server.ask("GET", "/metrics").body.find("status=\"503\"} 2\n") == std::string::npos) {
  }
  EXPECT_EQ(server.ask("POST", "/v1/completions", short_request).status, 200);
  clients.clear();
  const std::string large = short_request + std::string(1'000'000, ' ');
  while (server.ask("POST", "/v1/completions", large).status == 503) {  // until the server has seen that they are gone
  }
  for (int i = 0; i < 8; ++i) EXPECT_EQ(server.ask("POST", "/v1/completions", large).status, 200);
}

TEST(HttpRequests, TheirIdsComeBack) {
  const ServerForTests server;
  const auto id_of = [](const AnswerForTests& answer) { return answer.headers.at("X-Request-Id"); };
  EXPECT_EQ(id_of(server.ask("GET", "/nothing", "", "X-Request-Id: mine-1\r\n")), "mine-1");
  EXPECT_EQ(id_of(server.ask("POST", "/v1/completions", short_request, "x-request-id: mine-2\r\n")), "mine-2");
  EXPECT_EQ(id_of(server.ask("POST", "/v1/completions", "{", "x-request-id: mine-3\r\n")), "mine-3");
  EXPECT_EQ(id_of(server.ask("GET", "/health", "", "X-Request-Id: not printable \x7f\r\n")).size(), 32U);
  ClientForTests odd(server.port());
  odd.send(completions_head + "X-Request-Id: mine-4\r\nTransfer-Encoding: x\r\n\r\n");
  EXPECT_EQ(id_of(odd.read_answer()), "mine-4");
  ClientForTests garbage(server.port());
  garbage.send("garbage\r\n\r\n");
  EXPECT_EQ(id_of(garbage.read_answer()).size(), 32U);
}

TEST(HttpRequests, WrongMethodsAreToldTheRightOnes) {
  const ServerForTests server;
  EXPECT_EQ(server.ask("PUT", "/v1/completions", short_request).headers.at("Allow"), "POST");
  EXPECT_EQ(server.ask("DELETE", "/v1/models").headers.at("Allow"), "GET, HEAD");
  EXPECT_EQ(server.ask("DELETE", "/v1/models/tiny").headers.at("Allow"), "GET, HEAD");
  EXPECT_TRUE(server.ask("GET", "/health").headers.contains("Date"));
}

TEST(HttpRequests, WhoFindsNothingIsToldAllThatIsThere) {
  const ServerForTests server;
  const std::string message = server.ask("GET", "/nothing").json()["error"]["message"], begin = "there are ";
  std::istringstream paths(message.substr(message.find(begin) + begin.size()));
  std::set<std::string> named;
  for (std::string path; std::getline(paths >> std::ws, path, ',');) {
    named.insert(path);
    EXPECT_NE(server.ask("GET", path.c_str()).status, 404) << path;
    EXPECT_EQ(server.ask("PUT", path.c_str()).status, 405) << path;
  }
  EXPECT_EQ(named, (std::set<std::string>{"/", "/detokenize", "/health", "/metrics", "/ready", "/tokenize",
                                          "/tokenizer_info", "/v1/chat/completions", "/v1/completions",
                                          "/v1/embeddings", "/v1/models", "/v1/responses", "/version"}));
}

TEST(HttpRequests, PagesOfOtherSitesMayAskWhereTheyAreAllowed) {
  const std::string page = "Origin: https://chat.example\r\n", allowed = "Access-Control-Allow-Origin";
  const ServerForTests closed;
  EXPECT_EQ(closed.ask("OPTIONS", "/v1/completions", "", page.c_str()).status, 405);
  EXPECT_FALSE(closed.ask("POST", "/v1/completions", short_request, page.c_str()).headers.contains(allowed));
  ServerOptions options;
  options.allow_origins = {"https://other.example", "https://chat.example"};
  const ServerForTests open(options);
  const AnswerForTests preflight = open.ask("OPTIONS", "/v1/completions", "", page.c_str());
  EXPECT_EQ(preflight.status, 200);
  EXPECT_EQ(preflight.headers.at(allowed), "https://chat.example");
  EXPECT_EQ(preflight.headers.at("Allow"), "POST, OPTIONS");
  const AnswerForTests other = open.ask("OPTIONS", "/v1/models");
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(other.headers.at("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_FALSE(other.headers.contains(allowed));
  EXPECT_EQ(open.ask("OPTIONS", "/nothing").status, 404);
  const AnswerForTests nothing = open.ask("OPTIONS", "/nothing", "", page.c_str());
  EXPECT_EQ(nothing.status, 200);  // the page may read that GET finds nothing
  EXPECT_FALSE(nothing.headers.contains("Allow"));
  const std::string methods = "Access-Control-Allow-Methods";
  EXPECT_TRUE(preflight.headers.contains(methods) && nothing.headers.contains(methods));
  EXPECT_FALSE(other.headers.contains(methods));
  for (const ServerForTests* const server : {&closed, &open}) {
    const std::string foreign = "Origin: https://evil.example\r\n";
    for (const std::string& headers : {std::string(), foreign, page}) {
      const AnswerForTests all = server->ask("OPTIONS", "*", "", headers.c_str());
      EXPECT_EQ(all.headers.at("Allow"), "GET, HEAD, POST, OPTIONS");
      EXPECT_EQ(all.headers.contains(methods), server == &open && headers == page) << headers;
    }
  }
  EXPECT_EQ(open.ask("PUT", "/v1/completions").headers.at("Allow"), "POST, OPTIONS");
  for (const std::string& body_sent : {short_request, std::string("{")})
    EXPECT_EQ(open.ask("POST", "/v1/completions", body_sent, page.c_str()).headers.at(allowed), "https://chat.example");
  EXPECT_FALSE(open.ask("GET", "/v1/models", "", "Origin: https://evil.example\r\n").headers.contains(allowed));
}

// Leaving.

ServerOptions quick_to_ask() {
  ServerOptions options;
  options.limits.said_all = std::chrono::milliseconds(1);  // the model is quick
  return options;
}

TEST(HttpRequests, AClientThatHasSentMoreAndLeavesFreesItsWork) {
  const ServerForTests server(quick_to_ask());
  std::uint64_t cancelled = 0;
  for (const std::string more : {"", "\r\n", "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    {
      ClientForTests client(server.port());
      client.send("POST", "/v1/completions", R"({"prompt": "ab", "max_tokens": 500, "n": 64, "ignore_eos": true})", "");
      ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running == 64; }));
      client.send(more);
    }
    cancelled += 64;
    EXPECT_TRUE(server.wait_until([&](const EngineStats& stats) { return stats.cancelled == cancelled; })) << more;
  }
}

TEST(HttpRequests, AClientThatHasSaidAllAndWaitsIsAnswered) {
  const ServerForTests server(quick_to_ask());
  for (const char* asked : {R"({"prompt": "ab", "max_tokens": 400, "n": 8, "ignore_eos": true})",
                            R"({"prompt": "ab", "max_tokens": 400, "n": 8, "ignore_eos": true, "stream": true})"}) {
    ClientForTests client(server.port());
    client.send("POST", "/v1/completions", asked, "");
    client.end_sending();
    const std::string answer = client.read_until("never");
    EXPECT_NE(answer.find("HTTP/1.1 200 OK"), std::string::npos) << answer.substr(0, 200);
    EXPECT_NE(answer.find("\"length\""), std::string::npos);
  }
}

// Places.

TEST(HttpRequests, IdleConnectionsMakeRoom) {
  ServerOptions options;
  options.limits.connections = 4;
  const ServerForTests server(options);
  ClientForTests busy(server.port());
  busy.send("POST", "/v1/completions", R"({"prompt": "ab", "max_tokens": 200, "n": 8, "ignore_eos": true})", "");
  ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.running == 8; }));
  std::vector<std::unique_ptr<ClientForTests>> idle;
  for (int i = 0; i < 20; ++i) idle.push_back(std::make_unique<ClientForTests>(server.port()));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(server.ask("GET", "/health").status, 200);
  EXPECT_TRUE(idle.front()->ended());
  EXPECT_EQ(busy.read_answer().status, 200);
}

TEST(HttpRequests, HealthIsAnsweredWhereAllConnectionsAreBusy) {
  ServerOptions options;
  options.limits.connections = 2;
  const ServerForTests server(options);
  ClientForTests first(server.port()), second(server.port());
  for (ClientForTests* client : {&first, &second}) client->send(completions_head + "Content-Length: 100\r\n\r\n{");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(server.ask("GET", "/health").status, 200);
  const AnswerForTests refused = server.ask("POST", "/v1/completions", short_request);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.json()["error"]["type"], "server_error");
  EXPECT_EQ(refused.headers.at("Retry-After"), "1");
}

// Faults of ours.

TEST(HttpRequests, WhatAHandlerThrowsEndsThatRequestAlone) {
  HttpServer server("127.0.0.1", 0, Limits());
  server.every(std::chrono::milliseconds(5), [] { throw std::runtime_error("for the test"); });
  server.start({.by_head = [](const HttpRequest& request) -> std::optional<HttpAnswer> {
                  if (request.path == "/memory") throw std::bad_alloc();
                  if (request.path == "/fault") throw std::runtime_error("for the test");
                  if (request.path == "/body") return std::nullopt;
                  return HttpAnswer{.body = "good"};
                },
                .with_body = [](const HttpRequest&, const std::shared_ptr<HttpReply>&) { throw std::bad_alloc(); }});
  for (int i = 0; i < 3; ++i) {
    const std::pair<const char*, int> expected[] = {{"/memory", 503}, {"/fault", 500}, {"/body", 503}, {"/", 200}};
    for (const auto& [path, status] : expected) {
      ClientForTests client(server.port());
      client.send("POST", path, "{}", "");
      EXPECT_EQ(client.read_answer().status, status) << path;
    }
    server.post([] { throw std::bad_alloc(); });
  }
}

TEST(HttpRequests, EachIsRecordedOnce) {
  Limits limits;
  limits.body_time = std::chrono::seconds(1);
  HttpServer server("127.0.0.1", 0, limits);
  std::mutex mutex;
  std::vector<std::string> records;
  server.start({.by_head = [](const HttpRequest& request) -> std::optional<HttpAnswer> {
                  if (request.path == "/body") return std::nullopt;
                  return HttpAnswer{.status = 404, .body = "no"};
                },
                .with_body = [](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) { reply->send({}); },
                .ended =
                    [&](const RequestRecord& record) {
                      const std::lock_guard lock(mutex);
                      records.push_back(fmt::format("{} {} {}", record.method, record.path, record.status));
                    }});
  {
    ClientForTests client(server.port()), garbage(server.port()), leaver(server.port()), sleeper(server.port());
    client.send("POST", "/body", "{}", "");
    client.read_answer();
    client.send("GET", "/other?key=secret", "", "");
    client.read_answer();
    garbage.send("garbage\r\n\r\n");
    garbage.read_answer();
    sleeper.send("PUT /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{");
    EXPECT_TRUE(sleeper.ended());
    leaver.send("PATCH /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{");
  }
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return records.size();
  };
  while (count() < 5) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  server.stop();
  EXPECT_EQ(records, (std::vector<std::string>{"POST /body 200", "GET /other 404", "  400", "PUT /body 408",
                                               "PATCH /body 499"}));
}

}  // namespace
}  // namespace layerboost
