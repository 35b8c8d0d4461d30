#include "heal/heal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "artifact/adapter.h"
#include "artifact/healed_directory.h"
#include "base/error.h"
#include "base/error_for_tests.h"
#include "heal/model_for_tests.h"

namespace layerboost {
namespace {

class HealTest : public testing::Test {
 protected:
  HealTest() {
    options_.text = {folder_.corpus("text.jsonl", 60, 80)};
    options_.tokens = 2048;
    options_.length = 32;
    options_.batch = 128;
    options_.lora = {4, 8};
    options_.rate = 5e-3;
    run_.precision = "f32";
  }

  HealResult run(const std::vector<MixerSpec>& specs, const char* directory) {
    const fs::path path = folder_.plan(specs);
    return run(HealPlan{read_plan(path, folder_.model().config, folder_.model().hash), path}, directory);
  }
  HealResult run(const HealPlan& plan, const char* directory) {
    return heal(folder_.model(), plan, options_, folder_.path(directory), run_);
  }
  Adapter adapter_in(const char* directory) {
    const fs::path path = folder_.path(directory);
    return read_adapter(healed_adapter(path), folder_.model().config, folder_.model().hash,
                        read_plan(healed_plan(path)).hash());
  }
  /// To heal on what was healed there.
  HealPlan healed_in(const char* directory) {
    const fs::path path = folder_.path(directory);
    return {read_plan(healed_plan(path)), healed_plan(path), adapter_in(directory), file_hash(healed_adapter(path))};
  }

  test::HealFolder folder_{"heal-test"};
  HealOptions options_;
  RunInfo run_;
};

TEST_F(HealTest, WritesAModelThatIsBetter) {
  options_.measure_every = 1;  // after each step
  const HealResult result = run({parse_mixer("softmax"), parse_mixer("window:2"), parse_mixer("none")}, "out");
  EXPECT_LT(result.after.kl, result.before.kl);
  EXPECT_EQ(result.steps, 16);

  const fs::path out = folder_.path("out");
  const HealedDirectory healed = read_healed_directory(out);
  EXPECT_EQ(healed.adapter_hash, file_hash(healed_adapter(out)));
  EXPECT_EQ(healed.figures["tokens"], 2048);
  const Config& config = folder_.model().config;
  const Plan plan = read_plan(healed_plan(out), config, folder_.model().hash);
  const Adapter adapter = read_adapter(healed_adapter(out), config, folder_.model().hash, plan.hash());
  EXPECT_EQ(adapter.step, result.best_step);
  EXPECT_EQ(adapter.pairs.size(), 7U + 3U);  // layer 1, and the MLP of layer 2
  EXPECT_TRUE(adapter.pairs.contains("layers.1.q"));
  EXPECT_FALSE(adapter.pairs.contains("layers.2.q"));
  const std::string log = read_file(healed_log(out));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 16 + 17);

