#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "artifact/healed_directory.h"
#include "artifact/ladder.h"
#include "artifact/ladder_weights.h"
#include "cli/ladder_for_tests.h"
#include "cli/run_for_tests.h"
#include "model/safetensors_file.h"
#include "model/safetensors_writer.h"
#include "plan/cost_calibration.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class LadderCommand : public test::LadderFolder {
 protected:
  LadderCommand() : LadderFolder("ladder_command_test") {}

  [[nodiscard]] fs::path file() const { return ladder_file(path("out")); }

  /// A short run, with these flags in place of its own.
  [[nodiscard]] ProgramResult ladder(const std::vector<std::string>& flags, const char* model = "model.gguf") const {
    return run_and_read(ladder_command(flags, model));
  }

  /// One rung, not made by the program.
  [[nodiscard]] Ladder written_by_hand() const {
    Ladder ladder;
    ladder.model_path = path("model.gguf");
    ladder.model_hash = folder_.model().hash;
    ladder.level_0.assign(3, full_attention);
    ladder.rungs = {{1, {MixerKind::window, 8, 2}}};
    return ladder;
  }

  void expect_refused(const std::vector<std::string>& flags, const std::string& part) const {
    const ProgramResult result = ladder(flags);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_FALSE(fs::exists(file()));
  }
};

TEST_F(LadderCommand, MakesALadderThatRunsAtAnyLevel) {
  const ProgramResult made = ladder({"--to", "window:4+2,window:16+2", "--rungs", "4"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(ladder({"--to", "window:16+2,window:4+2", "--rungs", "4"}).err, HasSubstr("has its 4 rungs already"));
  EXPECT_THAT(made.err, AllOf(HasSubstr("estimated from gradients"), HasSubstr("rung 4 of 4: layer "),
                              HasSubstr("level 4 of 4: perplexity")));
  const Ladder ladder_made = read_ladder(file());
  EXPECT_EQ(ladder_made.top(), 4);
  for (int level = 0; level <= 4; ++level) {
    const auto& quality = ladder_made.quality[static_cast<std::size_t>(level)];
    ASSERT_TRUE(quality) << level;
    EXPECT_TRUE(quality->speedup && quality->decode_speed);
    if (level == 0) continue;
    EXPECT_LT(quality->kv_bytes, ladder_made.quality[static_cast<std::size_t>(level - 1)]->kv_bytes);
  }
  EXPECT_EQ(ladder_made.quality[0]->kl, 0);
  EXPECT_GT(ladder_made.quality[4]->kl, 0);
  EXPECT_THAT(made.out, AllOf(HasSubstr("level  rung"), HasSubstr("    4  layer"), HasSubstr("other.txt")));

  // The model at a level is the model with a plan of that level's mixers.
  const std::string plan = folder_.plan(ladder_made.specs(3)).string();
  const auto eval = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> command = {"eval", "--text", other_, "--context", "64", "--threads", "1"};
    command.insert(command.end(), flags.begin(), flags.end());
    const ProgramResult result = run_and_read(command);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  };
  EXPECT_EQ(eval({path("out"), "--level", "3"}), eval({path("model.gguf"), "--plan", plan}));
  EXPECT_EQ(eval({path("out"), "--level", "0"}), eval({path("model.gguf")}));
  EXPECT_EQ(eval({path("out")}), eval({path("model.gguf")}));
  EXPECT_NE(eval({path("out"), "--level", "4"}), eval({path("out"), "--level", "3"}));

  const ProgramResult bench = run_and_read({"bench", path("out"), "--level", "0,2,4", "--batch", "2", "--prompt", "16",
                                            "--generate", "2", "--threads", "1", "--json", path("bench.json")});
  EXPECT_EQ(bench.code, 0) << bench.err;
  EXPECT_THAT(bench.out, HasSubstr("\nlevel 2 of 4:\n"));
  const Json rows = read_json(path("bench.json"))["rows"];
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[1]["level"], 2);
  EXPECT_GT(rows[0]["cache_bytes"], rows[2]["cache_bytes"]);
  EXPECT_EQ(run({"generate", path("out"), "ab", "--level", "4", "--tokens", "3", "--threads", "1"}), 0);

  const ProgramResult info = run_and_read({"info", path("out"), "--json", path("info.json")});
  EXPECT_EQ(info.code, 0) << info.err;
  EXPECT_THAT(info.out, AllOf(HasSubstr("ladder    4 rungs"), HasSubstr("  window:4+2\n"), HasSubstr("perplexity")));
  EXPECT_EQ(read_json(path("info.json"))["ladder"]["levels"].size(), 5U);
  EXPECT_THAT(run_and_read({"info", file()}).out, HasSubstr("ladder    4 rungs"));
}

