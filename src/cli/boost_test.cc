#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "app/boost_estimate.h"
#include "app/boost_plan.h"
#include "app/boost_summary.h"
#include "artifact/healed_for_tests.h"
#include "base/error_for_tests.h"
#include "base/file_lock.h"
#include "cli/run_for_tests.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class BoostCommand : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const char* name) const { return small_.root / name; }

  void expect_refused(std::vector<std::string> flags, const std::string& part) const {
    flags.insert(flags.begin(), {"boost", small_.base, "-o", path("out"), "--length", "32"});
    const ProgramResult result = run_and_read(flags);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_FALSE(fs::exists(fs::path(path("out")) / "boost.json"));
  }

  test::SmallHealed small_;
};

TEST_F(BoostCommand, ChecksEverythingFirst) {
  expect_refused({"--kv", "2"}, "--kv 2: must be from 0 to 1");
  expect_refused({"--kv", "0.001", "--to", "window"}, "--kv 0.001: impossible here");
  expect_refused({"--speedup", "abc"}, "expected X@BATCHxCONTEXT");
  expect_refused({"--softmax", "99"}, "--softmax 99");
  expect_refused({"--keep", "4"}, "layers are 0 to 3");
  expect_refused({"--search", "additive", "--thresholds", "0.1,0.2"}, "must not be below");
  expect_refused({"--search", "additive", "--by-removal", "--softmax", "1", "--none", "1", "--to", "window"},
                 "--to none");
  expect_refused({"--middle", "wide"}, "wide");
  expect_refused({"--to", "nothing"}, "--to: unknown word");
  expect_refused({"--heal", "soon"}, "--heal soon");
  expect_refused({"--eval-text", path("missing")}, "--eval-text: cannot open");
  expect_refused({"--eval-text", ""}, "--eval-text: one of the names is empty");
  expect_refused({"--text", path("missing")}, "--text: cannot open");
  expect_refused({"--tasks", path("missing")}, "--tasks: cannot open");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  for (const char* const flag : {"--text", "--tasks", "--eval-text"})
    expect_refused({flag, path("pipe")}, "is read several times, so it must be a file");
  expect_refused({"--retrieval", "0"}, "--retrieval: must be a positive whole number");
  expect_refused({"--retrieval", "99999"}, "--retrieval 99999: with the answer more than the model's");
  expect_refused({"--prompt", "100000"}, "--prompt 100000: with");
  expect_refused({"--json", small_.root}, "a directory, not a file");
  write_file(path("file"), "x");
  EXPECT_THAT(run_and_read({"boost", small_.base, "-o", path("file")}).err, HasSubstr("is not a directory"));
  EXPECT_EQ(run_and_read({"boost", small_.base}).err.find("layerboost: -o DIR is missing"), 0U);
}

TEST_F(BoostCommand, OneRunInADirectory) {
  const FileLock lock = lock_directory(path("out"));
  expect_refused({}, "is in use by process");
  const std::string plan = healed_plan(small_.healed);
  const ProgramResult heal = run_and_read({"heal", small_.base, "--plan", plan, "-o", path("out")});
  EXPECT_EQ(heal.code, 2);
  EXPECT_THAT(heal.err, HasSubstr("is in use by process"));
}

TEST_F(BoostCommand, APlanIsNeverReplaced) {
  BoostOptions options;
  options.plan.kv = 0.5;
  const fs::path directory = small_.root / "plans";
  const auto asks = [&](const PlanRecord& made, bool asked = true) {
    return keeps_plan(directory, made, plan_options_json(options, {}), asked);
  };
  const auto message = [&](const PlanRecord& made, bool asked = true) {
    return test::error_of([&] { asks(made, asked); });
  };
  EXPECT_FALSE(asks({}));
  write_plan(directory / "plan.json", small_.plan);
  const PlanRecord made = {small_.plan.hash(), Json::parse(plan_options_json(options, {}).dump())};
  testing::internal::CaptureStderr();
  EXPECT_TRUE(asks(made));
  EXPECT_TRUE(asks({"", made.options}));  // killed before it was recorded
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");

  options.plan.kv = 0.3;
  EXPECT_THAT(message(made),
              AllOf(HasSubstr("plan.json was made with `kv` 0.5, not `kv` 0.3"), HasSubstr("remove it")));
  options.plan.kv.reset();
  EXPECT_THAT(message(made), HasSubstr("`kv` 0.5, which isn't given now"));
  options.plan.kv = 0.5;
  options.plan.keep = {1, 2};
  EXPECT_THAT(message(made), HasSubstr("was made without `keep` 1,2"));
  options.plan.keep.clear();
  EXPECT_THAT(message({made.hash, {{"ready-made", "sha256:1"}}}), HasSubstr("is the plan that comes ready-made"));
  EXPECT_THAT(message({}), HasSubstr("wasn't made by this command"));
  write_file(directory / "heal.json", "{}");
  EXPECT_THAT(message({made.hash, {{"kv", 0.1}}}), HasSubstr("remove it, heal.json and checkpoint to have"));
  options.plan.kv.reset();
  options.heal = HealBudget{.tokens = 1'000'000};  // of whatever plan is there
  EXPECT_FALSE(options.plan_options_given());
  EXPECT_TRUE(options.plan_asked());
  testing::internal::CaptureStderr();
  EXPECT_TRUE(keeps_plan(directory, {made.hash, {{"ready-made", "sha256:1"}}}, {{"ready-made", "sha256:2"}}, false));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("ready-made with another version, and is kept"));
  options.plan.kv = 0.5;

  Plan edited = small_.plan;
  edited.layers[0].mixer = parse_mixer("none");
  write_plan(directory / "plan.json", edited);
  testing::internal::CaptureStderr();
  EXPECT_TRUE(asks(made));
  EXPECT_TRUE(asks({}, false));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("changed by hand, and is kept"), HasSubstr("is there, and kept")));
  EXPECT_EQ(read_plan(directory / "plan.json").hash(), edited.hash());
}

