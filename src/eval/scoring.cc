#include "eval/scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "eval/prefix_tree.h"

namespace layerboost {
namespace {

/// What was found for one target.
struct TokenScore {
  float log_prob;
  bool greedy;
  float margin;
};

/// The scores of a step's targets, in their order.
std::vector<TokenScore> score_step(Runner& runner, const float* hidden, const StepTargets& step) {
  std::vector<TokenScore> scores(step.targets.size());
  const std::vector<int> index = step.index();
  runner.logits(hidden, step.rows, [&](const LogitsBlock& block) {
    const int rows = static_cast<int>(block.rows.size());
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < rows; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const float* logits = block.row(at);
      const float scale = block.scale(at);
      const float total = log_sum_exp(logits, scale, block.vocab);
      const int best = argmax(logits, block.vocab);
      const auto row = static_cast<std::size_t>(index[static_cast<std::size_t>(block.rows[at])]);
      for (int t = step.first[row]; t < step.first[row + 1]; ++t) {
        const TokenId token = step.targets[static_cast<std::size_t>(t)].token;
        const float margin = margin_of(logits, scale, block.vocab, best, token);
        scores[static_cast<std::size_t>(t)] = {logits[token] * scale - total, token == best, margin};
      }
    }
  });
  return scores;
}

}  // namespace

float margin_of(const float* logits, float scale, int vocab, int best, TokenId token) {
  if (best < 0) return std::numeric_limits<float>::quiet_NaN();
  float other = -std::numeric_limits<float>::infinity();
  if (best != token) {
    other = logits[best];
  } else {
    const int behind = vocab - token - 1;
    if (token > 0) other = logits[argmax(logits, token)];
    if (behind > 0) other = std::max(other, logits[token + 1 + argmax(logits + token + 1, behind)]);
  }
  return (logits[token] - other) * scale;
}

std::vector<Score> score_requests(Subject& subject, std::span<const Request> requests, const std::string& label) {
  std::vector<Score> scores(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i)
    scores[i].tokens = static_cast<int>(requests[i].continuation.size());

  const std::vector<TokenRun> runs = build_prefix_tree(requests, subject.model.config.rope);
  std::int64_t total = 0;
  for (const TokenRun& run : runs) total += static_cast<std::int64_t>(run.tokens.size());
  std::optional<Progress> progress;
  if (!label.empty()) progress.emplace(label, total, "tokens");

  RunSchedule schedule(runs);
  RunReader reader(subject, runs);
  for (auto pieces = schedule.next(); !pieces.empty(); pieces = schedule.next()) {
    check_interrupt("evaluation stopped; nothing was written, the same command starts it again");
    const float* hidden = reader.read(pieces);
    const StepTargets step = targets_of(runs, pieces);
    const std::vector<TokenScore> found = score_step(subject.runner, hidden, step);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!std::isfinite(found[i].log_prob)) fail("{}", damaged_model);
      Score& score = scores[static_cast<std::size_t>(step.targets[i].request)];
      score.log_likelihood += static_cast<double>(found[i].log_prob);
      score.greedy = score.greedy && found[i].greedy;
      score.margin = std::min(score.margin, static_cast<double>(found[i].margin));
    }
    if (progress) progress->advance(step.step_rows);
  }
  return scores;
}

}  // namespace layerboost