TEST_F(LadderCommand, GoesOnWhereItWasAndKeepsWhatWasEdited) {
  const std::vector<std::string> flags = {"--to", "window:8+2", "--rungs", "2", "--no-bench"};
  ASSERT_EQ(ladder(flags).code, 0);
  const Ladder first = read_ladder(file());
  EXPECT_FALSE(first.quality[1]->decode_speed);
  const ProgramResult again = ladder(flags);
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.err, AllOf(HasSubstr("has its 2 rungs already"), Not(HasSubstr("level 1 of 2"))));

  // One more rung: those below stay, and so do their figures.
  const std::vector<std::string> longer = {"--to", "window:8+2", "--rungs", "3", "--no-bench"};
  const ProgramResult more = ladder(longer);
  EXPECT_EQ(more.code, 0) << more.err;
  EXPECT_THAT(more.err, AllOf(HasSubstr("level 3 of 3"), Not(HasSubstr("level 2 of 3"))));
  Ladder edited = read_ladder(file());
  EXPECT_EQ(edited.rungs[0], first.rungs[0]);

  // Two rungs change places: only the level between them has changed.
  std::swap(edited.rungs[0], edited.rungs[1]);
  write_ladder(file(), edited);
  const ProgramResult measured = ladder(longer);
  EXPECT_EQ(measured.code, 0) << measured.err;
  EXPECT_THAT(measured.err, AllOf(HasSubstr("level 1 of 3"), Not(HasSubstr("level 2 of 3"))));
  EXPECT_EQ(read_ladder(file()).rungs, edited.rungs);
  EXPECT_TRUE(read_ladder(file()).quality[1]);
  // What was edited isn't made anew with other options.
  EXPECT_THAT(ladder(flags).err, HasSubstr("with other options (\"rungs\" is 3, not 2)"));
  EXPECT_THAT(ladder({"--to", "window:8+2,none", "--rungs", "3"}).err, HasSubstr("with other options (\"to\""));
  // Other words to judge by: everything is measured anew.
  std::vector<std::string> otherwise = longer;
  otherwise.insert(otherwise.end(), {"--windows", "2"});
  EXPECT_THAT(ladder(otherwise).err, HasSubstr("level 0 of 3"));
  EXPECT_EQ(read_ladder(file()).measured_on["windows"], 2);

  // Where all else is there, speeds alone are measured.
  std::erase(otherwise, "--no-bench");
  const ProgramResult timed = ladder(otherwise);
  EXPECT_EQ(timed.code, 0) << timed.err;
  EXPECT_THAT(timed.err, AllOf(HasSubstr("level 3 of 3"), HasSubstr("tokens/s"), Not(HasSubstr("perplexity"))));
  for (const auto& level : read_ladder(file()).quality) EXPECT_TRUE(level->decode_speed);

  // Tasks are more to judge by; without them again, too.
  const std::string task = path("bees.jsonl");
  write_file(task, R"({"context": "b", "choices": ["a", "ab"], "gold": 0})"
                   "\n");
  std::vector<std::string> with_task = otherwise;
  with_task.insert(with_task.end(), {"--tasks", task});
  const ProgramResult judged = ladder(with_task);
  EXPECT_EQ(judged.code, 0) << judged.err;
  EXPECT_THAT(judged.out, HasSubstr("tasks"));
  for (const auto& level : read_ladder(file()).quality) {
    ASSERT_EQ(level->tasks.size(), 1U);
    EXPECT_EQ(level->tasks.front().name, "bees");
  }
  EXPECT_THAT(ladder(otherwise).err, HasSubstr("measured anew"));
  EXPECT_THAT(ladder({"--to", "window:8+2", "--rungs", "3", "--tasks", path("missing")}).err, HasSubstr("--tasks"));
}

