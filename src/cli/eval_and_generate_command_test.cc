#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/json.h"
#include "base/temporary_path_for_tests.h"
#include "cli/run_for_tests.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

TEST(EvalCommand, RefusesToMeasureNothing) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"eval", "smollm2-135m"}), 2);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("--text FILE"), std::string::npos);
}

TEST(EvalCommand, WritesWhatItMeasured) {
  LB_NEEDS_DEFAULT_MODEL();
  const fs::path folder = test::temporary_path("eval_command");
  const std::string text = folder / "text.txt", task = folder / "bees.jsonl", json = folder / "result.json";
  write_file(text, "The bees make honey. The cows give milk. The bees make honey.");
  write_file(task, R"({"context": "Bees make", "choices": [" honey", " concrete"], "gold": 0})");
  const ProgramResult ran =
      run_and_read({"eval", default_model_path(), "--text", text, "--tasks", task, "--passkey", "128", "--json", json});
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.err.find("--context 1024: text.txt has only 15 tokens"), std::string::npos) << ran.err;
  const Json result = read_json(json);
  EXPECT_GT(result["perplexity"]["ppl"], 1);
  EXPECT_EQ(result["perplexity"]["windows"], 1);
  EXPECT_EQ(result["tasks"]["bees"]["acc"], 1);
  EXPECT_EQ(result["passkey"][0]["length"], 128);
  EXPECT_FALSE(result.contains("kl"));
  EXPECT_EQ(result["run"]["precision"], "bf16");
  fs::remove_all(folder);
}

TEST(EvalCommand, MeasuresHowFarInt8CachesAreFromBf16) {
  LB_NEEDS_DEFAULT_MODEL();
  const fs::path folder = test::temporary_path("eval_kv");
  const std::string text = folder / "text.txt", json = folder / "result.json";
  write_file(text, "The bees make honey. The cows give milk. The bees make honey.");
  EXPECT_EQ(run({"eval", default_model_path(), "--text", text, "--kv", "int8", "--json", json}), 0);
  const Json result = read_json(json);
  EXPECT_GT(result["kl"]["mean"], 0);
  EXPECT_LT(result["kl"]["mean"], 0.01);
  EXPECT_EQ(result["run"]["kv"], "int8");
  fs::remove_all(folder);
}

TEST(GenerateCommand, WritesOn) {
  LB_NEEDS_DEFAULT_MODEL();
  const std::string json = test::temporary_path("generate_command.json");
  EXPECT_EQ(
      run({"generate", default_model_path(), "--tokens", "3", "--json", json, "The capital of France is", "One two"}),
      0);
  const Json texts = read_json(json)["generations"];
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_TRUE(texts[0]["text"].get<std::string>().starts_with(" Paris"));
  EXPECT_EQ(texts[0]["tokens"], 3);
  EXPECT_EQ(texts[0]["stop"], "length");
  fs::remove(json);
}

TEST(GenerateCommand, SaysWhichFlagChangesNothing) {
  LB_NEEDS_DEFAULT_MODEL();
  const ProgramResult ran = run_and_read({"generate", default_model_path(), "--tokens", "1", "--top-p", "0.5", "One"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.err.find("--top-p 0.5: changes nothing at --temperature 0"), std::string::npos) << ran.err;
}

TEST(GenerateCommand, ChecksItsFlagsFirst) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"generate", "smollm2-135m", "--top-p", "3", "hello"}), 2);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("top_p is 3"), std::string::npos);
}

}  // namespace
}  // namespace layerboost
