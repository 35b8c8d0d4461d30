#include "eval/tasks.h"

#include <algorithm>
#include <regex>

#include "base/error.h"
#include "base/progress.h"
#include "eval/pair_encoding.h"
#include "generate/bos.h"
#include "generate/generate.h"

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

std::string answer_in(std::string_view text, const WritingTask& task) {
  for (const std::string& stop : task.stop) text = text.substr(0, text.find(stop));
  std::string answer(text);
  std::smatch match;
  if (!task.pattern.empty()) {
    if (!std::regex_search(answer, match, std::regex(task.pattern))) return "";
    answer = match.size() > 1 ? match[1].str() : match[0].str();
  }
  const std::size_t begin = answer.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : std::string(rstrip(answer.substr(begin)));
}

namespace {

TaskResult run_writing(Subject& subject, const Task& task, TokenId bos) {
  constexpr std::size_t together = 64;
  const Tokenizer& tokenizer = subject.model.text();
  TaskResult result;
  result.name = task.name;
  result.kind = task.kind;
  std::vector<double> acc;
  Progress progress(task.name, std::ssize(task.items), "texts");
  for (std::size_t first = 0; first < task.items.size(); first += together) {
    const auto items = std::span(task.items).subspan(first, std::min(together, task.items.size() - first));
    std::vector<std::vector<TokenId>> prompts;
    GenerateOptions options;
    options.tokens = 1;
    options.stop = end_tokens(subject.model);
    for (const TaskItem& item : items) {
      prompts.push_back(encode_with_one_bos(tokenizer, item.writing.prompt, bos));
      options.tokens = std::max(options.tokens, item.writing.max_tokens);
    }
    const std::vector<Generation> written = generate(subject, prompts, options);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const WritingTask& writing = items[i].writing;
      const auto tokens = std::span(written[i].tokens);
      const auto own = tokens.first(std::min(tokens.size(), static_cast<std::size_t>(writing.max_tokens)));
      const std::string answer = answer_in(tokenizer.decode(own), writing);
      TaskItemScore& score = result.items.emplace_back();
      score.correct = std::find(writing.answers.begin(), writing.answers.end(), answer) != writing.answers.end();
      acc.push_back(score.correct ? 1 : 0);
    }
    progress.advance(std::ssize(items));
  }
  result.acc = estimate(acc);
  return result;
}

}  // namespace

TaskResult run_task(Subject& subject, const Task& task, TokenId bos) {
  if (task.kind == TaskKind::generate) return run_writing(subject, task, bos);
  const auto requests = task_requests(subject.model.text(), task, bos, subject.model.config.max_positions);
  return summarize_task(task, score_requests(subject, requests, task.name));
}

}  // namespace layerboost
