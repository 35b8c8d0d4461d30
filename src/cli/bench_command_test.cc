#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/temporary_path_for_tests.h"
#include "cli/run_for_tests.h"
#include "net/completions_for_tests.h"

namespace layerboost {
namespace {

constexpr std::string_view served = R"({"data": [{"id": "small", "max_model_len": 64, "meta": {"n_vocab": 500}}]})";

/// Replays a trace of a request every 200 s with these flags besides, and returns the results.
Json replay(const StreamingServer& server, const std::vector<std::string>& flags) {
  const std::filesystem::path trace = test::temporary_path("trace.csv"), json = test::temporary_path("replay.json");
  write_file(trace,
             "TIMESTAMP,ContextTokens,GeneratedTokens\n"
             "2023-11-16 18:00:00.0000000,5,3\n"
             "2023-11-16 18:03:20.0000000,6,2\n"
             "2023-11-16 18:06:40.0000000,7,2\n");
  std::vector<std::string> words = {"bench", "--url", server.url(), "--trace", trace, "--json", json};
  words.insert(words.end(), flags.begin(), flags.end());
  const ProgramResult result = run_and_read(words);
  EXPECT_EQ(result.code, 0) << result.err;
  Json results = read_json(json)["results"];
  std::filesystem::remove(trace);
  std::filesystem::remove(json);
  return results;
}

std::vector<std::size_t> requests_of(const Json& results) {
  std::vector<std::size_t> counts;
  for (const Json& result : results) counts.push_back(result["requests"].size());
  return counts;
}

TEST(BenchCommand, ATraceIsReplayedAsFarAsTheFlagsSay) {
  const StreamingServer server(test::completions(served));
  using Counts = std::vector<std::size_t>;
  EXPECT_EQ(requests_of(replay(server, {"--rate", "10000", "--duration", "0.03"})), Counts{2});
  EXPECT_EQ(requests_of(replay(server, {"--rate", "10000,20000", "--requests", "2"})), (Counts{2, 2}));
  EXPECT_EQ(requests_of(replay(server, {"--rate", "10000", "--requests", "2", "--duration", "0.01"})), Counts{1});
  EXPECT_EQ(requests_of(replay(server, {"--rate", "10000"})), Counts{3});
  EXPECT_EQ(requests_of(replay(server, {"--rate", "10000", "--context", "8"})), Counts{2});
}

TEST(BenchCommand, ATraceIsReplayedAtItsOwnPaceAndWithoutSessionsUnlessAskedFor) {
  const StreamingServer server(test::completions(served));
  const Json plain = replay(server, {"--requests", "1"})[0];
  EXPECT_EQ(plain["trace_rate"], 1);
  EXPECT_EQ(plain["turns"], false);
  EXPECT_FALSE(plain.contains("within_targets"));
  const Json asked = replay(server, {"--requests", "1", "--turns", "--ttft", "60", "--tpot", "0.5"})[0];
  EXPECT_EQ(asked["turns"], true);
  EXPECT_EQ(asked["ttft_target_ms"], 60000);
  EXPECT_EQ(asked["tpot_target_ms"], 500);
  EXPECT_EQ(asked["within_targets"], 1);
}

}  // namespace
}  // namespace layerboost
