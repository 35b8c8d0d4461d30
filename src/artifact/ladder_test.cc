#include "artifact/ladder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artifact/healed_for_tests.h"
#include "artifact/opened_ladder.h"
#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

MixerSpec window_of(int width, int sinks = 4) { return {MixerKind::window, width, sinks}; }

LevelQuality figures_of(const Ladder& ladder, int level) {
  LevelQuality quality;
  quality.mixers = ladder.level_hash(level);
  quality.kl = 0.001 * level;
  quality.perplexity = 10 + level;
  quality.perplexity_ratio = 1 + 0.1 * level;
  quality.retrieval = {{512, 0.9, 1, 0}, {1024, 0.8, 0.75, 0.5}};
  quality.kv_bytes = 1000 - level;
  quality.kv_fraction = 1 - 0.1 * level;
  quality.speedup = 1 + level;
  if (level == 1) quality.decode_speed = 123.5;
  return quality;
}

/// Four layers, of which one climbs twice.
Ladder example_ladder() {
  Ladder ladder;
  ladder.model_name = "small";
  ladder.model_hash = "sha256:m";
  ladder.level_0 = {full_attention, full_attention, window_of(600), no_mixer};
  ladder.rungs = {{1, window_of(512)}, {2, window_of(128)}, {1, window_of(128)}, {0, no_mixer}};
  ladder.quality.resize(5);
  for (int level = 0; level < 3; ++level) ladder.quality[static_cast<std::size_t>(level)] = figures_of(ladder, level);
  ladder.measured_on = {{"text", "valid.jsonl"}};
  return ladder;
}

class LadderFile : public testing::Test {
 protected:
  LadderFile() : path_(test::temporary_path("ladder_test.json")) {
    write_ladder(path_, example_ladder());
    text_ = read_file(path_);
  }
  ~LadderFile() override { fs::remove(path_); }

  std::string message_of(const std::string& text) {
    write_file(path_, text);
    const std::string message = test::error_of([&] { read_ladder(path_); });
    EXPECT_THAT(message, AnyOf("no error", HasSubstr(path_.string())));
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message;
  }

  std::string message_after(const std::string& from, const std::string& to) {
    std::string text = text_;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return message_of(text.replace(at, from.size(), to));
  }

  /// How many levels have figures in the file as it is.
  [[nodiscard]] std::vector<int> measured_levels() const {
    const Ladder ladder = read_ladder(path_);
    std::vector<int> levels;
    for (int level = 0; level <= ladder.top(); ++level)
      if (ladder.quality[static_cast<std::size_t>(level)]) levels.push_back(level);
    return levels;
  }

  fs::path path_;
  std::string text_;
};

TEST_F(LadderFile, HasALineForEachRung) {
  EXPECT_THAT(text_, HasSubstr("\n    {\"layer\": 1, \"mixer\": \"window:512+4\"},\n"
                               "    {\"layer\": 2, \"mixer\": \"window:128+4\"},\n"));
}

TEST_F(LadderFile, ReadsBackWhatItWrote) {
  const Ladder read = read_ladder(path_), ladder = example_ladder();
  EXPECT_EQ(read.rungs, ladder.rungs);
  EXPECT_EQ(read.level_0, ladder.level_0);
  ASSERT_EQ(read.quality.size(), 5U);
  const LevelQuality& level = read.quality[1].value();
  EXPECT_EQ(level.kl, 0.001);
  EXPECT_EQ(level.kv_bytes, 999);
  EXPECT_EQ(level.kept(), 0.75);
  EXPECT_EQ(level.decode_speed, 123.5);
  EXPECT_FALSE(read.quality[2]->decode_speed);
  EXPECT_FALSE(read.quality[3]);
  write_ladder(path_, read);
  EXPECT_EQ(read_file(path_), text_);
}

TEST_F(LadderFile, ALevelHasTheRungsBelow) {
  const Ladder ladder = example_ladder();
  EXPECT_EQ(ladder.specs(0), ladder.level_0);
  EXPECT_THAT(ladder.specs(2), ElementsAre(full_attention, window_of(512), window_of(128), no_mixer));
  EXPECT_THAT(ladder.specs(4), ElementsAre(no_mixer, window_of(128), window_of(128), no_mixer));
}

