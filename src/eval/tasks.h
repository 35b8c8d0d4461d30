// Multiple choice, last-word prediction and writing, scored by lm-evaluation-harness's rules (zero-shot, no chat
// template).
#pragma once

#include <span>
#include <vector>

#include "eval/scoring.h"
#include "eval/statistics.h"
#include "eval/task_file.h"

namespace layerboost {

struct TaskItemScore {
  std::vector<double> log_likelihoods;  // by choice
  bool correct = false;       // multiple choice: the largest log-likelihood is the gold one's, the first wins a tie;
                              // last word: every token is the likeliest; writing: the answer is one of the right ones
  bool correct_norm = false;  // as correct, each divided by the choice's code points without its leading space
};

struct TaskResult {
  std::string name;
  TaskKind kind = TaskKind::multiple_choice;
  Estimate acc, acc_norm;   // acc_norm: multiple choice only
  Estimate log_likelihood;  // of the gold continuation, nats; last word: perplexity is exp(-mean)
  std::vector<TaskItemScore> items;
};

/// What a task's model wrote, as it is compared with the answers: cut at the first stop string, what the pattern finds
/// in it, without white space around it (lm-evaluation-harness's generate_until with a regex filter and exact_match).
std::string answer_in(std::string_view text, const WritingTask& task);

/// The requests of all items' pairs, one after another. `bos` as for encode_pair().
std::vector<Request> task_requests(const Tokenizer& tokenizer, const Task& task, TokenId bos, int max_positions);

/// The result from the scores of task_requests().
TaskResult summarize_task(const Task& task, std::span<const Score> scores);

TaskResult run_task(Subject& subject, const Task& task, TokenId bos);

}  // namespace layerboost
