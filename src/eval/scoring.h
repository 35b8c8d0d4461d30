// Log-likelihoods of continuations: what perplexity, multiple choice and retrieval are made of.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "generate/token_run.h"
#include "model/subject.h"

namespace layerboost {

struct Score {
  double log_likelihood = 0;  // sum over the continuation of log p(token | everything before), nats
  bool greedy = true;         // is every token of the continuation the most likely one
  int tokens = 0;             // of the continuation
  double margin = std::numeric_limits<double>::infinity();  // least over the continuation of log p(token) minus that of
                                                            // the likeliest other token, nats; below 0: not greedy
};

/// Returns by how much log p(token) exceeds that of the likeliest other token, nats. `best`: argmax() of logits
/// [vocab], which are to be multiplied by `scale`. NaN where they aren't numbers.
float margin_of(const float* logits, float scale, int vocab, int best, TokenId token);

/// The score of each request, in their order; independent of the other requests beyond rounding. Shared prefixes are
/// read once. Log-softmax in f32, sums in double. `label` names the work on the progress line; empty: none is shown.
/// Throws Error where logits aren't numbers, Interrupted when the user asked to stop.
std::vector<Score> score_requests(Subject& subject, std::span<const Request> requests, const std::string& label = "");

}  // namespace layerboost
