#include "eval/tasks.h"

#include <algorithm>

#include "base/error.h"
#include "eval/pair_encoding.h"
#include "eval/python_strings.h"

namespace layerboost {
namespace {

std::size_t length_without_space(std::string_view choice) {
  if (choice.starts_with(' ')) choice.remove_prefix(1);
  return code_points(choice);
}

int first_largest(const std::vector<double>& values) {
  return static_cast<int>(std::max_element(values.begin(), values.end()) - values.begin());
}

TaskItemScore score_item(const Task& task, const TaskItem& item, std::span<const Score> scores) {
  TaskItemScore result;
  std::vector<double> by_length;
  for (std::size_t i = 0; i < item.pairs.size(); ++i) {
    result.log_likelihoods.push_back(scores[i].log_likelihood);
    by_length.push_back(scores[i].log_likelihood /
                        static_cast<double>(length_without_space(item.pairs[i].continuation)));
  }
  if (task.kind == TaskKind::last_word) {
    result.correct = scores[0].greedy;
  } else {
    result.correct = first_largest(result.log_likelihoods) == item.gold;
    result.correct_norm = first_largest(by_length) == item.gold;
  }
  return result;
}

}  // namespace

std::vector<Request> task_requests(const Tokenizer& tokenizer, const Task& task, TokenId bos, int max_positions) {
  std::vector<Request> requests;
  for (const TaskItem& item : task.items) {
    for (const TaskPair& pair : item.pairs)
      requests.push_back(encode_pair(tokenizer, pair.context, pair.continuation, bos, max_positions));
  }
  return requests;
}

TaskResult summarize_task(const Task& task, std::span<const Score> scores) {
  TaskResult result;
  result.name = task.name;
  result.kind = task.kind;
  std::vector<double> acc, acc_norm, log_likelihood;
  for (const TaskItem& item : task.items) {
    LB_CHECK(scores.size() >= item.pairs.size());
    const TaskItemScore& score = result.items.emplace_back(score_item(task, item, scores));
    scores = scores.subspan(item.pairs.size());
    acc.push_back(score.correct ? 1 : 0);
    acc_norm.push_back(score.correct_norm ? 1 : 0);
    log_likelihood.push_back(score.log_likelihoods[static_cast<std::size_t>(item.gold)]);
  }
  result.acc = estimate(acc);
  if (task.kind == TaskKind::multiple_choice) result.acc_norm = estimate(acc_norm);
  result.log_likelihood = estimate(log_likelihood);
  return result;
}

TaskResult run_task(Subject& subject, const Task& task, TokenId bos) {
  const auto requests = task_requests(subject.model.text(), task, bos, subject.model.config.max_positions);
  return summarize_task(task, score_requests(subject, requests, task.name));
}

}  // namespace layerboost
