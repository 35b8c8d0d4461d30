#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "artifact/boosted_directory.h"
#include "artifact/healed_for_tests.h"
#include "artifact/opened_model.h"
#include "base/error_for_tests.h"
#include "cli/run_for_tests.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class HealedModel : public testing::Test {
 protected:
  /// The one line that opening fails with.
  [[nodiscard]] std::string message(const std::string& plan = "") const {
    return test::error_of([&] { (void)open_model_argument(small_.healed, plan, Precision::f32); });
  }

  test::SmallHealed small_;
};

TEST_F(HealedModel, OpensWithPlanAndAdapter) {
  const OpenedModel opened = open_model_argument(small_.healed, "", Precision::f32);
  EXPECT_EQ(opened.model->hash, small_.model_hash);
  EXPECT_EQ(opened.plan_hash, small_.plan.hash());
  EXPECT_EQ(opened.adapter_hash, file_hash(healed_adapter(small_.healed)));
  EXPECT_EQ(opened.specs, small_.plan.specs());
  EXPECT_TRUE(opened.planned());
  EXPECT_FALSE(opened.original() || opened.exported());
  RunInfo run;
  opened.describe(run);
  EXPECT_EQ(run.to_json()["adapter"], opened.adapter_hash);

  const UnchangedModel unchanged(opened);
  ASSERT_NE(unchanged.get(), nullptr);
  EXPECT_NE(&unchanged.get()->model, opened.model.get());
  for (const Mixer* mixer : unchanged.get()->mixers) EXPECT_EQ(mixer->name(), "softmax");
}

/// A healed directory is healed on into another one, with its own plan. (That such a run begins with its adapter is
/// HealTest's; this model has no tokenizer to read text with.)
TEST_F(HealedModel, IsHealedOnElsewhere) {
  const std::string out = small_.root / "out";
  const auto message = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> command = {"heal", small_.healed};
    command.insert(command.end(), flags.begin(), flags.end());
    return run_and_read(command).err;
  };
  EXPECT_THAT(message({"-o", out, "--plan", healed_plan(small_.healed)}), HasSubstr("--plan: "));
  EXPECT_THAT(message({"-o", small_.healed}), HasSubstr("is what the run begins with"));
  EXPECT_THAT(message({"-o", out, "--length", "64"}), HasSubstr("tokenizer.json"));
  EXPECT_THAT(message({"-o", out, "--length", "64", "--rank", "3"}), HasSubstr("--rank 3: the adapter of"));
  EXPECT_FALSE(fs::exists(small_.root / "out" / "plan.json"));
  EXPECT_THAT(run_and_read({"heal", small_.base, "-o", small_.root / "new"}).err, HasSubstr("--plan FILE is missing"));
  EXPECT_FALSE(fs::exists(small_.root / "new"));
  // A directory of boost has a plan, too.
  const fs::path boosted = small_.root / "boosted";
  fs::create_directories(boosted);
  write_plan(boosted / "plan.json", small_.plan);
  write_boost_directory(boosted, {"small", small_.base, small_.model_hash, 512, {}, 0, 1}, Json::object());
  EXPECT_THAT(run_and_read({"heal", boosted, "-o", out, "--length", "64"}).err, HasSubstr("tokenizer.json"));
}

TEST_F(HealedModel, OriginalsAreComparedWithThemselves) {
  const OpenedModel plain = open_model_argument(small_.base, "", Precision::f32);
  EXPECT_TRUE(plain.original());
  EXPECT_EQ(UnchangedModel(plain).get(), nullptr);
  const OpenedModel planned = open_model_argument(small_.base, healed_plan(small_.healed), Precision::f32);
  const UnchangedModel unchanged(planned);
  ASSERT_NE(unchanged.get(), nullptr);
  EXPECT_EQ(&unchanged.get()->model, planned.model.get());
}

TEST_F(HealedModel, RefusesAnotherPlan) {
  Plan other = small_.plan;
  other.layers[3].mixer = {MixerKind::window, 4, 0};
  write_plan(small_.root / "other.json", other);
  EXPECT_THAT(message(small_.root / "other.json"), AllOf(HasSubstr("another plan"), HasSubstr(other.hash())));
  write_plan(healed_plan(small_.healed), other);
  EXPECT_THAT(message(), AllOf(HasSubstr("plan.json"), HasSubstr("has changed since it was healed")));
}

TEST_F(HealedModel, RefusesChangedOrMissingFiles) {
  small_.adapter.alpha = 4;
  write_adapter(healed_adapter(small_.healed), small_.adapter, DType::f32);
  EXPECT_THAT(message(), AllOf(HasSubstr("adapter.safetensors"), HasSubstr("has changed")));
  fs::remove(healed_adapter(small_.healed));
  EXPECT_THAT(message(), HasSubstr("adapter.safetensors is missing"));
}

TEST_F(HealedModel, RefusesAnotherBase) {
  Config other = small_.config;
  other.ffn = 32;
  test::write_small_model(small_.base, other);
  EXPECT_THAT(message(), AllOf(HasSubstr("made from the model"), HasSubstr(small_.model_hash)));
  fs::remove_all(small_.base);
  EXPECT_THAT(message(), AllOf(HasSubstr("nobody/knows"), HasSubstr(small_.base.string())));
}

