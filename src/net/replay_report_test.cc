#include "net/replay_report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace layerboost {
namespace {

/// Three answers and a failure, due at 0, 1, 2 and 4 s.
struct ReportedReplay {
  Replay replay{{{0, 0, 0, 0, 10, 3}, {1, 1, 0, 0, 20, 1}, {2, 2, 0, 0, 30, 5}, {4, 0, 1, 13, 7, 4}}, 2};
  LoadResult result{8,
                    {{"", 10, 3, 0.0, 0.1, 0.5, {0.1, 0.3}},
                     {"", 20, 1, 1.25, 0.3, 0.3, {}},
                     {"", 30, 5, 2.0, 2.0, 6.0, {1, 1, 1, 1}},
                     {"refused", 20, 0, 4.0, 0, 0, {}}},
                    2};

  [[nodiscard]] Json report(const LatencyTargets& targets, bool turns = false) const {
    return replay_report(result, replay, {.rate = 1.5, .context = 100, .turns = turns}, targets);
  }
};

TEST(ReplayReport, SumsUpWhatTheRequestsSaw) {
  const Json report = ReportedReplay().report({});
  EXPECT_EQ(report["trace_rate"], 1.5);
  EXPECT_EQ(report["turns"], false);
  EXPECT_EQ(report["context"], 100);
  EXPECT_EQ(report["dropped"], 2);
  EXPECT_EQ(report["num_prompts"], 4);
  EXPECT_EQ(report["completed"], 3);
  EXPECT_EQ(report["failed"], 1);
  EXPECT_DOUBLE_EQ(report["request_rate"], 0.75);  // three gaps in 4 s
  EXPECT_TRUE(report["burstiness"].is_null());
  EXPECT_DOUBLE_EQ(report["request_throughput"], 3 / 8.0);
  EXPECT_DOUBLE_EQ(report["output_throughput"], 9 / 8.0);
  EXPECT_DOUBLE_EQ(report["mean_ttft_ms"], 800);
  EXPECT_DOUBLE_EQ(report["median_tpot_ms"], 600);  // of 200 and 1000
  // 0.5 / 3, 0.3 / 1 and 6 / 5 seconds.
  EXPECT_DOUBLE_EQ(report["mean_latency_per_token_ms"], (500.0 / 3 + 300 + 1200) / 3);
  EXPECT_DOUBLE_EQ(report["median_latency_per_token_ms"], 300);
  EXPECT_DOUBLE_EQ(report["p99_latency_per_token_ms"], 300 + 0.98 * 900);
}

TEST(ReplayReport, CountsWhatKeepsTheTargets) {
  const ReportedReplay replay;
  EXPECT_FALSE(replay.report({}).contains("within_targets"));
  const auto within = [&](const LatencyTargets& targets) {
    return replay.report(targets)["within_targets"].get<int>();
  };
  EXPECT_EQ(within({.ttft = 2}), 3);
  EXPECT_EQ(within({.ttft = 0.2}), 1);
  EXPECT_EQ(within({.tpot = 0.2}), 2);  // and the answer of one token
  EXPECT_EQ(within({.tpot = 0.1}), 1);
  EXPECT_EQ(within({.ttft = 0.2, .tpot = 0.1}), 0);
  const Json report = replay.report({.ttft = 0.3, .tpot = 1});
  EXPECT_EQ(report["within_targets"], 2);
  EXPECT_DOUBLE_EQ(report["share_within_targets"], 0.5);  // what failed is sent, too
  EXPECT_EQ(report["ttft_target_ms"], 300);
  EXPECT_EQ(report["tpot_target_ms"], 1000);
  EXPECT_TRUE(replay.report({.tpot = 1})["ttft_target_ms"].is_null());
}

TEST(ReplayReport, EachRequestHasItsRecord) {
  const Json records = ReportedReplay().report({})["requests"];
  ASSERT_EQ(records.size(), 4U);
  EXPECT_EQ(records[1], Json({{"arrival", 1.0},
                              {"start", 1.25},
                              {"prompt_tokens", 20},
                              {"generated_tokens", 1},
                              {"ttft_ms", 300.0},
                              {"e2el_ms", 300.0},
                              {"error", nullptr}}));
  EXPECT_EQ(records[3]["error"], "refused");
  EXPECT_TRUE(records[3]["ttft_ms"].is_null());
  EXPECT_TRUE(records[3]["e2el_ms"].is_null());
  const Json turn = ReportedReplay().report({}, true)["requests"][3];
  EXPECT_EQ(turn["session"], 0);
  EXPECT_EQ(turn["turn"], 1);
  EXPECT_EQ(turn["history_tokens"], 13);
}

TEST(ReplayReport, ASingleRequestHasNoRate) {
  const LoadResult result{1, {{"", 10, 3, 0.0, 0.1, 0.5, {0.1, 0.3}}}, 1};
  const Json report = replay_report(result, {{{0, 0, 0, 0, 10, 3}}, 0}, {.context = 100}, {});
  EXPECT_EQ(report["request_rate"], "inf");
  EXPECT_NE(replay_table_line(report).find(" - "), std::string::npos);
}

TEST(ReplayReport, TheTableHasTheColumnOfTheTargetsWhereThereAreAny) {
  const ReportedReplay replay;
  const LatencyTargets targets{.ttft = 0.3, .tpot = 1};
  EXPECT_EQ(replay_table_header({}, false).find("within"), std::string::npos);
  EXPECT_NE(replay_table_header(targets, false).find("within"), std::string::npos);
  EXPECT_TRUE(replay_table_line(replay.report(targets)).ends_with(" |  50.0 %"));
  EXPECT_EQ(replay_table_line(replay.report({})).find('%'), std::string::npos);
}

TEST(ReplayReport, LevelsAreCountedWhereTheServerTellsThem) {
  ReportedReplay replay;
  EXPECT_FALSE(replay.report({}).contains("mean_level"));
  EXPECT_EQ(replay_table_header({}, false).find("level"), std::string::npos);
  const int levels[] = {0, 3, 3, -1};  // the last one failed
  for (std::size_t i = 0; i < 4; ++i)
    replay.result.outcomes[i].level = replay.result.outcomes[i].first_level = levels[i];
  const Json report = replay.report({});
  EXPECT_EQ(report["requests_by_level"], Json({1, 0, 0, 2}));
  EXPECT_DOUBLE_EQ(report["mean_level"], 2);
  EXPECT_TRUE(report["mean_perplexity_ratio"].is_null());
  EXPECT_EQ(report["requests"][1]["level"], 3);
  EXPECT_EQ(report["requests"][1]["first_level"], 3);
  EXPECT_FALSE(report["requests"][3].contains("level"));
  EXPECT_NE(replay_table_header({}, true).find("level"), std::string::npos);
  EXPECT_TRUE(replay_table_line(report).ends_with(" |   2.0        -"));

  const std::vector<double> ratios = {1, 1.1, 1.2, 1.3};
  double tokens = 0, sum = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    tokens += replay.result.outcomes[i].generated_tokens;
    sum += replay.result.outcomes[i].generated_tokens * ratios[static_cast<std::size_t>(levels[i])];
  }
  const Json known = replay_report(replay.result, replay.replay, {.context = 100}, {}, ratios);
  EXPECT_DOUBLE_EQ(known["mean_perplexity_ratio"], sum / tokens);
  EXPECT_TRUE(replay_table_line(known).ends_with(fmt::format(" |   2.0 {:>8.4f}", sum / tokens)));
}

}  // namespace
}  // namespace layerboost