TEST_F(BoostCommand, SecondsOfAllRunsAddUp) {
  BoostDirectory directory{"small", small_.base, small_.model_hash, 64, {"sha256:1", {{"kv", 0.5}}}, 12.3456, 3};
  write_boost_directory(small_.root, directory, {{"seconds", 1}, {"command", "layerboost boost"}});
  const Json json = read_json(small_.root / "boost.json");
  EXPECT_EQ(json["run"]["seconds"], 12.346);
  EXPECT_EQ(json["run"]["command"], "layerboost boost");
  const BoostDirectory read = read_boost_directory(small_.root);
  EXPECT_EQ(read.seconds, 12.346);
  EXPECT_EQ(read.runs, 3);
  EXPECT_EQ(read.positions, 64);
  EXPECT_EQ(read.plan.hash, "sha256:1");
  EXPECT_EQ(read.plan.options, directory.plan.options);
  directory.plan.options = {{"--kv", 0.5}};  // as earlier versions wrote it
  write_boost_directory(small_.root, directory, {{"seconds", 1}});
  EXPECT_EQ(read_boost_directory(small_.root).plan.options, read.plan.options);
}

TEST_F(BoostCommand, SaysWhatItCameTo) {
  const OpenedModel unchanged = open_model_argument(small_.base, "", Precision::bf16),
                    planned = open_model_argument(small_.base, healed_plan(small_.healed), Precision::bf16);
  const fs::path out = small_.root / "summary";
  const auto quality = [&](const char* name, double ppl, double found, const Json& text) {
    write_json(out / name, {{"perplexity", {{"ppl", ppl}}},
                            {"kl", {{"nll_change", 0.0125}, {"nll_change_stderr", 0.002}}},
                            {"retrieval", {{{"length", 512}, {"plain", {{"found", found}}}}}},
                            {"data", {{"text", text}}}});
  };
  const auto speed = [&](const char* name, double factor) {
    Json rows = Json::array();
    for (const int sequences : {1, 64})
      for (const int prompt : {256, 1024})
        rows.push_back({{"pp", prompt}, {"pl", sequences}, {"speed_tg", factor * (sequences + prompt)}});
    write_json(out / name, {{"rows", rows}});
  };
  quality("quality.base.json", 10, 1, {{"file", "a/book.txt"}});
  quality("quality.plan.json", 11, 0.9, {{"file", "a/book.txt"}});
  speed("speed.base.json", 1);
  speed("speed.plan.json", 1.5);
  const std::string text = boost_summary(out, unchanged, planned);
  EXPECT_THAT(text, HasSubstr("  memory     "));
  EXPECT_THAT(text, HasSubstr("1088 -> 1632 tokens a second, writing 64 sequences of 1024 tokens (1.50 times)"));
  EXPECT_THAT(text, HasSubstr("perplexity 10.000 -> 11.000 on book.txt (NLL +0.0125 ± 0.0020 nats a token)"));
  EXPECT_THAT(text, HasSubstr("100 -> 90 % in 512 tokens"));
  EXPECT_THAT(text, HasSubstr("layerboost serve " + out.string()));

  // Healed, on text of the model's own: that counts, and not as a perplexity.
  quality("quality.healed.json", 10.1, 1, {{"file", "written.txt"}, {"written_by_model", true}});
  const std::string own = boost_summary(out, unchanged, planned);
  EXPECT_EQ(own.find("perplexity"), std::string::npos);
  EXPECT_THAT(own, AllOf(HasSubstr("NLL +0.0125 ± 0.0020 nats a token, on text that the model wrote itself"),
                         HasSubstr("100 -> 100 % in 512 tokens")));
}

TEST(BoostEstimate, RoomIsCheckedByStep) {
  const std::vector<StepEstimate> steps = {{"1/6 analyze", "all", 90, std::size_t{3} << 30, true},
                                           {"2/6 plan", "some", 30, std::size_t{2} << 30, false}};
  const auto message = [&](std::size_t memory, std::size_t disk) {
    return test::error_of([&] { check_room(steps, memory, testing::TempDir(), disk); });
  };
  check_room(steps, std::size_t{2} << 30, testing::TempDir(), 1);  // what is done needs nothing
  EXPECT_THAT(message(std::size_t{1} << 30, 1), HasSubstr("2/6 plan (some) would need about 2.0 GiB of memory"));
  EXPECT_THAT(message(std::size_t{2} << 30, std::size_t{1} << 60), HasSubstr("MiB left"));
  EXPECT_THAT(to_table(steps), AllOf(HasSubstr("there already"), HasSubstr("about 30 s")));
}

}  // namespace
}  // namespace layerboost
