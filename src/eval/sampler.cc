#include "eval/sampler.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/row_ops.h"

namespace layerboost {
namespace {

/// The token at which the running sum of probabilities passes `mass`, in order of ids. Whole chunks are skipped by
/// their sums, which the kernel computes fast.
TokenId find_mass(const float* logits, float scale, int vocab, double mass) {
  constexpr int chunk = 1024;
  const double total = static_cast<double>(log_sum_exp(logits, scale, vocab));
  const auto probability = [&](int id) { return std::exp(static_cast<double>(logits[id] * scale) - total); };
  for (int first = 0; first < vocab; first += chunk) {
    const int size = std::min(chunk, vocab - first);
    const double of_chunk = std::exp(static_cast<double>(log_sum_exp(logits + first, scale, size)) - total);
    if (mass >= of_chunk) {
      mass -= of_chunk;
      continue;
    }
    for (int id = first; id < first + size; ++id) {
      mass -= probability(id);
      if (mass < 0) return id;
    }
    mass = 0;  // rounding: the next token that can be drawn
  }
  return argmax(logits, vocab);  // rounding at the very end
}

struct Candidate {
  double probability;
  TokenId id;
};

/// The fewest likeliest tokens that reach `top_p`, likeliest first, and the sum of their probabilities.
std::vector<Candidate> nucleus(const float* logits, float scale, int vocab, double top_p, double& sum) {
  const double total = static_cast<double>(log_sum_exp(logits, scale, vocab));
  // All tokens below this together have less than 1 - top_p: none of them is needed.
  const double least = (1 - top_p) / vocab;
  std::vector<Candidate> candidates;
  for (int id = 0; id < vocab; ++id) {
    const double probability = std::exp(static_cast<double>(logits[id] * scale) - total);
    if (probability >= least) candidates.push_back({probability, id});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  });
  sum = 0;
  std::size_t size = 0;
  while (size < candidates.size() && sum < top_p) sum += candidates[size++].probability;
  candidates.resize(size);
  return candidates;
}

}  // namespace

void check_sampling(const Sampling& sampling) {
  if (!(sampling.temperature >= 0) || std::isinf(sampling.temperature))
    fail("--temperature {}: must be 0 (the likeliest token) or more", sampling.temperature);
  if (!(sampling.top_p > 0) || sampling.top_p > 1) fail("--top-p {}: must be above 0 and at most 1", sampling.top_p);
}

TokenId sample(const float* logits, float scale, int vocab, const Sampling& sampling, Random& random) {
  if (sampling.temperature == 0) return argmax(logits, vocab);
  const float sharper = static_cast<float>(static_cast<double>(scale) / sampling.temperature);
  const double drawn = random.uniform();
  if (sampling.top_p >= 1) return find_mass(logits, sharper, vocab, drawn);
  double sum = 0;
  const std::vector<Candidate> candidates = nucleus(logits, sharper, vocab, sampling.top_p, sum);
  double mass = drawn * sum;
  for (const Candidate& candidate : candidates) {
    mass -= candidate.probability;
    if (mass < 0) return candidate.id;
  }
  return candidates.empty() ? argmax(logits, vocab) : candidates.back().id;
}

}  // namespace layerboost
