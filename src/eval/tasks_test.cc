#include "eval/tasks.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

Score score_of(double log_likelihood, bool greedy = false) { return {log_likelihood, greedy, 1}; }

TEST(Tasks, AccuracyTakesTheFirstOfEqualChoices) {
  Task task{
      "t", TaskKind::multiple_choice, {{{{"c", " ab"}, {"c", " abcd"}}, 0}, {{{"c", " ab"}, {"c", " ab"}}, 1}}, ""};
  const std::vector<Score> scores = {score_of(-4), score_of(-6), score_of(-2), score_of(-2)};
  const TaskResult result = summarize_task(task, scores);
  EXPECT_TRUE(result.items[0].correct);
  EXPECT_FALSE(result.items[0].correct_norm);  // -4/2 < -6/4
  EXPECT_FALSE(result.items[1].correct);
  EXPECT_DOUBLE_EQ(result.acc.mean, 0.5);
  EXPECT_DOUBLE_EQ(result.acc.error, 0.5);  // sample standard deviation of 1 and 0 is sqrt(0.5)
  EXPECT_DOUBLE_EQ(result.acc_norm.mean, 0);
  EXPECT_DOUBLE_EQ(result.log_likelihood.mean, -3);  // of the gold ones
}

TEST(Tasks, LengthCountsCodePointsWithoutTheSpace) {
  Task task{"t", TaskKind::multiple_choice, {{{{"c", " \u00E9\u00E9"}, {"c", " abc"}}, 0}}, ""};
  const std::vector<Score> scores = {score_of(-4), score_of(-5.9)};
  EXPECT_FALSE(summarize_task(task, scores).items[0].correct_norm);  // -4/2 < -5.9/3; by bytes it would be right
}

TEST(Tasks, LastWordIsRightWhenGreedy) {
  Task task{"t", TaskKind::last_word, {{{{"a", " b"}}, 0}, {{{"a", " c"}}, 0}}, ""};
  const std::vector<Score> scores = {score_of(-1, true), score_of(-3, false)};
  const TaskResult result = summarize_task(task, scores);
  EXPECT_DOUBLE_EQ(result.acc.mean, 0.5);
  EXPECT_DOUBLE_EQ(result.log_likelihood.mean, -2);
  EXPECT_EQ(result.acc_norm.n, 0);
}

TEST(Tasks, AnswersInWhatIsWritten) {
  EXPECT_EQ(answer_in(" 42\nQ: next", {"", {"42"}, "", {"\n"}, 8}), "42");
  EXPECT_EQ(answer_in("It is 42, not 43.", {"", {"42"}, "is ([0-9]+)", {}, 8}), "42");
  EXPECT_EQ(answer_in("It is 42", {"", {"42"}, "[0-9]+", {}, 8}), "42");
  EXPECT_EQ(answer_in("nothing", {"", {"42"}, "[0-9]+", {}, 8}), "");
  EXPECT_EQ(answer_in("a;b\nc", {"", {"a"}, "", {"\n", ";"}, 8}), "a") << "the first of the stop strings";
}

TEST(Tasks, TheDefaultModelWritesAnswers) {
  LB_NEEDS_DEFAULT_MODEL();
  const auto model = load_model(default_model_path(), Precision::bf16);
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(native_specs(model->config)));
  Task task{"capitals", TaskKind::generate, {}, ""};
  for (const auto& [country, city] : {std::pair("France", "Paris"), std::pair("Italy", "Rome"), std::pair("X", "Y")})
    task.items.push_back(
        {{},
         0,
         {fmt::format("Q: What is the capital of Spain?\nA: Madrid.\n\nQ: What is the capital of {}?\nA:", country),
          {city},
          "",
          {".", "\n"},
          8}});
  const TaskResult result = run_task(subject, task, -1);
  EXPECT_TRUE(result.items[0].correct);
  EXPECT_TRUE(result.items[1].correct);
  EXPECT_DOUBLE_EQ(result.acc.mean, 2.0 / 3);
}

class TaskReference : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    LB_SKIP_WITHOUT(shared_path() / "reference");
    LB_NEEDS_DEFAULT_MODEL();
    expected_ = read_json(shared_path() / "reference/tasks.smollm2.json")["tasks"][GetParam()];
    model_ = load_model(default_model_path(), Precision::f32);
  }

  TaskResult run(int limit) {
    MixerSet mixers(*model_);
    Subject subject(*model_, mixers.list(native_specs(model_->config)));
    const fs::path file = shared_path() / "data/eval" / (std::string(GetParam()) + ".jsonl");
    return run_task(subject, read_task(file, limit), -1);
  }

  Json expected_;
  std::unique_ptr<Model> model_;
};

TEST_P(TaskReference, LogLikelihoods) {
  const TaskResult result = run(10);
  const Json& expected = expected_["loglikelihoods_first_10"];
  for (std::size_t i = 0; i < 10; ++i) {
    ASSERT_EQ(result.items[i].log_likelihoods.size(), expected[i].size());
    for (std::size_t k = 0; k < expected[i].size(); ++k)  // 1e-3 a token; the numbers are of some 3 to 50 tokens
      EXPECT_NEAR(result.items[i].log_likelihoods[k], expected[i][k].get<double>(), 5e-3) << i << " " << k;
  }
}

TEST_P(TaskReference, Accuracy) {
  const TaskResult result = run(expected_["first"]);
  EXPECT_DOUBLE_EQ(result.acc.mean, expected_["acc"].get<double>());
  EXPECT_DOUBLE_EQ(result.acc_norm.mean, expected_["acc_norm"].get<double>());
}

INSTANTIATE_TEST_SUITE_P(Sets, TaskReference,
                         ::testing::Values("arc_easy", "piqa", "openbook_qa", "winogrande", "hellaswag"));

}  // namespace
}  // namespace layerboost