TEST_F(LadderFile, EditedRungsLoseTheFiguresOfTheLevelsTheyChange) {
  EXPECT_THAT(measured_levels(), ElementsAre(0, 1, 2));
  // Two rungs change places: what both together give stays true.
  const std::string first = "{\"layer\": 1, \"mixer\": \"window:512+4\"}",
                    second = "{\"layer\": 2, \"mixer\": \"window:128+4\"}";
  testing::internal::CaptureStderr();
  EXPECT_EQ(message_after(first + ",\n    " + second, second + ",\n    " + first), "no error");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("1 level has changed since it was measured"));
  EXPECT_THAT(measured_levels(), ElementsAre(0, 2));
  // A rung less: the levels above it are others.
  EXPECT_EQ(message_after(first + ",\n    ", ""), "no error");
  EXPECT_THAT(measured_levels(), ElementsAre(0));
  // No rung at all is a ladder, too.
  EXPECT_EQ(message_of(R"({"format": "layerboost-ladder", "version": 1, "model": {"name": "m", "hash": "sha256:m"},
    "level_0": {"mixers": ["softmax"]}, "rungs": []})"),
            "no error");
  EXPECT_EQ(read_ladder(path_).top(), 0);
}

TEST_F(LadderFile, RefusesRungsThatMakeNoSense) {
  const std::string rung = "{\"layer\": 1, \"mixer\": \"window:128+4\"}";
  const auto with = [&](const std::string& other) { return message_after(rung, other); };
  EXPECT_THAT(with("{\"layer\": 4, \"mixer\": \"none\"}"),
              HasSubstr("rung 3: \"layer\" is 4; the model's layers are 0"));
  EXPECT_THAT(with("{\"layer\": -1, \"mixer\": \"none\"}"), HasSubstr("\"layer\" is -1"));
  EXPECT_THAT(with("{\"layer\": 1e3, \"mixer\": \"none\"}"), HasSubstr("\"layer\""));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"linear\"}"), HasSubstr("rung 3: unknown mixer \"linear\""));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"window:512+4\"}"), HasSubstr("rung 3, layer 1: changes nothing"));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"window:513+4\"}"), HasSubstr("never gives back what it took"));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"window:128+4/full:0\"}"), HasSubstr("never gives back"));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"softmax\"}"), HasSubstr("never gives back"));
  EXPECT_THAT(with("{\"layer\": 3, \"mixer\": \"window:1\"}"), HasSubstr("never gives back"));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"map\"}"), HasSubstr("learnt for each layer"));
  EXPECT_THAT(with("{\"layer\": 0, \"mixer\": \"dual_state\"}"), HasSubstr("learnt for each layer"));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"window:99999999999999999999\"}"), HasSubstr("rung 3: "));
  EXPECT_EQ(with("{\"layer\": 1, \"mixer\": \"none\"}"), "no error");
  EXPECT_EQ(with("{\"layer\": 0, \"mixer\": \"window:128+4/full:0\"}"), "no error");
  EXPECT_EQ(with("{\"layer\": 0, \"mixer\": \"hybrid:512+4\"}"), "no error");
  // Whatever was kept can be folded, and takes no more memory.
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"window:128+5\"}"), HasSubstr("no more sinks"));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"window:514+2\"}"), HasSubstr("no wider window"));
  EXPECT_THAT(with("{\"layer\": 1, \"mixer\": \"hybrid:128+4\"}"), HasSubstr("no linear state"));
  EXPECT_THAT(with("{\"layer\": 0, \"mixer\": \"gated:64\"}"), HasSubstr("rung 3, layer 0: gated:64 can't take"));
}

