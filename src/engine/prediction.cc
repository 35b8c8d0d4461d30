#include "engine/prediction.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "generate/constrained.h"
#include "generate/top_tokens.h"
#include "kernels/row_ops.h"

namespace layerboost {
namespace {

/// A row of logits [V], to be multiplied by `scale`.
struct Row {
  const float* logits;
  float scale;
  int vocab;
};

/// Tokens that are at least as likely.
int rank_of(const Row& row, TokenId token) {
  const float logit = row.logits[token];
  return static_cast<int>(
      std::count_if(row.logits, row.logits + row.vocab, [=](float other) { return other >= logit; }));
}

/// Returns a token's log-probability by the raw softmax, and the `likeliest` likeliest tokens. It is no number where
/// the logits aren't.
TokenLogprob logprob_of(const Row& row, TokenId token, int likeliest) {
  const float total = log_sum_exp(row.logits, row.scale, row.vocab);
  TokenLogprob result{token, row.logits[token] * row.scale - total, {}};
  for (const ScoredToken& top : top_tokens(row.logits, row.vocab, likeliest))
    result.top.emplace_back(top.id, top.logit * row.scale - total);
  return result;
}

Chosen sample_token(const Row& row, Job& job, ScratchStack& scratch) {
  if (job.guide)
    return sample_guided(row.logits, row.scale, row.vocab, job.request.sampling, job.processors, job.ends, *job.guide,
                         job.random, scratch);
  const bool too_early = job.generated < job.request.min_tokens;
  return sample(row.logits, row.scale, row.vocab, job.request.sampling, job.processors,
                too_early ? std::span<const TokenId>(job.ends) : std::span<const TokenId>(), job.random, scratch);
}

void predict_row(const Row& row, Prediction& prediction, ScratchStack& scratch) {
  Job& job = *prediction.job;
  const bool of_prompt = prediction.prompt_token >= 0;
  if (of_prompt) {
    const TokenId token = job.tokens[static_cast<std::size_t>(prediction.prompt_token)];
    prediction.logprob = logprob_of(row, token, job.request.prompt_logprobs);
    if (job.request.prompt_ranks) prediction.logprob->rank = rank_of(row, token);
  } else {
    const Chosen chosen = sample_token(row, job, scratch);
    prediction.sampled = chosen.token;
    prediction.error = chosen.error;
    prediction.by_request = chosen.by_request;
    if (prediction.sampled >= 0 && job.request.logprobs >= 0)
      prediction.logprob = logprob_of(row, prediction.sampled, job.request.logprobs);
  }
  const bool numbers = !prediction.logprob || std::isfinite(prediction.logprob->logprob);
  if (prediction.error == nullptr && !numbers) prediction.error = damaged_model;
  if (of_prompt) job.prompt_logprobs[static_cast<std::size_t>(prediction.prompt_token)] = std::move(prediction.logprob);
}

}  // namespace

void predict(StepRunner& runner, const float* hidden, std::span<Prediction> predictions, KernelScratch& scratch) {
  std::vector<int> rows;
  for (const Prediction& prediction : predictions) rows.push_back(prediction.row);
  std::size_t done = 0;
  runner.logits(hidden, rows, [&](const LogitsBlock& block) {
    const auto count = std::ssize(block.rows);
    const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for schedule(dynamic) if (count > 1)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      try {  // no exception may leave the loop
        predict_row({block.row(at), block.scale(at), block.vocab}, predictions[done + at], threads.mine());
      } catch (const std::bad_alloc&) {
        predictions[done + at].error = out_of_memory;
      }
    }
    done += block.rows.size();
  });
}

}  // namespace layerboost