  EXPECT_EQ(run({parse_mixer("softmax"), parse_mixer("window:2"), parse_mixer("none")}, "out").after.kl,
            result.after.kl);
}

TEST_F(HealTest, MixersWithParametersLearnFirst) {
  options_.tokens = 512;
  options_.match_tokens = 40 * 128;
  options_.match_rate = 0.02;
  const HealResult result = run({parse_mixer("hybrid:4"), parse_mixer("softmax"), parse_mixer("softmax")}, "out");
  EXPECT_EQ(result.steps, 40 + 4);
  const std::string log = read_file(healed_log(folder_.path("out")));
  std::vector<double> distances;
  for (std::size_t begin = 0; begin < log.size(); begin = log.find('\n', begin) + 1) {
    const Json line = parse_json(log.substr(begin, log.find('\n', begin) - begin), "log");
    if (line.contains("match")) distances.push_back(line["match"].get<double>());
  }
  ASSERT_EQ(distances.size(), 40U);
  const auto sum = [](auto from, auto to) { return std::accumulate(from, to, 0.0); };
  EXPECT_LT(sum(distances.end() - 15, distances.end()), 0.97 * sum(distances.begin(), distances.begin() + 15));
  const Config& config = folder_.model().config;
  const Plan plan = read_plan(healed_plan(folder_.path("out")), config, folder_.model().hash);
  EXPECT_FALSE(
      read_adapter(healed_adapter(folder_.path("out")), config, folder_.model().hash, plan.hash()).mixer.empty());
}

/// With other text, a run begins where an earlier one ended: LoRA and mixers' own parameters.
TEST_F(HealTest, BeginsWithAnAdapter) {
  options_.match_tokens = 512;
  const HealResult first = run({parse_mixer("hybrid:4"), parse_mixer("window:2"), parse_mixer("none")}, "first");
  options_.text = {folder_.corpus("other.jsonl", 60, 80)};
  options_.valid = folder_.corpus("text.jsonl", 60, 80);
  options_.match_tokens = 0;
  options_.rate = 1e-9;  // stays where it was
  options_.tokens = 128;
  const HealPlan healed = healed_in("first");
  run(healed, "second");
  const Adapter before = adapter_in("first"), after = adapter_in("second");
  for (const auto& [name, pair] : before.pairs) {
    EXPECT_THAT(after.pairs.at(name).a, testing::Pointwise(testing::FloatNear(1e-6F), pair.a)) << name;
    EXPECT_THAT(after.pairs.at(name).b, testing::Pointwise(testing::FloatNear(1e-6F), pair.b)) << name;
  }
  for (const auto& [name, parameter] : before.mixer)
    EXPECT_THAT(after.mixer.at(name).values, testing::Pointwise(testing::FloatNear(1e-6F), parameter.values)) << name;
  EXPECT_EQ(after.tokens, before.tokens + after.step * options_.tokens_per_step());
  const Json from = read_healed_directory(folder_.path("second")).figures["from"];
  EXPECT_EQ(from["adapter"], healed.from_hash);
  EXPECT_EQ(from["tokens"], before.tokens);
  EXPECT_GT(first.steps, 0);
}

TEST_F(HealTest, RefusesToGoOnFromAnotherAdapter) {
  const std::vector<MixerSpec> specs = {parse_mixer("softmax"), parse_mixer("window:2"), parse_mixer("softmax")};
  run(specs, "first");
  HealPlan healed = healed_in("first");
  run(healed, "second");
  const auto message = [&](const HealPlan& plan, const char* directory) {
    return test::error_of([&] { run(plan, directory); });
  };
  EXPECT_EQ(message(healed, "second"), "no error");  // the same again: nothing left to do
  healed.from_hash = "sha256:other";
  EXPECT_THAT(message(healed, "second"), testing::HasSubstr("from"));
  healed.from.reset();  // from the plan alone
  EXPECT_THAT(message(healed, "second"), testing::HasSubstr("from"));
  healed = healed_in("first");
  options_.lora.alpha = 9;
  EXPECT_THAT(message(healed, "third"), testing::HasSubstr("has alpha 8: give `alpha` 8"));
  options_.lora = {2, 8};
  EXPECT_THAT(message(healed, "third"), testing::HasSubstr("has rank 4 for layers.1.q: give `rank` 4"));
}

TEST_F(HealTest, TextThatTheModelWrites) {
  options_.text = {"self"};
  options_.tokens = 256;
  options_.held_out = 2;
  options_.lora.rank = 2;
  EXPECT_EQ(run({parse_mixer("softmax"), parse_mixer("window:2"), parse_mixer("softmax")}, "out").steps, 2);
}

TEST_F(HealTest, ARefusedRunLeavesTheOtherAsItWas) {
  run({parse_mixer("softmax"), parse_mixer("window:2"), parse_mixer("softmax")}, "out");
  const fs::path out = folder_.path("out");
  const std::string plan = read_file(healed_plan(out)), adapter = read_file(healed_adapter(out));
  EXPECT_THROW(run({parse_mixer("softmax"), parse_mixer("none"), parse_mixer("softmax")}, "out"), Error);
  EXPECT_EQ(read_file(healed_plan(out)), plan);
  EXPECT_EQ(read_file(healed_adapter(out)), adapter);
}

/// What is lost or damaged of a finished run is made again, the same; nothing makes damage valid.
TEST_F(HealTest, MakesAgainWhatIsLost) {
  options_.measure_every = 1;
  options_.rate = 0.05;  // too much: the best isn't the last
  const std::vector<MixerSpec> specs = {parse_mixer("softmax"), parse_mixer("window:2"), parse_mixer("none")};
  const HealResult result = run(specs, "out");
  EXPECT_LT(result.best_step, result.steps);
  const fs::path out = folder_.path("out");
  const std::string adapter = read_file(healed_adapter(out)), plan = read_file(healed_plan(out));
  std::string damaged = adapter;
  damaged[damaged.size() - 100] ^= 0x40;
  const auto is_whole = [&] {
    run(specs, "out");
    return read_file(healed_adapter(out)) == adapter && read_file(healed_plan(out)) == plan && is_intact(out);
  };
  write_file(healed_adapter(out), damaged);
  EXPECT_TRUE(is_whole());
  fs::remove(healed_adapter(out));
  EXPECT_TRUE(is_whole());
  fs::remove(healed_plan(out));
  EXPECT_TRUE(is_whole());
  write_file(healed_file(out), "{");
  EXPECT_TRUE(is_whole());
  const std::string record = read_file(healed_file(out));
  EXPECT_TRUE(is_whole());
  EXPECT_EQ(read_file(healed_file(out)), record);
}

TEST_F(HealTest, RefusesToUndoWhatIsThere) {
  const std::vector<MixerSpec> specs = {parse_mixer("softmax"), parse_mixer("window:2"), parse_mixer("softmax")};
  run(specs, "out");
  const fs::path out = folder_.path("out");
  const auto message = [&] { return test::error_of([&] { run(specs, "out"); }); };
  const std::string plan = read_file(healed_plan(out));
  Plan edited = read_plan(healed_plan(out));
  edited.layers[2].mixer = parse_mixer("none");
  write_plan(healed_plan(out), edited);
  EXPECT_THAT(message(), testing::HasSubstr("is another plan than"));
  EXPECT_EQ(read_plan(healed_plan(out)).hash(), edited.hash());
  write_file(healed_plan(out), plan);

  const fs::path state = out / "checkpoint" / "state.bin";
  std::string bytes = read_file(state);
  bytes[bytes.size() / 2] ^= 1;
  write_file(state, bytes);
  EXPECT_THAT(message(), testing::HasSubstr("state.bin is damaged: remove it and"));
  write_file(state, "LBHEAL1\n");
  EXPECT_THAT(message(), testing::HasSubstr("earlier version"));
  const std::string adapter = read_file(healed_adapter(out));
  fs::remove_all(out / "checkpoint");
  EXPECT_THAT(message(), testing::HasSubstr("no checkpoint to go on from"));
  EXPECT_EQ(read_file(healed_adapter(out)), adapter);
  fs::remove(healed_file(out));
  run(specs, "out");  // begun again
  EXPECT_EQ(read_file(healed_adapter(out)), adapter);
}

TEST_F(HealTest, RefusesAPlanThatChangesNothing) {
  try {
    run(std::vector<MixerSpec>(3), "out");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("changes nothing"));
  }
}

}  // namespace
}  // namespace layerboost