TEST(MayFollow, NeverGivesBackWhatWasTaken) {
  const auto follows = [](const char* from, const char* to) { return may_follow(parse_mixer(from), parse_mixer(to)); };
  EXPECT_TRUE(follows("softmax", "window:128+9"));
  EXPECT_TRUE(follows("softmax", "hybrid:128+4"));
  EXPECT_FALSE(follows("softmax", "gated:128"));
  EXPECT_FALSE(follows("hybrid:128+4", "gated:64"));
  EXPECT_TRUE(follows("gated:128", "window:128"));
  EXPECT_FALSE(follows("gated:128", "window:64+4"));
  EXPECT_TRUE(follows("hybrid:128+4", "hybrid:64+4"));
  EXPECT_TRUE(follows("hybrid:128+4", "window:128+4"));
  EXPECT_FALSE(follows("window:128+4", "hybrid:64+4"));
  EXPECT_FALSE(follows("window:128+4/full:0", "hybrid:64+4"));
  EXPECT_TRUE(follows("window:128+4", "window:128"));
  EXPECT_FALSE(follows("window:128+4", "window:130"));
  EXPECT_FALSE(follows("window:128+4", "window:64+5"));
  EXPECT_TRUE(follows("window:128+4/full:0,1", "window:128+4/full:1"));
  EXPECT_FALSE(follows("window:128+4", "softmax"));
  EXPECT_TRUE(follows("window:1", "none"));
  EXPECT_FALSE(follows("none", "window:1"));
}

TEST_F(LadderFile, IsNoLargerThanAnyModelNeeds) {
  const auto with = [&](int layers, int rungs) {
    Ladder ladder = example_ladder();
    ladder.quality.clear();
    ladder.rungs.clear();
    ladder.level_0.assign(static_cast<std::size_t>(layers), full_attention);
    for (int i = 0; i < rungs; ++i) ladder.rungs.push_back({0, window_of(100000 - i)});
    write_ladder(path_, ladder);
    return message_of(read_file(path_));
  };
  EXPECT_THAT(with(4097, 0), HasSubstr("level_0: \"mixers\" has 4097 layers"));
  EXPECT_THAT(with(1, 65537), HasSubstr("\"rungs\" has more than 65536"));
  EXPECT_EQ(with(4096, 65536), "no error");  // and at once
}

TEST_F(LadderFile, SaysWhatIsWrongWhere) {
  EXPECT_THAT(message_after("layerboost-ladder", "x"), HasSubstr("\"format\" is \"x\"; expected"));
  EXPECT_THAT(message_after("\"version\": 1", "\"version\": 9"), HasSubstr("\"version\" is 9; this program reads"));
  EXPECT_THAT(message_after("\"rungs\"", "\"weights\": \"sha256:../../other\", \"rungs\""),
              HasSubstr("\"weights\" is \"sha256:../../other\"; it must be sha256:<64 hex digits>"));
  EXPECT_THAT(message_after("\"rungs\"", "\"steps\""), HasSubstr("unknown key \"steps\""));
  EXPECT_THAT(message_after("\"layer\": 1, ", ""), HasSubstr("rung 1: missing key \"layer\""));
  EXPECT_THAT(message_after("\"layer\": 1", "\"layer\": \"1\""), HasSubstr("rung 1: \"layer\" has the wrong type"));
  EXPECT_THAT(message_after("\"layer\": 1, ", "\"layer\": 1, \"sinks\": 4, "), HasSubstr("rung 1: unknown key"));
  EXPECT_THAT(message_after("\"none\"", "\"nix\""), HasSubstr("level_0: layer 3: unknown mixer \"nix\""));
  EXPECT_THAT(message_after("\"level_0\": {", "\"level_0\": {\"adapter\": \"sha256:a\", "), HasSubstr("\"plan\" only"));
  EXPECT_THAT(message_after("\"context\": 2048", "\"context\": 0"), HasSubstr("\"context\" is 0"));
  EXPECT_THAT(message_after("\"context\": 2048", "\"context\": 99999999999"), HasSubstr("\"context\""));
  EXPECT_THAT(message_after("\"kl\": 0.001", "\"kl\": \"low\""),
              HasSubstr("quality of level 1: \"kl\" has the wrong type"));
  EXPECT_THAT(message_after("\"kv_bytes\": 999", "\"kv_bytes\": 1e300"), HasSubstr("\"kv_bytes\""));
  EXPECT_THAT(message_after("\"kv_bytes\": 999", "\"kv_bytes\": -1"), HasSubstr("\"kv_bytes\" is -1"));
  EXPECT_THAT(message_after("\"speedup\": 2.0", "\"speedup\": 0"), HasSubstr("\"speedup\" is 0; it must be above"));
  EXPECT_THAT(message_after("\"perplexity\": 11.0", "\"perplexity\": 1e999"), Not("no error"));
  EXPECT_THAT(message_after("\"length\": 512", "\"length\": 0"), HasSubstr("retrieval: \"length\" is 0"));
  EXPECT_THAT(message_after("\"retrieval\": [", "\"retrieval\": [1, "), Not("no error"));
  EXPECT_THAT(message_after("\"measured_on\": {", "\"measured_on\": [], \"run\": {"), HasSubstr("\"measured_on\""));
  EXPECT_THAT(message_of(text_.substr(0, text_.size() / 2)), HasSubstr("not valid JSON"));
  EXPECT_THAT(message_of("[]"), Not("no error"));
}