TEST_F(LadderCommand, StartsFromAPlan) {
  const fs::path cost = cost_file(cost_key(folder_.model().hash, Precision::bf16));
  ASSERT_TRUE(fs::remove(cost));  // it is measured
  const std::string plan = folder_.plan({full_attention, {MixerKind::window, 8, 2}, full_attention}).string();
  const ProgramResult made = ladder({"--to", "window:8+2", "--rungs", "2", "--plan", plan, "--no-bench"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("loses alone: measured"));
  EXPECT_TRUE(fs::exists(cost));
  const Ladder found = read_ladder(file());
  EXPECT_EQ(found.plan_hash, read_plan(plan).hash());
  EXPECT_EQ(read_plan(fs::path(path("out")) / "plan.json").hash(), found.plan_hash);
  EXPECT_GT(found.quality[0]->kl, 0);  // from the unchanged model
  EXPECT_LT(found.quality[0]->kv_fraction, 1);
  for (const Rung& rung : found.rungs) EXPECT_NE(rung.layer, 1);
  EXPECT_EQ(run({"generate", path("out"), "ab", "--level", "2", "--tokens", "3", "--threads", "1"}), 0);
  EXPECT_THAT(ladder({"--to", "window:8+2", "--rungs", "2"}).err, HasSubstr("begins with another plan"));
}

TEST_F(LadderCommand, StartsFromAHealedModel) {
  const std::string plan = folder_.plan({full_attention, {MixerKind::window, 8, 2}, full_attention}).string();
  const ProgramResult healed = run_and_read(heal_command(plan, "healed", "256"));
  ASSERT_EQ(healed.code, 0) << healed.err;
  const ProgramResult made = ladder({"--to", "window:4+2", "--rungs", "3", "--no-bench"}, "healed");
  ASSERT_EQ(made.code, 0) << made.err;
  const Ladder found = read_ladder(file());
  EXPECT_EQ(found.adapter_hash, read_healed_directory(path("healed")).adapter_hash);
  EXPECT_EQ(found.model_hash, folder_.model().hash);
  EXPECT_TRUE(is_intact(path("out")));  // it is that healed model
  EXPECT_GT(found.quality[0]->kl, 0);
  for (const char* const level : {"0", "3"})
    EXPECT_EQ(run({"eval", path("out"), "--text", other_, "--context", "64", "--level", level, "--threads", "1"}), 0);
  // Beside the healed model itself, too.
  const ProgramResult beside =
      ladder({"-o", path("healed"), "--to", "window:4+2", "--rungs", "1", "--no-bench"}, "healed");
  EXPECT_EQ(beside.code, 0) << beside.err;
  EXPECT_EQ(run({"generate", path("healed"), "ab", "--level", "1", "--tokens", "3", "--threads", "1"}), 0);
}

TEST_F(LadderCommand, TrainsRungs) {
  const std::vector<std::string> flags = {"--to",           "dual_state", "--train-text", text_,
                                          "--train-tokens", "512",        "--no-bench"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), flags.begin(), flags.end());
    return ladder(more);
  };
  const ProgramResult first = with({"--rungs", "1"});
  ASSERT_EQ(first.code, 0) << first.err;
  const ProgramResult longer = with({"--rungs", "2"});
  ASSERT_EQ(longer.code, 0) << longer.err;
  EXPECT_THAT(longer.err, Not(HasSubstr("each layer alone")));
  const ProgramResult at_once = with({"--rungs", "2", "-o", path("other")});
  ASSERT_EQ(at_once.code, 0) << at_once.err;
  const Ladder made = read_ladder(file());
  ASSERT_EQ(made.top(), 2);
  EXPECT_EQ(made.rungs, read_ladder(ladder_file(path("other"))).rungs);
  const fs::path weights = ladder_weights_file(path("out"), made.weights_hash);
  EXPECT_EQ(read_file(weights), read_file(folder_.path("other") / weights.filename()));
  for (const auto& level : made.quality) EXPECT_TRUE(level);
  EXPECT_GT(made.quality[1]->kl, 0);
  EXPECT_LT(made.quality[1]->kl, 2);

  for (const char* level : {"0", "1", "2"})
    EXPECT_EQ(run({"eval", path("out"), "--level", level, "--text", other_, "--context", "64"}), 0) << level;

  // A level exported has what its layers have learnt, and no more.
  const MappedFile learnt(weights);
  const auto learnt_tensors = parse_safetensors(learnt.bytes(), "learnt");
  for (const int level : {0, 1, 2}) {
    const std::string exported = path(fmt::format("exported-{}", level).c_str());
    ASSERT_EQ(run({"export", path("out"), "--level", std::to_string(level), "-o", exported}), 0) << level;
    EXPECT_EQ(run({"eval", exported, "--text", other_, "--context", "64"}), 0);
    const MappedFile whole(fs::path(exported) / "model.safetensors");
    const auto tensors = parse_safetensors(whole.bytes(), exported);
    for (int rung = 0; rung < 2; ++rung) {
      const int layer = made.rungs[static_cast<std::size_t>(rung)].layer;
      for (const char* const part : {"q_proj", "o_proj"}) {
        const Tensor &ours = learnt_tensors.at(fmt::format("layers.{}.{}", layer, part)),
                     &theirs = tensors.at(fmt::format("model.layers.{}.self_attn.{}.weight", layer, part));
        EXPECT_EQ(std::ranges::equal(ours.data, theirs.data), rung < level) << level << " " << layer << part;
      }
      EXPECT_EQ(tensors.contains(fmt::format("model.layers.{}.dual_state.blend", layer)), rung < level);
    }
  }
  EXPECT_THAT(read_file(path("exported-1/README.md")), HasSubstr("Measured when the ladder was made"));
  EXPECT_THAT(run_and_read({"export", path("out"), "--level", "3", "-o", path("x")}).err,
              HasSubstr("--level 3: the ladder of"));

  // What a longer ladder, stopped in its third rung, goes on from isn't in the way of this one, and stays.
  SafetensorsWriter third;
  third.set_metadata({{"stage", "rung 3, layer 0"}});
  third.write(folder_.path("out/stage.safetensors"));
  write_file(folder_.path("out/ladder-mine.safetensors"), "somebody's own");
  EXPECT_EQ(with({"--rungs", "2"}).code, 0);
  EXPECT_TRUE(fs::exists(folder_.path("out/stage.safetensors")));
  EXPECT_TRUE(fs::exists(folder_.path("out/ladder-mine.safetensors")));

  write_file(weights, read_file(weights) + "x");
  EXPECT_EQ(run({"eval", path("out"), "--level", "1", "--text", other_}), 2);
}

