#include "engine/prediction.h"

#include "eval/top_tokens.h"
#include "kernels/row_ops.h"

namespace layerboost {
namespace {

/// A row of logits [V], to be multiplied by `scale`.
struct Row {
  const float* logits;
  float scale;
  int vocab;
};

/// Of the raw softmax.
TokenLogprob logprob_of(const Row& row, TokenId token, int likeliest) {
  const float total = log_sum_exp(row.logits, row.scale, row.vocab);
  TokenLogprob result{token, row.logits[token] * row.scale - total, {}};
  for (const ScoredToken& top : top_tokens(row.logits, row.vocab, likeliest))
    result.top.emplace_back(top.id, top.logit * row.scale - total);
  return result;
}

TokenId draw(const Row& row, Job& job) {
  const Sampling& sampling = job.request.sampling;
  const bool too_early = job.generated < job.request.min_tokens;
  if (!too_early && !job.changes.any()) return sample(row.logits, row.scale, row.vocab, sampling, job.random);
  thread_local std::vector<float> changed;
  changed.resize(static_cast<std::size_t>(row.vocab));
  for (std::size_t i = 0; i < changed.size(); ++i) changed[i] = row.logits[i] * row.scale;
  job.changes.apply(changed, too_early ? std::span<const TokenId>(job.ends) : std::span<const TokenId>());
  return sample(changed.data(), 1, row.vocab, sampling, job.random);
}

void predict_row(const Row& row, Prediction& prediction) {
  Job& job = *prediction.job;
  if (prediction.prompt_token >= 0) {
    const auto index = static_cast<std::size_t>(prediction.prompt_token);
    job.prompt_logprobs[index] = logprob_of(row, job.tokens[index], std::max(0, job.request.logprobs));
    return;
  }
  prediction.drawn = draw(row, job);
  if (job.request.logprobs >= 0) prediction.logprob = logprob_of(row, prediction.drawn, job.request.logprobs);
}

}  // namespace

void predict(Runner& runner, const float* hidden, std::span<Prediction> predictions) {
  std::vector<int> rows;
  for (const Prediction& prediction : predictions) rows.push_back(prediction.row);
  std::size_t done = 0;
  runner.logits(hidden, rows, [&](const LogitsBlock& block) {
    const auto count = std::ssize(block.rows);
#pragma omp parallel for schedule(dynamic) if (count > 1)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      predict_row({block.row(at), block.scale(at), block.vocab}, predictions[done + at]);
    }
    done += block.rows.size();
  });
}

}  // namespace layerboost
