// What rows of a step say of the next token: sampled tokens and log-probabilities.
#pragma once

#include <optional>
#include <span>

#include "engine/job.h"
#include "engine/step_runner.h"

namespace layerboost {

/// What to say of a sequence that there was no memory for.
inline constexpr const char* out_of_memory = "the machine has no memory left for this sequence; try again later";

/// Row `row` of a step's hidden states.
struct Prediction {
  Job* job = nullptr;
  int row = 0;
  int prompt_token = -1;  // its log-probability is asked for, by index in the prompt; -1: a new token is to be sampled
  TokenId sampled = -1;   // the result
  std::optional<TokenLogprob> logprob;  // of it, if asked for
  const char* error = nullptr;          // why there is no result
  bool by_request = false;              // because of what was asked for
};

/// Fills in what is predicted from hidden [*, D], rows in parallel: samples with each job's own random numbers, and
/// puts prompts' log-probabilities into their jobs. A job has at most one token to be sampled. What goes wrong with one
/// row, be it memory, is that row's error alone.
void predict(StepRunner& runner, const float* hidden, std::span<Prediction> predictions, KernelScratch& scratch);

}  // namespace layerboost