TEST_F(HealedModel, ExportedIsAModelWithItsPlan) {
  const std::string exported = small_.root / "exported";
  EXPECT_EQ(run({"export", small_.healed, "-o", exported}), 0);
  const OpenedModel opened = open_model_argument(exported, "", Precision::f32);
  EXPECT_TRUE(opened.exported() && opened.planned() && !opened.original());
  EXPECT_EQ(opened.specs, small_.plan.specs());
  EXPECT_EQ(UnchangedModel(opened).get(), nullptr);
  fs::remove(fs::path(exported) / "plan.json");  // as transformers leaves it out
  EXPECT_EQ(open_model_argument(exported, "", Precision::f32).specs, small_.plan.specs());
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"export", small_.base, "-o", exported}), 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("a model without a plan"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"analyze", exported, "-o", small_.root / "analysis.json"}), 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("an exported model"));
}

TEST_F(HealedModel, ExportedWithMixersThatMakeNoSenseIsRefused) {
  const fs::path exported = small_.root / "exported";
  EXPECT_EQ(run({"export", small_.healed, "-o", exported}), 0);
  const Json config = read_json(exported / "config.json");
  const std::string plan = read_file(exported / "plan.json");
  const auto with_mixer = [&](std::size_t layer, const Json& mixer) {
    Json changed = config;
    changed["layerboost"]["mixers"][layer] = mixer;
    return changed;
  };
  Json none = config, few = config, word = config;
  none["layerboost"].erase("mixers");
  few["layerboost"]["mixers"].erase(0);
  word["layerboost"]["mixers"] = "softmax";
  const std::pair<Json, const char*> cases[] = {
      {none, "\"mixers\" should be a list of 4 entries"},
      {few, "\"mixers\" should be a list of 4 entries"},
      {word, "\"mixers\" should be a list of 4 entries"},
      {with_mixer(1, 7), "\"mixers\" should be texts"},
      {with_mixer(1, "sofmax"), "layer 1: unknown mixer \"sofmax\""},
      {with_mixer(1, ""), "layer 1: unknown mixer \"\""},
      {with_mixer(1, "window"), "layer 1: unknown mixer \"window\""},
      {with_mixer(1, "window:99999999"), "layer 1: unknown mixer"},
      {with_mixer(1, "window:8\n+2"), "layer 1: unknown mixer"},
      {with_mixer(1, "window:8+9999"), "layer 1: \"sinks\" is 9999"},
      {with_mixer(2, "softmax"), "layer 2: its mixer is softmax, but its attention was left out"},
      {with_mixer(1, "map"), "missing tensor \"model.layers.1.map.weight\""},
  };
  for (const auto& [changed, what] : cases) {
    write_json(exported / "config.json", changed);
    for (const bool with_plan : {true, false}) {
      fs::remove(exported / "plan.json");
      if (with_plan) write_file(exported / "plan.json", plan);
      testing::internal::CaptureStdout();
      testing::internal::CaptureStderr();
      EXPECT_EQ(run({"info", exported}), 2) << what;
      EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
      const std::string said = testing::internal::GetCapturedStderr();
      EXPECT_THAT(said, HasSubstr(what));
      EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    }
  }
}

TEST_F(HealedModel, IsDescribed) {
  const std::string json = small_.root / "info.json";
  testing::internal::CaptureStdout();
  EXPECT_EQ(run({"info", small_.healed, "--context", "100", "--json", json}), 0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), AllOf(HasSubstr("SW.S"), HasSubstr("rank 2")));
  const Json info = read_json(json);
  EXPECT_EQ(info["plan"]["hash"], small_.plan.hash());
  EXPECT_EQ(info["healing"]["figures"]["tokens"], 1000);
  EXPECT_EQ(info["memory"]["fraction"], (100 + 10 + 0 + 100) / 400.0);
  // Of an exported model too, although its own weights have no more attention in one layer.
  const std::string exported = small_.root / "exported";
  EXPECT_EQ(run({"export", small_.healed, "-o", exported}), 0);
  EXPECT_EQ(run({"info", exported, "--context", "100", "--json", json}), 0);
  EXPECT_EQ(read_json(json)["memory"]["fraction"], (100 + 10 + 0 + 100) / 400.0);
}

TEST_F(HealedModel, InfoSaysHowLongTextsMayBe) {
  const std::string json = small_.root / "info.json";
  const auto output = [&] {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run({"info", small_.base, "--json", json}), 0);
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_THAT(output(), Not(HasSubstr("read anew")));
  EXPECT_EQ(read_json(json)["model"]["longest_text"], small_.config.max_positions);
  Json config = read_json(small_.base / "config.json");
  config["rope_scaling"] = {{"rope_type", "dynamic"}, {"factor", 2}};
  write_json(small_.base / "config.json", config);
  EXPECT_THAT(output(), HasSubstr(fmt::format("beyond {} each token", small_.config.max_positions)));
  EXPECT_GT(read_json(json)["model"]["longest_text"], 40000);
}

TEST_F(HealedModel, StartsNoAnalysis) {
  try {
    (void)open_original_model(find_model_files(small_.healed), Precision::f32, "analyze");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("healed"), HasSubstr(small_.base.string())));
  }
}

}  // namespace
}  // namespace layerboost
