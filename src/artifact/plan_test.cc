#include "artifact/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifact/analysis_for_tests.h"
#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

Plan example() {
  Plan plan;
  plan.model_name = "test";
  plan.model_hash = "sha256:m";
  plan.made_from = MadeFrom{"sha256:a", "kl", 0.1, "kv 0.3 at 2048", "additive", "layerboost plan a.json"};
  plan.layers = {{softmax_spec, {{none_spec, {{"kl", 0.123456}}}, {window64, {{"kl", 0.01}, {"retrieval", 1}}}}},
                 {window64, {}},
                 {none_spec, {}},
                 {map_spec, {}}};
  plan.predicted = Predicted{0.25, "kl + 0.1 retrieval", 0.3, 2048, 123456, 60.28125, 0.29, 1.5, 64, 1024};
  plan.maps = MapsFile{"p.maps.safetensors", "sha256:x"};
  return plan;
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() : path_(test::temporary_path("plan_test.json")) {
    write_plan(path_, example());
    text_ = read_file(path_);
  }
  ~PlanTest() override { fs::remove(path_); }

  std::string message_of(const std::string& text) {
    write_file(path_, text);
    const std::string message = test::error_of([&] { read_plan(path_); });
    EXPECT_THAT(message, testing::AnyOf("no error", HasSubstr(path_.string())));
    return message;
  }

  std::string message_after(const std::string& from, const std::string& to) {
    std::string text = text_;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return message_of(text.replace(at, from.size(), to));
  }

  fs::path path_;
  std::string text_;
};

TEST_F(PlanTest, HasALineForEachLayer) {
  EXPECT_THAT(text_, HasSubstr("\n    {\"layer\": 1, \"mixer\": \"window\", \"window\": 64, \"sinks\": 4},\n"
                               "    {\"layer\": 2, \"mixer\": \"none\"},\n"));
  EXPECT_THAT(text_, HasSubstr("\"scores\": {\"window:64+4\": {\"kl\": 0.01, \"retrieval\": 1.0}, "
                               "\"none\": {\"kl\": 0.1235}}"));
}

TEST_F(PlanTest, ReadsBackWhatItWrote) {
  const Plan read = read_plan(path_), plan = example();
  EXPECT_EQ(read.specs(), plan.specs());
  EXPECT_EQ(read.hash(), plan.hash());
  EXPECT_EQ(read.made_from->budget, "kv 0.3 at 2048");
  EXPECT_EQ(read.layers[0].scores.at(window64).at("retrieval"), 1);
  EXPECT_EQ(read.predicted->loss_by, "kl + 0.1 retrieval");
  EXPECT_EQ(*read.predicted->measured_loss, 0.3);
  EXPECT_EQ(*read.predicted->speedup, 1.5);
  EXPECT_EQ(read.predicted->kv_bytes, 123456);
  write_plan(path_, read);
  EXPECT_EQ(read_file(path_).size(), text_.size());
}

TEST_F(PlanTest, ReadsWhatAPersonWrote) {
  EXPECT_EQ(message_of(R"({"format": "layerboost-plan", "version": 1, "model": {"hash": "sha256:m"}, "layers": [
    {"layer": 1, "mixer": "window", "window": 32}, {"layer": 0, "mixer": "softmax"}]})"),
            "no error");
  EXPECT_EQ(read_plan(path_).specs(), (std::vector<MixerSpec>{softmax_spec, {MixerKind::window, 32, 0}}));
}

TEST_F(PlanTest, HashTellsWhatChangesTheModel) {
  Plan plan = example();
  const std::string before = plan.hash();
  plan.predicted.reset();
  plan.layers[0].scores.clear();
  EXPECT_EQ(plan.hash(), before);
  plan.layers[1].mixer.window = 65;
  EXPECT_NE(plan.hash(), before);
}

TEST_F(PlanTest, SaysWhatIsWrongWhere) {
  EXPECT_THAT(message_after("layerboost-plan", "x"), HasSubstr("\"format\" is \"x\"; expected \"layerboost-plan\""));
  EXPECT_THAT(message_after("\"version\": 1", "\"version\": 9"), HasSubstr("\"version\" is 9; this program reads"));
  EXPECT_THAT(message_after("\"made_from\"", "\"from\""), HasSubstr("unknown key \"from\"; allowed: format, version"));
  EXPECT_THAT(message_after("\"layer\": 1", "\"layer\": 4"), HasSubstr("layer 4: out of range"));
  EXPECT_THAT(message_after("\"layer\": 1", "\"layer\": 0"), HasSubstr("layer 0: is there twice"));
  EXPECT_THAT(message_after("\"layer\": 1, ", ""), HasSubstr("missing key \"layer\""));
  EXPECT_THAT(
      message_after("\"mixer\": \"none\"", "\"mixer\": \"linear\""),
      HasSubstr("layer 2: \"mixer\" is \"linear\"; allowed: softmax, window, hybrid, gated, dual_state, map, none"));
  EXPECT_THAT(message_after("\"window\": 64", "\"window\": 0"), HasSubstr("layer 1: \"window\" is 0; it must be"));
  EXPECT_THAT(message_after("\"window\": 64", "\"window\": 1.5"), HasSubstr("\"window\" is 1.5; it must be"));
  EXPECT_THAT(message_after("\"window\": 64, ", ""), HasSubstr("layer 1: missing key \"window\""));
  EXPECT_THAT(message_after("\"sinks\": 4", "\"sinks\": -1"), HasSubstr("\"sinks\" is -1; it must be"));
  EXPECT_THAT(message_after("\"sinks\"", "\"sink\""), HasSubstr("unknown key \"sink\"; allowed: layer, mixer, window"));
  EXPECT_THAT(message_after("\"mixer\": \"none\"", "\"mixer\": \"none\", \"sinks\": 4"),
              HasSubstr("layer 2: \"sinks\" goes with the mixers window and hybrid only, not with \"none\""));
  EXPECT_THAT(message_after("p.maps", "../p.maps"), HasSubstr("maps: \"file\" is \"../p.maps"));
  EXPECT_THAT(message_after("\"none\": {\"kl\"", "\"nix\": {\"kl\""), HasSubstr("scores: unknown mixer \"nix\""));
  EXPECT_THAT(message_of(text_.substr(0, text_.size() / 2)), HasSubstr("not valid JSON"));
  EXPECT_THAT(message_after("\"version\": 1", "\"version\": true"), HasSubstr("\"version\" is true; this program"));
  EXPECT_THAT(message_after("\"version\": 1", "\"version\": 4294967297"), HasSubstr("\"version\" is 4294967297;"));
  EXPECT_THAT(message_after("\"mixer\": \"none\"", "\"mixer\": \"none\", \"mixer\": \"map\""),
              HasSubstr("the key \"mixer\" appears twice"));
  EXPECT_THAT(message_after("\"hash\": \"sha256:m\"", "\"hash\": \"sha256:m\", \"\\u001b[2J\": 1"),
              HasSubstr("unknown key \"\\x1b[2J\""));
  const std::string maps = ",\n  \"maps\": {\"file\": \"p.maps.safetensors\", \"hash\": \"sha256:x\"}";
  EXPECT_THAT(message_after(maps, ""), HasSubstr("layer 3: \"mixer\" is \"map\", but the plan has no key \"maps\""));
}

