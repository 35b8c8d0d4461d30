#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifact/analysis_for_tests.h"
#include "artifact/plan.h"
#include "base/error.h"
#include "base/temporary_path_for_tests.h"
#include "cli/plan_options.h"
#include "cli/run_for_tests.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// In a folder with analysis.json, of 30 layers with random scores and a model that isn't there.
class PlanCommand : public testing::Test {
 protected:
  PlanCommand() {
    fs::create_directories(folder_);
    Analysis analysis = random_analysis(30, 1);
    analysis.choices = {none_spec, window64, window256};
    for (auto& [layer, scores] : analysis.layers) scores.choices.erase(map_spec);
    write_analysis(folder_ / "analysis.json", analysis);
  }
  ~PlanCommand() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string in_folder(const std::string& name) const { return (folder_ / name).string(); }

  [[nodiscard]] ProgramResult plan(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"plan", in_folder("analysis.json"), "-o", in_folder("plan.json")});
    return run_and_read(flags);
  }

  void expect_refused(const std::vector<std::string>& flags, const std::string& part) const {
    const ProgramResult result = plan(flags);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_FALSE(fs::exists(folder_ / "plan.json"));
  }

  const fs::path folder_ = test::temporary_path("plan_command_test");
};

TEST_F(PlanCommand, WritesAPlanThatInfoDraws) {
  const ProgramResult made = plan({"--kv", "0.3", "--keep", "2,3", "--json", in_folder("result.json")});
  EXPECT_EQ(made.code, 0);
  EXPECT_THAT(made.out, AllOf(HasSubstr("kl + 1 retrieval"), HasSubstr("next: layerboost eval")));
  EXPECT_THAT(made.err, HasSubstr("no speed predicted"));
  const Plan plan = read_plan(folder_ / "plan.json");
  EXPECT_LE(plan.predicted->kv_fraction, 0.3);
  EXPECT_EQ(plan.layers[2].mixer, softmax_spec);
  EXPECT_EQ(plan.made_from->budget, "kv 0.3 at 2048, keep 2,3");
  const Json result = read_json(folder_ / "result.json");
  EXPECT_EQ(result["run"]["plan"], plan.hash());
  EXPECT_GT(result["curve"]["points"].size(), 20U);
  EXPECT_EQ(result["curve"]["points"][0]["command"],
            "layerboost plan analysis.json -o plan.json --keep 2,3 --kv 1.0000");

  const ProgramResult info = run_and_read({"info", in_folder("plan.json"), "--json", in_folder("info.json")});
  EXPECT_EQ(info.code, 0);
  EXPECT_THAT(info.out, AllOf(HasSubstr(plan.hash()), HasSubstr("kv 0.3 at 2048"), HasSubstr("  S  softmax")));
  EXPECT_EQ(info.out.find('\033'), std::string::npos);
  EXPECT_EQ(read_json(folder_ / "info.json")["plan"]["mixers"].size(), 30U);
}

TEST_F(PlanCommand, InfoSaysWhatAHandWrittenPlanSays) {
  EXPECT_EQ(plan({"--kv", "0.3"}).code, 0);
  Plan by_hand = read_plan(folder_ / "plan.json");
  by_hand.made_from = MadeFrom();
  by_hand.made_from->measure = "kl";
  write_plan(folder_ / "plan.json", by_hand);
  EXPECT_THAT(run_and_read({"info", in_folder("plan.json")}).out, HasSubstr("made      by kl\n"));
  by_hand.made_from = MadeFrom();
  by_hand.made_from->command = "an editor";
  write_plan(folder_ / "plan.json", by_hand);
  EXPECT_THAT(run_and_read({"info", in_folder("plan.json")}).out, Not(HasSubstr("made  ")));
}

TEST_F(PlanCommand, TakesThePapersSplit) {
  EXPECT_EQ(plan({"--by-removal", "--softmax", "10", "--none", "10"}).code, 0);
  const auto specs = read_plan(folder_ / "plan.json").specs();
  for (const MixerSpec& mixer : {softmax_spec, none_spec, window64})
    EXPECT_EQ(std::count(specs.begin(), specs.end(), mixer), 10) << to_string(mixer);
}

TEST_F(PlanCommand, TakesTheKneeWithoutABudget) {
  EXPECT_EQ(plan({}).code, 0);
  EXPECT_EQ(read_plan(folder_ / "plan.json").made_from->budget, "knee");
}

TEST_F(PlanCommand, ACurveShowsAPlanThatIsThereAlready) {
  std::vector<MixerSpec> specs(30, window256);
  specs[3] = {};
  const auto curve = [&] { return make_curve(folder_ / "analysis.json", {}, specs, Precision::bf16, {}); };
  const Json drawn = curve().value();
  int chosen = 0;
  for (const Json& point : drawn["points"]) {
    if (!point["chosen"].get<bool>()) continue;
    ++chosen;
    EXPECT_EQ(point["layers"][3], "softmax");
    EXPECT_EQ(point["layers"][4], "window:256+4");
  }
  EXPECT_EQ(chosen, 1);
  specs[7] = map_spec;
  EXPECT_FALSE(curve().has_value());  // the analysis leaves maps out
}

TEST_F(PlanCommand, ACurvesCommandsSayWhatIsntAsItComes) {
  PlanOptions options;
  EXPECT_EQ(plan_command_line("a.json", options), "layerboost plan a.json -o plan.json");
  options.by = "nll";
  options.retrieval_weight = 0.5;
  options.context = 512;
  options.softmax = 10;
  options.none = 4;
  options.keep = {0, 1};
  options.kv = 0.25;
  EXPECT_EQ(plan_command_line("a.json", options),
            "layerboost plan a.json -o plan.json --by nll --retrieval-weight 0.5 --context 512 --softmax 10 --none 4 "
            "--keep 0,1 --kv 0.2500");
}

TEST_F(PlanCommand, RefusesInOneLineWithNothingWritten) {
  expect_refused({"--softmax", "31"}, "--softmax 31");
  expect_refused({"--kv", "0.1", "--softmax", "10"}, "--kv 0.1: impossible here");
  expect_refused({"--keep", "30"}, "layers are 0 to 29");
  expect_refused({"--speedup", "2@64"}, "expected X@BATCHxCONTEXT");
  expect_refused({"--speedup", "2@64x1024"}, "give --model");
  expect_refused({"--search", "joint"}, "give --model");
  expect_refused({"--by-removal"}, "--by-removal needs");
  expect_refused({"--thresholds", "0.1,0.2"}, "must not be below");
  expect_refused({"--thresholds", "0.2,0.1", "--kv", "0.3"}, "no other budget");
  expect_refused({"--by", "speed"}, "allowed: kl");
  expect_refused({"--search", "guess"}, "see layerboost plan --help");
}

}  // namespace
}  // namespace layerboost
