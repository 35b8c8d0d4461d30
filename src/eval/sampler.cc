#include "eval/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "eval/top_tokens.h"
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

/// exp of a token's scaled logit, relative to the largest one's.
double weight_of(const ScoredToken& token, float scale, float most) {
  return std::exp(static_cast<double>((token.logit - most) * scale));
}

/// The number of candidates, likeliest first at the front of the list, whose weights (each relative to the likeliest)
/// reach `mass`. Sorts as few as it can.
std::size_t sort_until(std::vector<ScoredToken>& candidates, float scale, float most, double mass) {
  double sum = 0;
  std::size_t sorted = 0;
  for (std::size_t size = 64; sorted < candidates.size(); size *= 4) {
    const auto first = candidates.begin() + static_cast<std::ptrdiff_t>(sorted);
    const auto last = candidates.begin() + static_cast<std::ptrdiff_t>(std::min(candidates.size(), size));
    if (last != candidates.end()) std::nth_element(first, last, candidates.end(), likelier);
    std::sort(first, last, likelier);
    for (auto candidate = first; candidate != last; ++candidate) {
      sum += weight_of(*candidate, scale, most);
      ++sorted;
      if (sum >= mass) return sorted;
    }
  }
  return sorted;
}

/// Draws within what min_p, top_k and top_p leave. `drawn`: in [0, 1).
TokenId draw_among_few(const float* logits, float scale, int vocab, const Sampling& sampling, double drawn) {
  const TokenId best = argmax(logits, vocab);
  const float most = logits[best];
  float floor = -std::numeric_limits<float>::infinity();
  if (sampling.min_p > 0) floor = most + static_cast<float>(std::log(sampling.min_p)) / scale;
  std::vector<ScoredToken> candidates;
  double total = 0;  // of the weights that min_p and top_k leave
  if (sampling.min_p == 0 && sampling.top_k == 0) {
    // All tokens below this floor together have less than 1 - top_p: none of them is needed.
    const float sum = log_sum_exp(logits, scale, vocab);
    floor = (sum + static_cast<float>(std::log((1 - sampling.top_p) / vocab))) / scale;
    candidates = tokens_above(logits, vocab, floor);
    total = std::exp(static_cast<double>(sum) - static_cast<double>(most * scale));
  } else {
    candidates =
        sampling.top_k > 0 ? top_tokens(logits, vocab, sampling.top_k, floor) : tokens_above(logits, vocab, floor);
    for (const ScoredToken& candidate : candidates) total += weight_of(candidate, scale, most);
  }
  if (sampling.top_p < 1) candidates.resize(sort_until(candidates, scale, most, sampling.top_p * total));
  double left = 0;
  for (const ScoredToken& candidate : candidates) left += weight_of(candidate, scale, most);
  double mass = drawn * left;
  for (const ScoredToken& candidate : candidates) {
    mass -= weight_of(candidate, scale, most);
    if (mass < 0) return candidate.id;
  }
  return best;  // rounding
}

void check(bool right, const char* name, double value, const char* allowed) {
  if (!right) fail("{} is {}: must be {}", name, value, allowed);
}

}  // namespace

void check_sampling(const Sampling& sampling) {
  const Sampling& s = sampling;
  check(s.temperature >= 0 && std::isfinite(s.temperature), "temperature", s.temperature,
        "0 (the likeliest token) or more");
  check(s.top_p > 0 && s.top_p <= 1, "top_p", s.top_p, "above 0 and at most 1");
  check(s.top_k >= 0, "top_k", s.top_k, "0 (all tokens) or more");
  check(s.min_p >= 0 && s.min_p <= 1, "min_p", s.min_p, "between 0 and 1");
  check(s.repetition_penalty > 0 && std::isfinite(s.repetition_penalty), "repetition_penalty", s.repetition_penalty,
        "above 0 (1: none)");
  check(std::isfinite(s.presence_penalty), "presence_penalty", s.presence_penalty, "a number");
  check(std::isfinite(s.frequency_penalty), "frequency_penalty", s.frequency_penalty, "a number");
  for (const auto& [token, bias] : s.logit_bias)
    check(bias >= -100 && bias <= 100, "logit_bias", static_cast<double>(bias), "between -100 and 100");
}

TokenId sample(const float* logits, float scale, int vocab, const Sampling& sampling, Random& random) {
  if (sampling.temperature < least_temperature) return argmax(logits, vocab);
  const float sharper = static_cast<float>(static_cast<double>(scale) / sampling.temperature);
  const double drawn = random.uniform();
  const bool all = sampling.top_k == 0 || sampling.top_k >= vocab;
  if (sampling.top_p >= 1 && all && sampling.min_p == 0) return find_mass(logits, sharper, vocab, drawn);
  return draw_among_few(logits, sharper, vocab, sampling, drawn);
}

}  // namespace layerboost
