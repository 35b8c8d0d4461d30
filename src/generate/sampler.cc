#include "generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "base/error.h"
#include "generate/top_tokens.h"
#include "kernels/row_ops.h"

namespace layerboost {
namespace {

/// The token at which the running sum of probabilities passes `mass`, in order of ids. Whole chunks are skipped by
/// their sums, which the kernel computes fast.
TokenId find_mass(const float* logits, float scale, int vocab, double mass) {
  constexpr int chunk = 1024;
  const double total = static_cast<double>(log_sum_exp(logits, scale, vocab));
  if (!std::isfinite(total)) return -1;
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
    mass = 0;  // rounding: the next token that can be sampled
  }
  return argmax(logits, vocab);  // rounding at the very end
}

struct Candidate {
  ScoredToken token;
  double weight;  // exp of its scaled logit, relative to the likeliest one's
};

/// `tokens` in order of ids, so that rounding can't change which of them a random number falls upon.
std::vector<Candidate> weighed(std::vector<ScoredToken> tokens, float scale, float most) {
  std::ranges::sort(tokens, {}, &ScoredToken::id);
  std::vector<Candidate> candidates;
  candidates.reserve(tokens.size());
  for (const ScoredToken& token : tokens)
    candidates.push_back({token, std::exp(static_cast<double>((token.logit - most) * scale))});
  return candidates;
}

double sum_of(std::span<const Candidate> candidates) {
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += candidate.weight;
  return sum;
}

/// Leaves the fewest likeliest whose weights reach `mass`. Halves what is in question each time instead of sorting.
void keep_nucleus(std::vector<Candidate>& candidates, double mass) {
  if (candidates.empty()) return;
  std::vector<Candidate> order = candidates;
  const auto by_likelihood = [](const Candidate& a, const Candidate& b) { return likelier(a.token, b.token); };
  std::span<Candidate> open = order;  // the least likely that is needed is in here
  while (open.size() > 1) {
    const std::size_t half = open.size() / 2;
    std::nth_element(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(half), open.end(), by_likelihood);
    const double sum = sum_of(open.first(half));
    open = sum >= mass ? open.first(half) : open.subspan(half);
    if (sum < mass) mass -= sum;
  }
  const ScoredToken last = open.front().token;
  std::erase_if(candidates, [&](const Candidate& candidate) { return likelier(last, candidate.token); });
}

/// Tokens among which the nucleus of `top_p` of all is. Few are likely, mostly: those are looked at first.
std::vector<Candidate> nucleus_of_all(const float* logits, float scale, int vocab, float most, double top_p) {
  const float sum = log_sum_exp(logits, scale, vocab);
  const double mass = top_p * std::exp(static_cast<double>(sum) - static_cast<double>(most * scale));
  // All tokens below the last of the floors together have less than 1 - top_p: none of them is needed.
  const float last = sum + static_cast<float>(std::log((1 - top_p) / vocab)) - most * scale;
  std::vector<Candidate> candidates;
  for (const float floor : {-3.0F, -6.0F, -10.0F, last}) {
    candidates = weighed(tokens_above(logits, vocab, most + std::max(floor, last) / scale), scale, most);
    if (floor <= last || sum_of(candidates) >= mass) break;
  }
  keep_nucleus(candidates, mass);
  return candidates;
}

/// Samples within what min_p, top_k and top_p leave. `uniform`: in [0, 1).
TokenId sample_among_few(const float* logits, float scale, int vocab, const Sampling& sampling, double uniform) {
  const TokenId best = argmax(logits, vocab);
  if (best < 0) return -1;
  const float most = logits[best];
  std::vector<Candidate> candidates;
  if (sampling.min_p == 0 && sampling.top_k == 0) {
    candidates = nucleus_of_all(logits, scale, vocab, most, sampling.top_p);
  } else {
    const float floor = sampling.min_p > 0 ? most + static_cast<float>(std::log(sampling.min_p)) / scale
                                           : -std::numeric_limits<float>::infinity();
    candidates = weighed(
        sampling.top_k > 0 ? top_tokens(logits, vocab, sampling.top_k, floor) : tokens_above(logits, vocab, floor),
        scale, most);
    if (sampling.top_p < 1) keep_nucleus(candidates, sampling.top_p * sum_of(candidates));
  }
  double mass = uniform * sum_of(candidates);
  for (const Candidate& candidate : candidates) {
    mass -= candidate.weight;
    if (mass < 0) return candidate.token.id;
  }
  return best;  // rounding
}

void check(bool right, const char* name, double value, const char* allowed) {
  if (!right) fail("{} is {}: must be {}", name, value, allowed);
}

}  // namespace

void check_sampling(const Sampling& sampling, int vocab) {
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
  for (const auto& [token, bias] : s.logit_bias) {
    check_token("logit_bias", token, vocab);
    check(bias >= -100 && bias <= 100, "logit_bias", static_cast<double>(bias), "between -100 and 100");
  }
  if (s.filter == nullptr) return;
  if (s.filter->highest_allowed() >= 0) check_token("allowed_tokens", s.filter->highest_allowed(), vocab);
  if (s.filter->highest_bad() >= 0) check_token("bad_words", s.filter->highest_bad(), vocab);
}

void check_token(const char* where, TokenId token, int vocab) {
  if (token < 0 || token >= vocab) fail("{}: token id {} is outside the vocabulary (0 to {})", where, token, vocab - 1);
}

TokenId sample(const float* logits, float scale, int vocab, const Sampling& sampling, Random& random) {
  if (!std::isfinite(scale)) return -1;
  if (sampling.temperature < least_temperature) return argmax(logits, vocab);
  const float sharper = static_cast<float>(static_cast<double>(scale) / sampling.temperature);
  const double uniform = random.uniform();
  const bool all = sampling.top_k == 0 || sampling.top_k >= vocab;
  if (sampling.top_p >= 1 && all && sampling.min_p == 0) return find_mass(logits, sharper, vocab, uniform);
  return sample_among_few(logits, sharper, vocab, sampling, uniform);
}

}  // namespace layerboost
