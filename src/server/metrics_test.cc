#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "server/prometheus_writer.h"
#include "server/server_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

double value_of(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  }
  ADD_FAILURE() << "no metric " << name;
  return -1;
}

TEST(Histogram, CountsByUpperBound) {
  Histogram histogram = {0.5, 1, 2};
  histogram.observe(0.5);
  histogram.observe(0.6);
  histogram.observe(3, 2);
  EXPECT_EQ(histogram.counts(), (std::vector<std::uint64_t>{1, 1, 0, 2}));
  EXPECT_DOUBLE_EQ(histogram.sum(), 7.1);
  EXPECT_EQ(histogram.count(), 4U);
}

TEST(Prometheus, Format) {
  Histogram histogram = {0.5, 1};
  histogram.observe(0.75);
  PrometheusWriter out;
  out.begin("a_seconds", "histogram", "Help.");
  out.histogram("a_seconds", prometheus_label("model", "x\"y"), histogram);
  EXPECT_EQ(out.take(),
            "# HELP a_seconds Help.\n# TYPE a_seconds histogram\n"
            "a_seconds_bucket{model=\"x\\\"y\",le=\"0.5\"} 0\n"
            "a_seconds_bucket{model=\"x\\\"y\",le=\"1\"} 1\n"
            "a_seconds_bucket{model=\"x\\\"y\",le=\"+Inf\"} 1\n"
            "a_seconds_sum{model=\"x\\\"y\"} 0.75\n"
            "a_seconds_count{model=\"x\\\"y\"} 1\n");
}

TEST(Metrics, RetryAfterIsWhenAPlaceIsFree) {
  Metrics metrics;
  EngineStats stats;
  EXPECT_EQ(metrics.seconds_to_wait(stats), 1);
  metrics.whole_request.observe(20);
  stats.running = 4;
  EXPECT_EQ(metrics.seconds_to_wait(stats), 5);
}

TEST(Metrics, TellWhatHappened) {
  const ServerForTests server;
  ASSERT_EQ(server.complete({{"prompt", "ab c"}, {"max_tokens", 5}, {"ignore_eos", true}, {"n", 2}}).status, 200);
  ASSERT_EQ(server.complete({{"prompt", 5}}).status, 400);
  ASSERT_TRUE(server.wait_until([](const EngineStats& stats) { return stats.finished_length == 2; }));
  const AnswerForTests answer = server.ask("GET", "/metrics");
  EXPECT_EQ(answer.headers.at("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  const std::string& text = answer.body;
  EXPECT_EQ(value_of(text, "layerboost_generated_tokens_total"), 10);
  EXPECT_EQ(value_of(text, "vllm:generation_tokens_total{model_name=\"tiny\"}"), 10);
  EXPECT_EQ(value_of(text, "vllm:request_success_total{model_name=\"tiny\",finished_reason=\"length\"}"), 2);
  EXPECT_EQ(value_of(text, "vllm:num_requests_running{model_name=\"tiny\"}"), 0);
  EXPECT_EQ(value_of(text, "vllm:num_requests_waiting{model_name=\"tiny\"}"), 0);
  EXPECT_EQ(value_of(text, "vllm:time_to_first_token_seconds_count{model_name=\"tiny\"}"), 2);
  EXPECT_EQ(value_of(text, "vllm:inter_token_latency_seconds_count{model_name=\"tiny\"}"), 8);
  EXPECT_EQ(value_of(text, "vllm:e2e_request_latency_seconds_count{model_name=\"tiny\"}"), 2);
  EXPECT_EQ(value_of(text, "layerboost_http_answers_total{status=\"400\"}"), 1);
  EXPECT_GT(value_of(text, "layerboost_cache_limit_bytes"), 0);
  EXPECT_GT(value_of(text, "layerboost_scratch_bytes"), 0);
  EXPECT_THAT(text, HasSubstr("mixers=\"4 softmax\""));
  EXPECT_THAT(text, HasSubstr("kv=\"f32\""));
  EXPECT_GT(value_of(text, "layerboost_step_seconds_total{phase=\"mixers\"}"), 0);
  EXPECT_THAT(text, HasSubstr("layerboost_cache_used_bytes{kind=\"window\"}"));
}

}  // namespace
}  // namespace layerboost
