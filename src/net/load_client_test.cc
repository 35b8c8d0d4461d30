#include "net/load_client.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error_for_tests.h"
#include "net/completions_for_tests.h"
#include "net/event_stream.h"
#include "net/load_report.h"
#include "net/server_load.h"
#include "net/streaming_server_for_tests.h"

namespace layerboost {
namespace {

using Send = StreamingServer::Send;
using StreamRequest = StreamingServer::Request;

constexpr std::string_view models = R"({"data": [{"id": "small", "meta": {"n_vocab": 500}}]})";

LoadResult load(const StreamingServer& server, int count, const LoadLevel& level, int tokens = 4) {
  const LoadTarget target{server.url() + "/v1/", "secret", "small"};
  const std::vector<std::string> bodies(static_cast<std::size_t>(count),
                                        completion_body(target, {1, 2, 3}, tokens).dump());
  return run_load(target, bodies, std::vector<int>(bodies.size(), 3), level, 1, [](const LoadOutcome&) {});
}

TEST(LoadClient, MeasuresWhatEachRequestSees) {
  const StreamingServer server(test::completions(models));
  const LoadResult result = load(server, 3, {});
  ASSERT_EQ(result.outcomes.size(), 3U);
  for (const LoadOutcome& outcome : result.outcomes) {
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.generated_tokens, 4);
    EXPECT_EQ(outcome.intervals.size(), 3U);
    EXPECT_GT(outcome.first, 0);
    EXPECT_GE(outcome.latency, outcome.first);
    EXPECT_GE(outcome.latency, 0.003);  // three sleeps of a millisecond
    EXPECT_GE(result.duration, outcome.start + outcome.latency);
  }
  const Json body = Json::parse(server.requests()[0].body);
  EXPECT_EQ(body["prompt"], Json({1, 2, 3}));
  EXPECT_EQ(body["ignore_eos"], true);
  EXPECT_EQ(body["stream_options"]["include_usage"], true);
  EXPECT_NE(server.requests()[0].head.find("Authorization: Bearer secret"), std::string::npos);
  EXPECT_TRUE(server.requests()[0].asks_for("POST /v1/completions "));
}

TEST(LoadClient, KeepsToItsConcurrency) {
  const StreamingServer server(test::completions(models));
  const LoadResult result = load(server, 12, {.concurrency = 3}, 8);
  EXPECT_EQ(result.most_at_once, 3);
  EXPECT_LE(server.most_at_once(), 4);  // the client may know of an end before the server does
  EXPECT_GE(server.most_at_once(), 2);
}

TEST(LoadClient, RequestsArriveAtRandomAtTheRate) {
  const StreamingServer server(test::completions(models));
  const LoadResult result = load(server, 20, {.rate = 200}, 1);
  std::set<double> starts;
  for (const LoadOutcome& outcome : result.outcomes) starts.insert(outcome.start);
  EXPECT_EQ(*starts.begin(), result.outcomes[0].start);
  EXPECT_GT(*starts.rbegin(), 19 / 200.0 / 3);  // the sum of 19 intervals: a third of its mean is nigh impossible
  EXPECT_GT(starts.size(), 15U);
}

TEST(LoadClient, FailuresAreTold) {
  const StreamingServer server([](const StreamRequest& request, const Send& send) {
    const int tokens = Json::parse(request.body)["max_tokens"];
    if (tokens == 1) send(StreamingServer::whole(429, R"({"error": {"message": "too\nmany"}})"));
    if (tokens == 2) send(StreamingServer::stream_head);
    if (tokens == 3) {
      send(StreamingServer::stream_head);
      send("data: {\"error\": {\"message\": \"broke\"}}\n\n");
    }
  });
  EXPECT_EQ(load(server, 1, {}, 1).outcomes[0].error, "HTTP 429: too many");
  EXPECT_EQ(load(server, 1, {}, 2).outcomes[0].error, "the stream held no text");
  EXPECT_EQ(load(server, 1, {}, 3).outcomes[0].error, "HTTP 200: broke");
  EXPECT_NE(load(server, 1, {}, 4).outcomes[0].error, "");  // no answer at all
}

TEST(LoadClient, UsageThatIsNoNumberIsLeft) {
  const StreamingServer server([](const StreamRequest&, const Send& send) {
    send(StreamingServer::stream_head);
    send("data: {\"choices\": [{}], \"usage\": {\"completion_tokens\": null}}\n\n");
    send("data: [DONE]\n\n");
  });
  EXPECT_EQ(load(server, 1, {}, 1).outcomes[0].error, "");
}

TEST(LoadClient, LevelsAreReadWhereTheServerTellsThem) {
  const StreamingServer server([](const StreamRequest& request, const Send& send) {
    const int tokens = Json::parse(request.body)["max_tokens"];
    const char* const told[] = {"", R"(, "layerboost": {"first_level": 2, "level": 5})", R"(, "layerboost": [3])",
                                R"(, "layerboost": {"first_level": -1, "level": "5"})"};
    send(StreamingServer::stream_head);
    send("data: {\"choices\": [{}]}\n\n");
    send(fmt::format("data: {{\"choices\": [], \"usage\": {{\"completion_tokens\": 1{}}}}}\n\n", told[tokens - 1]));
    send("data: [DONE]\n\n");
  });
  const LoadOutcome told = load(server, 1, {}, 2).outcomes[0];
  EXPECT_EQ(told.first_level, 2);
  EXPECT_EQ(told.level, 5);
  for (const int tokens : {1, 3, 4}) EXPECT_EQ(load(server, 1, {}, tokens).outcomes[0].level, -1) << tokens;
}

TEST(LoadClient, AnUnreachableServerIsTold) {
  EXPECT_THROW((void)served_models({"http://127.0.0.1:1", "", ""}), Error);
}

TEST(LoadClient, MalformedSettingsAreTold) {
  EXPECT_EQ(test::error_of([] {
              (void)served_models({"127.0.0.1:8080", "", ""});
            }),
            "`url` \"127.0.0.1:8080\": must begin with http:// or https://");
  EXPECT_EQ(test::error_of([] {
              (void)served_models({"http://127.0.0.1:1", "two\nlines", ""});
            }),
            "`api-key` holds a blank, a line break or a byte beyond ASCII");
}

TEST(LoadClient, RedirectsAreNotFollowed) {
  const StreamingServer server([](const StreamRequest&, const Send& send) {
    send("HTTP/1.1 307 -\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthere");
  });
  EXPECT_EQ(load(server, 1, {}, 1).outcomes[0].error, "HTTP 307: there");
}

TEST(EventStream, EventsComeWholeHoweverTheyAreCut) {
  const std::string bytes = "data: one\n\n: comment\nevent: x\ndata:two\r\ndata: three\r\n\r\ndata: un";
  for (std::size_t cut = 1; cut < 5; ++cut) {
    EventStream stream;
    std::vector<std::string> events;
    for (std::size_t i = 0; i < bytes.size(); i += cut)
      stream.push(std::string_view(bytes).substr(i, cut), [&](std::string_view event) { events.emplace_back(event); });
    EXPECT_EQ(events, (std::vector<std::string>{"one", "two\nthree"}));
  }
}

TEST(LoadReport, SumsUpAsVllmDoes) {
  LoadResult result;
  result.duration = 2;
  result.most_at_once = 2;
  result.outcomes = {
      {"", 10, 3, 0.0, 0.1, 0.5, {0.1, 0.3}}, {"", 20, 1, 0.5, 0.3, 0.3, {}}, {"refused", 10, 0, 0, 0, 0, {}}};
  const Json report = load_report(result, {.rate = 4});
  EXPECT_EQ(report["completed"], 2);
  EXPECT_EQ(report["failed"], 1);
  EXPECT_EQ(report["total_input_tokens"], 30);
  EXPECT_EQ(report["total_output_tokens"], 4);
  EXPECT_DOUBLE_EQ(report["request_throughput"], 1);
  EXPECT_DOUBLE_EQ(report["output_throughput"], 2);
  EXPECT_DOUBLE_EQ(report["total_token_throughput"], 17);
  EXPECT_DOUBLE_EQ(report["mean_ttft_ms"], 200);
  EXPECT_DOUBLE_EQ(report["std_ttft_ms"], 100);
  EXPECT_DOUBLE_EQ(report["p99_ttft_ms"], 298);
  EXPECT_DOUBLE_EQ(report["mean_tpot_ms"], 200);  // (0.5 - 0.1) / 2; the other has one token
  EXPECT_DOUBLE_EQ(report["median_itl_ms"], 200);
  EXPECT_DOUBLE_EQ(report["mean_e2el_ms"], 400);
  EXPECT_DOUBLE_EQ(report["max_output_tokens_per_s"], 4);
  EXPECT_EQ(report["request_rate"], 4);
  EXPECT_TRUE(report["max_concurrency"].is_null());
  EXPECT_EQ(report["errors"], Json({"refused"}));
  EXPECT_EQ(load_report(result, {.concurrency = 2})["request_rate"], "inf");
}

TEST(LoadReport, PercentilesAreInterpolated) {
  EXPECT_DOUBLE_EQ(percentile({4, 1, 3, 2}, 50), 2.5);
  EXPECT_DOUBLE_EQ(percentile({1, 2}, 99), 1.99);
  EXPECT_DOUBLE_EQ(percentile({7}, 99), 7);
  EXPECT_DOUBLE_EQ(percentile({}, 50), 0);
}

TEST(BenchServer, MeasuresEveryLevel) {
  const StreamingServer server(test::completions(models));
  ServerLoadOptions options;
  options.target.url = server.url();
  options.rates = {500};
  options.concurrency = {2, 4};
  options.requests = 6;
  options.prompt = 5;
  options.generate = 3;
  const Json results = measure_server(options, 7, [](std::string_view) {})["results"];
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0]["request_rate"], 500);
  EXPECT_EQ(results[2]["max_concurrency"], 4);
  for (const Json& result : results) {
    EXPECT_EQ(result["model_id"], "small");
    EXPECT_EQ(result["completed"], 6);
    EXPECT_EQ(result["total_input_tokens"], 30);
    EXPECT_EQ(result["total_output_tokens"], 18);
  }
  std::set<std::string> prompts;
  for (const StreamRequest& request : server.requests()) {
    if (!request.asks_for("/v1/completions")) continue;
    const Json prompt = Json::parse(request.body)["prompt"];
    EXPECT_EQ(prompt.size(), 5U);
    for (const Json& token : prompt) EXPECT_TRUE(token >= 100 && token < 500);
    prompts.insert(prompt.dump());
  }
  EXPECT_EQ(prompts.size(), 19U);  // a trial and three levels, all different
}

TEST(BenchServer, WhatHasNoEndIsCutOff) {
  const std::string endless(5 << 20, 'x');
  bool list = true;
  const StreamingServer server([&](const StreamRequest& request, const Send& send) {
    if (request.asks_for("/v1/models"))
      send(StreamingServer::whole(200, list ? models : endless));
    else
      send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: " + endless);
  });
  ServerLoadOptions options;
  options.target.url = server.url();
  const auto message = [&] { return test::error_of([&] { measure_server(options, 0, [](std::string_view) {}); }); };
  EXPECT_NE(message().find("the stream holds an event without an end"), std::string::npos) << message();
  list = false;
  EXPECT_NE(message().find("the answer goes on after 4 MiB"), std::string::npos) << message();
}

TEST(BenchServer, TheFirstRefusalEndsIt) {
  const StreamingServer server([](const StreamRequest& request, const Send& send) {
    send(request.asks_for("/v1/models") ? StreamingServer::whole(200, models)
                                        : StreamingServer::whole(400, R"({"error": "no ids"})"));
  });
  ServerLoadOptions options;
  options.target.url = server.url();
  try {
    measure_server(options, 0, [](std::string_view) {});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("HTTP 400: no ids"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace layerboost