/// SmallHealed's model, unchanged or healed, with a ladder.
class OpenedLadderTest : public testing::Test {
 protected:
  /// A ladder on the unchanged model, in a directory of its own.
  [[nodiscard]] Ladder unchanged() const {
    Ladder ladder;
    ladder.model_name = "nobody/knows";
    ladder.model_path = small_.base;
    ladder.model_hash = small_.model_hash;
    ladder.level_0 = std::vector<MixerSpec>(4, full_attention);
    ladder.rungs = {{2, window_of(16)}, {0, window_of(16)}, {2, window_of(8)}};
    return ladder;
  }
  /// One on the healed model, beside it.
  [[nodiscard]] Ladder healed() const {
    Ladder ladder = unchanged();
    ladder.plan_hash = small_.plan.hash();
    ladder.adapter_hash = file_hash(healed_adapter(small_.healed));
    ladder.level_0 = small_.plan.specs();
    ladder.rungs = {{0, window_of(16)}, {1, window_of(4, 2)}};
    return ladder;
  }
  [[nodiscard]] fs::path directory() const { return small_.root / "ladder"; }
  [[nodiscard]] std::string message(const fs::path& where) const {
    return test::error_of([&] { (void)open_ladder(where, Precision::f32, KvType::bf16, false); });
  }

  test::SmallHealed small_;
};

TEST_F(OpenedLadderTest, HasTheMixersOfEveryLevelOfOneModel) {
  write_ladder(ladder_file(directory()), unchanged());
  const OpenedLadder ladder = open_ladder(directory(), Precision::f32, KvType::bf16, false);
  const auto levels = ladder.levels();
  ASSERT_EQ(levels.size(), 4U);
  EXPECT_EQ((*levels[1])[2]->name(), "window:16+4");
  EXPECT_EQ((*levels[3])[2]->name(), "window:8+4");
  EXPECT_EQ((*levels[2])[2], (*levels[1])[2]);  // the same object
  EXPECT_EQ(&ladder.opened.list(), levels[0]);
  EXPECT_EQ(levels[0], &ladder.opened.unchanged());
  EXPECT_EQ(ladder.plan_hash(0), "");
  Plan plan = small_.plan;
  for (std::size_t l = 0; l < 4; ++l) plan.layers[l].mixer = ladder.ladder.specs(2)[l];
  EXPECT_EQ(ladder.plan_hash(2), plan.hash());
}

TEST_F(OpenedLadderTest, OpensAtALevel) {
  write_ladder(ladder_file(directory()), unchanged());
  const auto open = [&] { return open_ladder(directory(), Precision::f32, KvType::bf16, false); };
  EXPECT_FALSE(open().at(0).planned());
  const OpenedModel opened = open().at(2);
  EXPECT_TRUE(opened.planned());
  EXPECT_EQ(opened.list()[0]->name(), "window:16+4");
  EXPECT_NE(UnchangedModel(opened).get(), nullptr);
  EXPECT_THAT(test::error_of([&] { (void)open().at(4); }), HasSubstr("has the levels 0 to 3"));
  EXPECT_THAT(test::error_of([&] { (void)open().at(-1); }), HasSubstr("`level` -1"));
  // Without a level, it is level 0.
  EXPECT_FALSE(open_model_argument(directory(), "", Precision::f32, KvType::bf16, false).planned());
}