TEST_F(LadderCommand, RungsWrittenByHandStayWhateverIsAskedFor) {
  const Ladder by_hand = written_by_hand();
  write_ladder(file(), by_hand);
  const ProgramResult result = ladder({"--to", "dual_state", "--rungs", "1", "--train-text", text_, "--no-bench"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(read_ladder(file()).rungs, by_hand.rungs);
  EXPECT_TRUE(read_ladder(file()).quality[1]);
}

TEST_F(LadderCommand, RefusesInOneLineWithNothingWritten) {
  expect_refused({"--to", "linear"}, "--to: unknown mixer \"linear\"");
  expect_refused({"--to", "window:8+4,window:16+2"},
                 "--to: of window:8+4,window:16+2, none can be changed to all others");
  expect_refused({"--to", "window:8+2,window:8+2"}, "--to: of window:8+2,window:8+2, none can be changed");
  expect_refused({"--to", "map"}, "--to: map has parameters that are learnt for each layer");
  expect_refused({"--to", "dual_state:x"}, "--to: dual_state:x can't take over what another mixer kept");
  expect_refused({"--to", "window:16+2,dual_state"}, "--to: dual_state stands alone");
  expect_refused({"--to", "dual_state", "--precision", "int8"}, "give --precision bf16");
  expect_refused({"--to", "softmax"}, "--to: changes nothing, the layer has softmax already");
  expect_refused({"--to", "window:8+999"}, "\"sinks\" is 999");
  expect_refused({"--rungs", "4", "--to", "window:8+2"}, "--rungs 4: with window:8+2, at most 3 are possible");
  expect_refused({"--rungs", "0"}, "--rungs: must be");
  expect_refused({"--keep", "3"}, "--keep 3: the model's layers are 0 to 2");
  expect_refused({"--plan", path("missing")}, "--plan");
  expect_refused({"--text", path("missing")}, "--text: cannot open");
  expect_refused({"--eval-text", text_}, "what the rungs are chosen by can't be what they are judged by");
  expect_refused({"--decode", "64"}, "--decode 64: expected BATCHxCONTEXT");
  expect_refused({"--decode", "2x4096"}, "--decode 2x4096: comes to");
  expect_refused({"--retrieval", "0,64"}, "--retrieval: 0 is for none");
  expect_refused({"--json", path("")}, "a directory, not a file");
  write_file(folder_.path("full") / "plan.json", "{}");
  EXPECT_THAT(ladder({"-o", path("full")}).err, HasSubstr("holds something else already (plan.json)"));
}

TEST_F(LadderCommand, SaysThatAModelsOwnWindowsTakeNoSinks) {
  test::write_lettered_model(path("windows.gguf"), [](test::GgufWriter& writer) {
    test::put_tokenizer(writer);
    writer.u32("llama.attention.sliding_window", 32);
  });
  const std::string message = ladder({"--to", "window:8+2"}, "windows.gguf").err;
  EXPECT_THAT(message, HasSubstr("--to window:8+2: no layer is left that it would change: layers 0,1,2 have windows "
                                 "with fewer sinks, and a ladder gives no more: leave the sinks out"));
  EXPECT_THAT(ladder({"--to", "window:32"}, "windows.gguf").err,
              HasSubstr("no layer is left that it would change: layers 0,1,2 keep no more than that"));
  const ProgramResult result = ladder({"--to", "window:16+2,window:8", "--rungs", "1"}, "windows.gguf");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(read_ladder(file()).rungs.at(0).mixer, parse_mixer("window:8"));
}

TEST_F(LadderCommand, LevelsAreOfALadder) {
  const auto message = [&](std::vector<std::string> words) {
    const ProgramResult result = run_and_read(words);
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    return result.err;
  };
  EXPECT_THAT(message({"eval", path("model.gguf"), "--text", other_, "--level", "1"}), HasSubstr("has no ladder"));
  EXPECT_THAT(message({"bench", path("model.gguf"), "--level", "1,2"}), HasSubstr("has no ladder"));
  Ladder ladder = written_by_hand();
  write_ladder(file(), ladder);
  EXPECT_THAT(message({"generate", path("out"), "ab", "--level", "2"}), HasSubstr("--level 2: the ladder of"));
  EXPECT_THAT(message({"bench", path("out"), "--level", "0,2"}), HasSubstr("has the levels 0 to 1"));
  EXPECT_THAT(message({"generate", path("out"), "ab", "--level", "-1"}), HasSubstr("--level"));
  EXPECT_THAT(message({"generate", path("out"), "ab", "--level", "1", "--plan", "x.json"}),
              HasSubstr("not with --plan"));
  ladder.rungs[0].layer = 3;
  write_ladder(file(), ladder);
  EXPECT_THAT(message({"info", path("out")}), HasSubstr("rung 1: \"layer\" is 3; the model's layers are 0 to 2"));
}

}  // namespace
}  // namespace layerboost
