#include "net/trace_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "base/error_for_tests.h"
#include "base/file.h"
#include "base/temporary_path_for_tests.h"
#include "net/completions_for_tests.h"

namespace layerboost {
namespace {

/// A file with a trace, as long as it lives.
class TraceFile {
 public:
  explicit TraceFile(const std::string& lines) {
    write_file(path_, "TIMESTAMP,ContextTokens,GeneratedTokens\n" + lines);
  }
  ~TraceFile() { std::filesystem::remove(path_); }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_ = test::temporary_path("trace.csv");
};

constexpr std::string_view models_with_context =
    R"({"data": [{"id": "small", "max_model_len": 64, "meta": {"n_vocab": 500}}]})";

/// Requests at 0, 1, 2.5 and 4 s, of which the third is longer than that context.
constexpr const char* four_requests =
    "2023-11-16 18:15:46.0000000,5,3\n"
    "2023-11-16 18:15:47.0000000,60,4\n"
    "2023-11-16 18:15:48.5000000,60,5\n"
    "2023-11-16 18:15:50.0000000,7,2\n";

TEST(TraceLoad, SendsWhatTheTraceHasWhenItArrived) {
  const StreamingServer server(test::completions(models_with_context));
  const TraceFile file(four_requests);
  TraceLoadOptions options;
  options.target.url = server.url();
  options.trace = file.path();
  options.rates = {10, 20};
  options.targets = {.ttft = 60, .tpot = 60};
  std::string table;
  const Json results = replay_trace(options, 7, [&](std::string_view lines) { table += lines; })["results"];
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 5);  // what is measured, two of the header, two levels
  for (const Json& result : results) {
    EXPECT_EQ(result["model_id"], "small");
    EXPECT_EQ(result["trace"], file.path());
    EXPECT_EQ(result["context"], 64);
    EXPECT_EQ(result["dropped"], 1);
    EXPECT_EQ(result["completed"], 3);
    EXPECT_EQ(result["total_input_tokens"], 72);
    EXPECT_EQ(result["total_output_tokens"], 9);
    EXPECT_EQ(result["share_within_targets"], 1.0);
    const double rate = result["trace_rate"];
    const double due[] = {0, 1, 4};
    for (int i = 0; i < 3; ++i) {
      const Json& request = result["requests"][i];
      EXPECT_DOUBLE_EQ(request["arrival"], due[i] / rate);
      EXPECT_GE(request["start"], request["arrival"]);
      EXPECT_GT(request["e2el_ms"], 0);
    }
  }
  EXPECT_EQ(results[1]["trace_rate"], 20);
  std::set<std::string> prompts;
  std::multiset<std::pair<std::size_t, int>> lengths;
  for (const StreamingServer::Request& request : server.requests()) {
    if (!request.asks_for("/v1/completions")) continue;
    const Json body = Json::parse(request.body);
    EXPECT_EQ(body["ignore_eos"], true);
    for (const Json& token : body["prompt"]) EXPECT_TRUE(token >= 100 && token < 500);
    prompts.insert(body["prompt"].dump());
    lengths.emplace(body["prompt"].size(), body["max_tokens"].get<int>());
  }
  EXPECT_EQ(prompts.size(), 7U);  // a trial and two levels, all different
  EXPECT_EQ(lengths,
            (std::multiset<std::pair<std::size_t, int>>{{5, 3}, {5, 3}, {5, 3}, {7, 2}, {7, 2}, {60, 4}, {60, 4}}));
}

TEST(TraceLoad, SessionsSendTheSameTokensAgain) {
  const StreamingServer server(test::completions(models_with_context));
  std::string lines;
  for (int i = 0; i < 60; ++i) lines += fmt::format("2023-11-16 18:15:{:02}.0000000,4,2\n", i);
  const TraceFile file(lines);
  TraceLoadOptions options;
  options.target.url = server.url();
  options.trace = file.path();
  options.rates = {500};
  options.rules.turns = true;
  const Json result = replay_trace(options, 7, [](std::string_view) {})["results"][0];
  EXPECT_EQ(result["turns"], true);
  EXPECT_EQ(result["completed"], 60);
  std::set<std::string> prompts;
  for (const StreamingServer::Request& request : server.requests())
    if (request.asks_for("/v1/completions")) prompts.insert(Json::parse(request.body)["prompt"].dump());
  int longer = 0;
  for (const std::string& prompt : prompts) {
    const Json ids = Json::parse(prompt);
    if (ids.size() == 4) continue;
    const Json before(std::vector<Json>(ids.begin(), ids.end() - 6));  // an answer of 2 and a prompt of 4
    EXPECT_TRUE(prompts.contains(before.dump())) << prompt;
    ++longer;
  }
  EXPECT_GT(longer, 5);
}

TEST(TraceLoad, TheContextIsNamedWhereTheServerDoesNotTell) {
  const StreamingServer server(test::completions(R"({"data": [{"id": "small", "max_model_len": null}]})"));
  const TraceFile file(four_requests);
  TraceLoadOptions options;
  options.target.url = server.url();
  options.trace = file.path();
  options.rates = {100};
  const auto message = [&] { return test::error_of([&] { replay_trace(options, 0, [](std::string_view) {}); }); };
  EXPECT_EQ(message(), server.url() +
                           " doesn't say how many tokens a prompt and its answer may have together: say it "
                           "by `context`");
  options.rules.context = 7;
  EXPECT_EQ(message(), file.path() + ": none of its first 4 requests fits into `context` 7");
  options.rules.context = 65;
  EXPECT_EQ(replay_trace(options, 0, [](std::string_view) {})["results"][0]["completed"], 4);
}

}  // namespace
}  // namespace layerboost
