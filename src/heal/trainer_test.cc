#include "heal/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "base/cpu.h"
#include "base/error.h"
#include "base/ranks_for_tests.h"
#include "base/temporary_path_for_tests.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// Random sequences; throws when one is asked for as number `interrupted_at`, `killed_at` or `fails_at`.
class RandomText final : public HealText {
 public:
  RandomText(int length, int vocab) : length_(length), vocab_(vocab) {
    for (std::uint64_t i = 0; i < 3; ++i) held_out_.push_back(random_tokens(length, vocab, 1000 + i));
  }
  [[nodiscard]] std::int64_t size() const override { return sequences; }
  std::vector<TokenId> sequence(std::int64_t i) override {
    if (i == interrupted_at) throw Interrupted("stopped");
    if (i == killed_at) throw std::runtime_error("killed");
    if (i == fails_at) throw Error("no more text");
    return random_tokens(length_, vocab_, static_cast<std::uint64_t>(i % size()) + 50);
  }
  std::int64_t sequences = 5, interrupted_at = -1, killed_at = -1, fails_at = -1;

 private:
  int length_, vocab_;
};

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() : model_(random_model(Precision::bf16)), directory_(test::temporary_path("heal")) {
    use_threads(1);  // of so little work, threads would only wait for each other
    options_.length = 24;
    options_.batch = 72;
    options_.micro_batch = 48;
    options_.tokens = 72 * 8;
    options_.lora = {4, 8};
    options_.rate = 2e-3;
    options_.questions = 0;
    options_.save_minutes = 0;
    options_.measure_every = 72 * 3;
    fs::remove_all(directory_);
  }
  ~TrainerTest() override { fs::remove_all(directory_); }

  TrainFiles files(const char* name) {
    TrainFiles files;
    files.checkpoint = directory_ / name / "checkpoint" / "state.bin";
    files.log = directory_ / name / "log.jsonl";
    files.identity = options_.to_json();
    files.save_best = [this](const TrainState& state) { best_ = state.x; };
    return files;
  }

  TrainState run(const char* name, RandomText& text) {
    Student student(*model_,
                    {parse_mixer("softmax"), parse_mixer("window:5+2"), parse_mixer("none"), parse_mixer("softmax")},
                    {}, options_.lora, options_.memory);
    return Trainer(*model_, student, text, options_, files(name)).run();
  }

  /// The log without what depends on the clock.
  std::vector<Json> log(const char* name) {
    std::vector<Json> lines;
    const std::string content = read_file(directory_ / name / "log.jsonl");
    for (std::size_t begin = 0; begin < content.size();) {
      const std::size_t end = content.find('\n', begin);
      Json line = parse_json(content.substr(begin, end - begin), "log");
      line.erase("seconds");
      line.erase("tokens_per_second");
      lines.push_back(line);
      begin = end + 1;
    }
    return lines;
  }

  std::unique_ptr<Model> model_;
  fs::path directory_;
  HealOptions options_;
  std::vector<float> best_;
};

TEST_F(TrainerTest, GoesOnAsIfItHadNeverStopped) {
  RandomText text(24, 96);
  const TrainState whole = run("whole", text);
  EXPECT_EQ(whole.step, 8);
  const std::vector<float> best = best_;

  text.killed_at = 7;  // in the third step
  EXPECT_THROW(run("parts", text), std::runtime_error);
  text.killed_at = -1;
  text.interrupted_at = 16;  // in the sixth step
  EXPECT_THROW(run("parts", text), Interrupted);
  text.interrupted_at = -1;
  const TrainState parts = run("parts", text);
  EXPECT_EQ(whole.x, parts.x);
  EXPECT_EQ(whole.m, parts.m);
  EXPECT_EQ(whole.v, parts.v);
  EXPECT_EQ(whole.best_step, parts.best_step);
  EXPECT_EQ(best, best_);
  EXPECT_EQ(log("whole"), log("parts"));

  const std::string before = read_file(directory_ / "parts" / "log.jsonl");
  EXPECT_EQ(run("parts", text).x, whole.x);  // finished: nothing happens
  EXPECT_EQ(read_file(directory_ / "parts" / "log.jsonl"), before);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - b[i], 2);
  return std::sqrt(sum);
}

/// Under mpirun: as one process that reads all of each step's text. The tests of ranks are also run as two processes.
TEST_F(TrainerTest, RanksShareTheSteps) {
  model_ = random_model(Precision::f32);
  RandomText text(24, 96);
  text.sequences = 1000;
  const int all = options_.batch * Ranks::world().size();
  options_.tokens = all * 8;
  options_.measure_every = all * 3;
  const int each = std::exchange(options_.batch, all);
  const TrainState alone = run("alone", text);
  options_.batch = each;
  options_.ranks = &Ranks::world();
  const TrainState shared = run("shared", text);

  ASSERT_EQ(shared.x.size(), alone.x.size());
  EXPECT_EQ(shared.step, 8);
  const double moved = distance(alone.x, std::vector<float>(alone.x.size(), 0));
  EXPECT_LT(distance(shared.x, alone.x), 1e-3 * moved);
  EXPECT_EQ(fs::exists(directory_ / "shared"), Ranks::world().first());
  if (!Ranks::world().first()) return;
  const std::vector<Json> lines = log("alone"), shared_lines = log("shared");
  ASSERT_EQ(shared_lines.size(), lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const char* const part = lines[i].contains("valid") ? "valid" : "";
    const Json &one = *part != 0 ? lines[i][part] : lines[i],
               &other = *part != 0 ? shared_lines[i][part] : shared_lines[i];
    EXPECT_NEAR(other["kl"].get<double>(), one["kl"].get<double>(), 1e-3 * one["kl"].get<double>()) << i;
  }
}