TEST_F(PlanTest, KeepsHybridAndGated) {
  Plan plan = example();
  plan.layers[0].mixer = parse_mixer("hybrid:64+4");
  plan.layers[1].mixer = parse_mixer("gated:128");
  plan.layers[1].scores = {{parse_mixer("gated:128"), {{"kl", 0.5}}}};
  write_plan(path_, plan);
  EXPECT_EQ(read_plan(path_).specs(), plan.specs());
  EXPECT_EQ(read_plan(path_).layers[1].scores, plan.layers[1].scores);
}

TEST_F(PlanTest, KeepsFullHeads) {
  Plan plan = example();
  plan.layers[1].mixer = parse_mixer("window:64+4/full:0,2");
  write_plan(path_, plan);
  text_ = read_file(path_);
  EXPECT_THAT(text_, HasSubstr("\"window\": 64, \"sinks\": 4, \"full\": [0, 2]}"));
  EXPECT_EQ(read_plan(path_).specs(), plan.specs());
  EXPECT_NE(plan.hash(), example().hash());

  Config config = empty_analysis(4).model.config;
  config.max_positions = 100;
  const auto message_for = [&](int kv_heads) {
    config.kv_heads = kv_heads;
    return test::error_of([&] { read_plan(path_, config, "sha256:m"); });
  };
  EXPECT_EQ(message_for(4), "no error");
  EXPECT_THAT(message_for(2), HasSubstr("layer 1: window:64+4/full:0,2 names KV heads that test doesn't have"));
  EXPECT_THAT(message_after("[0, 2]", "[0, 1]"), "no error");
  EXPECT_THAT(message_for(2), HasSubstr("layer 1: window:64+4/full:0,1 names all KV heads of test: say softmax"));
  config.max_positions = 63;
  EXPECT_THAT(message_for(4), HasSubstr("layer 1: the window of window:64+4/full:0,1 is wider than the 63 positions"));
  EXPECT_THAT(message_after("[0, 2]", "[0, 0]"), HasSubstr("\"full\" is [0,0]; it must list KV heads from 0 to 63"));
  EXPECT_THAT(message_after("[0, 2]", "[64]"), HasSubstr("\"full\" is [64]; it must list KV heads"));
  EXPECT_THAT(message_after("[0, 2]", "[]"), HasSubstr("\"full\" is empty"));
  EXPECT_THAT(message_after("[0, 2]", "\"0\""), HasSubstr("\"full\" has the wrong type"));
  EXPECT_THAT(message_after("\"mixer\": \"none\"", "\"mixer\": \"none\", \"full\": [1]"),
              HasSubstr("layer 2: \"full\" (KV heads that keep everything) doesn't go with \"none\""));
}

TEST_F(PlanTest, KeepsNoMoreSinksThanThereArePositions) {
  Config config = empty_analysis(4).model.config;
  config.max_positions = 4;
  EXPECT_EQ(read_plan(path_, config, "sha256:m").layers.size(), 4U);
  config.max_positions = 3;
  EXPECT_THAT(test::error_of([&] { read_plan(path_, config, "sha256:m"); }),
              HasSubstr("layer 1: \"sinks\" is 4; test has 3 positions"));
}

TEST_F(PlanTest, RefusesAnotherModelsPlan) {
  Config config = empty_analysis(4).model.config;
  config.max_positions = 2048;
  EXPECT_EQ(read_plan(path_, config, "sha256:m").layers.size(), 4U);
  try {
    read_plan(path_, config, "sha256:other");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("is test (sha256:m), but the model given is test (sha256:other)"));
  }
  EXPECT_THROW(read_plan(path_, empty_analysis(5).model.config, "sha256:m"), Error);
}

TEST_F(PlanTest, MapsAreChecked) {
  Plan plan = example();
  const Config config = empty_analysis(4).model.config;
  EXPECT_THROW(read_plan_maps(plan, path_, config), Error);  // no such file
  const fs::path file = path_.parent_path() / plan.maps->file;
  write_file(file, "something else");
  try {
    read_plan_maps(plan, path_, config);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("has changed since"));
  }
  fs::remove(file);
}

}  // namespace
}  // namespace layerboost