TEST_F(OpenedLadderTest, StartsFromAHealedPlan) {
  write_ladder(ladder_file(small_.healed), healed());
  const OpenedLadder ladder = open_ladder(small_.healed, Precision::f32, KvType::bf16, false);
  EXPECT_EQ(ladder.opened.adapter_hash, healed().adapter_hash);
  EXPECT_EQ(ladder.plan_hash(0), small_.plan.hash());
  EXPECT_NE(ladder.plan_hash(1), small_.plan.hash());
  EXPECT_EQ(ladder.list(2)[1]->name(), "window:4+2");
  // With a plan of one's own, it is a model without a ladder.
  EXPECT_EQ(find_model_files(small_.healed, healed_plan(small_.healed)).ladder, nullptr);
  // A ladder that can't be read spoils only what is done with it.
  write_file(ladder_file(small_.healed), "{}");
  EXPECT_TRUE(open_model_argument(small_.healed, "", Precision::f32, KvType::bf16, false).planned());
  EXPECT_THAT(message(small_.healed), HasSubstr("ladder.json: missing key \"format\""));
  // Alone, it says what it lacks.
  write_ladder(ladder_file(directory()), healed());
  EXPECT_THAT(message(directory()), HasSubstr("heal.json is missing; restore it"));
}

TEST_F(OpenedLadderTest, StartsFromAPlan) {
  Ladder ladder = healed();
  ladder.adapter_hash.clear();
  write_ladder(ladder_file(directory()), ladder);
  EXPECT_THAT(message(directory()), HasSubstr("plan.json is missing"));
  write_plan(directory() / "plan.json", small_.plan);
  const OpenedLadder opened = open_ladder(directory(), Precision::f32, KvType::bf16, false);
  EXPECT_TRUE(opened.opened.original());
  EXPECT_EQ(opened.plan_hash(0), small_.plan.hash());
  Plan other = small_.plan;
  other.layers[1].mixer.window = 9;
  write_plan(directory() / "plan.json", other);
  EXPECT_THAT(message(directory()), HasSubstr("another plan or adapter"));
  EXPECT_THAT(test::error_of([&] { (void)open_model_argument(directory(), "", Precision::f32, KvType::bf16, false); }),
              AllOf(HasSubstr("plan.json: has changed since"), HasSubstr("make the ladder anew"),
                    Not(HasSubstr("was healed"))));
}

TEST_F(OpenedLadderTest, RefusesWhatIsOfAnotherModel) {
  EXPECT_THAT(message(small_.healed), HasSubstr("has no ladder"));
  EXPECT_THAT(message(small_.base), HasSubstr("has no ladder"));
  const auto message_with = [&](const auto& change) {
    Ladder ladder = unchanged();
    change(ladder);
    write_ladder(ladder_file(directory()), ladder);
    const std::string text = message(directory());
    EXPECT_THAT(text, HasSubstr("ladder"));
    return text;
  };
  EXPECT_THAT(message_with([](Ladder& l) { l.model_hash = "sha256:x"; }), HasSubstr("made from the model sha256:x"));
  EXPECT_THAT(message_with([](Ladder& l) { l.level_0.emplace_back(); }), HasSubstr("has 5 layers, but"));
  EXPECT_THAT(message_with([](Ladder& l) { l.level_0[3] = window_of(64); }), HasSubstr("other mixers"));
  EXPECT_THAT(message_with([](Ladder& l) { l.rungs[1].mixer = window_of(64, 1 << 20); }),
              AllOf(HasSubstr("rung 2: layer 0: \"sinks\" is 1048576")));
  EXPECT_THAT(message_with([](Ladder& l) { l.rungs[1].mixer.full = 1 << 5; }), HasSubstr("KV heads that"));
  EXPECT_THAT(message_with([](Ladder& l) { l.model_path = "/nowhere"; }), HasSubstr("is not at /nowhere"));
}

}  // namespace
}  // namespace layerboost