/// What stops one rank stops all after the same step, and they go on as if they had never stopped.
TEST_F(TrainerTest, RanksStopTogether) {
  options_.ranks = &Ranks::world();
  const int ranks = Ranks::world().size();
  options_.tokens = 72 * 8 * ranks;
  options_.measure_every = 72 * 3 * ranks;
  RandomText text(24, 96);
  const TrainState whole = run("whole", text);

  options_.save_minutes = 1000;
  text.interrupted_at = 18 * ranks - 1;  // the last rank's, in the sixth step
  try {
    run("parts", text);
    FAIL() << "no stop";
  } catch (const Interrupted& stop) {
    EXPECT_STREQ(stop.what(), ranks == 1 ? "stopped at step 5 of 8; the same command goes on from there" : "");
  }
  text.interrupted_at = -1;
  const TrainState parts = run("parts", text);
  EXPECT_EQ(whole.x, parts.x);
  EXPECT_EQ(whole.v, parts.v);
}

TEST_F(TrainerTest, RanksFailTogether) {
  options_.ranks = &Ranks::world();
  const int ranks = Ranks::world().size();
  options_.tokens = 72 * 8 * ranks;
  RandomText text(24, 96);
  text.fails_at = 18 * ranks - 1;
  try {
    run("fails", text);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), Ranks::world().rank() == ranks - 1 ? "no more text" : "another process has failed");
  }
  text.fails_at = -1;
  EXPECT_EQ(run("fails", text).step, 8);
}

TEST_F(TrainerTest, RanksRefuseEachOthersOptions) {
  options_.ranks = &Ranks::world();
  if (!options_.ranks->first()) options_.rate = 0.5;
  RandomText text(24, 96);
  if (options_.ranks->size() == 1) GTEST_SKIP() << "one process";
  try {
    run("differ", text);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "process 1 has lr 0.5 where the first has 0.002: all must be given the same");
  }
}

/// Fewer processes that read as much in a step may go on; others may not.
TEST_F(TrainerTest, RanksAreNamedByTheWholeBatch) {
  options_.ranks = &Ranks::world();
  const int ranks = Ranks::world().size();
  HealOptions alone = options_;
  alone.ranks = &Ranks::alone();
  alone.batch *= ranks;
  EXPECT_EQ(options_.to_json(), alone.to_json());
  EXPECT_EQ(options_.steps(), alone.steps());
  alone.batch *= 2;
  EXPECT_NE(options_.to_json(), alone.to_json());
}

TEST_F(TrainerTest, Learns) {
  options_.tokens = 240 * 40;
  options_.batch = 240;
  options_.measure_every = 240 * 20;
  options_.rate = 1e-2;
  RandomText text(24, 96);
  text.sequences = 1000000;
  const TrainState state = run("learns", text);
  EXPECT_LT(state.best.kl, 0.95 * state.before.kl);
  EXPECT_GT(state.best_step, 0);
}

TEST_F(TrainerTest, StopsWhenItDiverges) {
  options_.tokens = 72 * 100;
  options_.rate = 100;
  options_.clip = 0;
  RandomText text(24, 96);
  try {
    run("diverges", text);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("training diverged at step"));
  }
  EXPECT_FALSE(best_.empty());
}

TEST_F(TrainerTest, RefusesAnotherRun) {
  RandomText text(24, 96);
  run("one", text);
  options_.rate = 3e-3;
  try {
    run("one", text);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("holds a run with lr 0.002, not 0.003"));
  }
}

TEST(HealOptions, MeasuringTakesATenthOfTheTimeAtMost) {
  HealOptions options;
  options.held_out = 16;
  options.length = 1024;
  options.tokens = 10'000'000;
  EXPECT_EQ(options.tokens_between_measurements(), 500'000);
  options.tokens = 500'000;
  EXPECT_EQ(options.tokens_between_measurements(), 8 * 16 * 1024);
  options.measure_every = 1000;
  EXPECT_EQ(options.tokens_between_measurements(), 1000);
}

TEST(HealOptions, RateRisesAndFalls) {
  HealOptions options;
  options.tokens = 100 * 8192;
  EXPECT_EQ(options.steps(), 100);
  EXPECT_NEAR(rate_at(options, 1), 2e-4 / 3, 1e-10);
  EXPECT_NEAR(rate_at(options, 3), 2e-4, 1e-10);
  EXPECT_LT(rate_at(options, 52), 1.2e-4);
  EXPECT_NEAR(rate_at(options, 100), 2e-5, 1e-10);
}

}  // namespace
}  // namespace layerboost
