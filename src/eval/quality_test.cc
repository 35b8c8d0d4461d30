#include "eval/quality.h"

#include <gtest/gtest.h>

#include <cmath>

namespace layerboost {
namespace {

Estimate of(double mean, double error, std::int64_t n) { return {mean, error, n}; }

QualityReport full_report() {
  QualityReport report;
  report.options.texts = {"book.txt", "a/letters.txt"};
  report.options.tasks = {"a/easy.jsonl", "words.jsonl"};
  report.options.limit = 2;
  report.task_hashes = {"sha256:2", "sha256:3"};
  TextDivergence divergence;
  divergence.base = {{of(2.0, 0.01, 2), 200, {1.9, 2.1}}};
  divergence.changed = {{of(2.5, 0.02, 2), 200, {2.4, 2.6}}};
  divergence.kl = of(0.25, 0.001, 2);
  divergence.agreement = of(0.8, 0.03, 2);
  divergence.nll_change = of(0.5, 0.005, 2);
  report.texts = {{"book.txt", "sha256:1", divergence.changed, divergence},
                  {"letters.txt", "sha256:4", {{of(3.0, 0.01, 2), 200, {3, 3}}}, std::nullopt}};
  TaskResult easy{"easy",
                  TaskKind::multiple_choice,
                  of(0.5, 0.04, 100),
                  of(0.45, 0.05, 100),
                  of(-3, 0.1, 100),
                  {{{-1, -2}, true, false}, {{-2, -1}, false, false}, {{-1, -3}, true, true}}};
  TaskResult words{"words", TaskKind::last_word, of(0.25, 0.01, 40), {}, of(-2, 0.1, 40), {}};
  report.tasks = {easy, words};
  report.passkey = {{512, of(0.9, 0.02, 50), of(-0.6, 0.1, 50), {{0.1, of(0.8, 0.1, 10), of(-1, 0.2, 10)}}}};
  return report;
}

TEST(Quality, Json) {
  const Json json = to_json(full_report());
  EXPECT_DOUBLE_EQ(json["perplexity"]["nll"], 2.5);
  EXPECT_DOUBLE_EQ(json["perplexity"]["ppl"], std::exp(2.5));
  EXPECT_EQ(json["perplexity"]["tokens"], 200);
  EXPECT_EQ(json["perplexity"]["windows"], 2);
  EXPECT_DOUBLE_EQ(json["perplexity"]["nll_stderr"], 0.02);
  EXPECT_DOUBLE_EQ(json["kl"]["mean"], 0.25);
  EXPECT_DOUBLE_EQ(json["kl"]["agreement_stderr"], 0.03);
  EXPECT_EQ(json["tasks"]["easy"].dump(),
            R"({"acc":0.5,"acc_norm":0.45,"acc_stderr":0.04,"acc_norm_stderr":0.05,"n":100,)"
            R"("acc_items":"101","acc_norm_items":"001"})");
  EXPECT_DOUBLE_EQ(json["tasks"]["words"]["perplexity"], std::exp(2.0));
  EXPECT_FALSE(json["tasks"]["words"].contains("acc_norm"));
  EXPECT_EQ(json["passkey"][0]["length"], 512);
  EXPECT_DOUBLE_EQ(json["passkey"][0]["acc_stderr"], 0.02);
  EXPECT_DOUBLE_EQ(json["passkey"][0]["depths"][0]["logprob"], -1);
  EXPECT_EQ(json["data"]["text"]["hash"], "sha256:1");
  ASSERT_EQ(json["more_texts"].size(), 1U);
  EXPECT_EQ(json["more_texts"][0]["file"], "a/letters.txt");
  EXPECT_EQ(json["more_texts"][0]["hash"], "sha256:4");
  EXPECT_DOUBLE_EQ(json["more_texts"][0]["perplexity"]["nll"], 3);
  EXPECT_FALSE(json["more_texts"][0].contains("kl"));
  EXPECT_EQ(json["data"]["tasks"]["words"]["file"], "words.jsonl");
  EXPECT_EQ(json["data"]["bos"], "auto");
  EXPECT_EQ(json["data"]["limit"], 2);
}

TEST(Quality, OnlyWhatWasMeasured) {
  QualityReport report;
  report.options.texts = {"book.txt"};
  report.texts = {{"book.txt", "", Perplexity{{of(2, std::nan(""), 1), 100, {2}}}, std::nullopt}};
  const Json json = to_json(report);
  EXPECT_NE(json.dump().find("\"nll_stderr\":null"), std::string::npos);
  EXPECT_FALSE(json.contains("kl") || json.contains("more_texts") || json.contains("tasks") ||
               json.contains("passkey"));
}

TEST(Quality, Table) {
  const std::string table = to_table(full_report());
  for (const char* part :
       {"12.182 ± 0.244", "20.086 ± 0.201   on letters.txt", "0.2500 ± 0.0010", "80.0 ± 3.0 %", "easy", "50.0 ± 4.0 %",
        "45.0 ± 5.0 %", "perplexity 7.39 ± 0.74", "512 tokens", "90.0 ± 2.0 %", "-0.600 ± 0.100"})
    EXPECT_NE(table.find(part), std::string::npos) << part << " in\n" << table;
}

}  // namespace
}  // namespace layerboost
