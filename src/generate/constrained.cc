#include "generate/constrained.h"

#include <algorithm>
#include <memory>

#include "model/runner.h"

namespace layerboost {
namespace {

constexpr int tries = 4;  // before all tokens are looked at

constexpr const char* too_open =
    "the form that the answer is to have leaves too much open for this server: use a simpler schema or expression";
constexpr const char* stuck = "no token that may come next goes on with the form that the answer is to have";

/// Makes what may not come next impossible. `ends` may where the text may end, and never as a part of it.
void leave_out(std::span<float> logits, const TokenMask& mask, std::span<const TokenId> ends, bool may_end) {
  std::vector<float> of_ends;
  for (const TokenId token : ends) of_ends.push_back(logits[static_cast<std::size_t>(token)]);
  leave_only(logits, mask);
  for (std::size_t i = 0; i < ends.size(); ++i)
    logits[static_cast<std::size_t>(ends[i])] = may_end ? of_ends[i] : out_of_reach;
}

}  // namespace

Chosen sample_guided(const float* logits, float scale, int vocab, const Sampling& sampling,
                     const LogitsProcessors& processors, std::span<const TokenId> ends, Guide& guide, Random& random,
                     ScratchStack& scratch) {
  ScratchStack::Frame frame(scratch);
  const std::span<float> row(frame.take<float>(static_cast<std::size_t>(vocab)), static_cast<std::size_t>(vocab));
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = logits[i] * scale;
  processors.apply(row, {});
  const auto can_be_sampled = [&](TokenId token) {
    return token >= 0 && row[static_cast<std::size_t>(token)] > out_of_reach;
  };
  const bool may_end = guide.may_end();
  const auto is_allowed = [&](TokenId token) {
    return std::ranges::find(ends, token) != ends.end() ? may_end : guide.allows(token);
  };
  // Where one token after the other is drawn and put aside until one is allowed, that one is drawn as among those that
  // are. What top_p and the like leave depends on all that are.
  const bool one_by_one =
      sampling.temperature < least_temperature || (sampling.top_p >= 1 && sampling.top_k == 0 && sampling.min_p == 0);
  for (int i = 0; i < tries && one_by_one; ++i) {
    const TokenId token = sample(row.data(), 1, vocab, sampling, random);
    if (!can_be_sampled(token)) {
      if (none_is_left(row)) break;
      return {-1, damaged_model};
    }
    if (is_allowed(token)) return {token};
    row[static_cast<std::size_t>(token)] = out_of_reach;
  }
  const std::shared_ptr<const TokenMask> mask = guide.allowed();
  if (mask == nullptr) return {-1, too_open};
  leave_out(row, *mask, ends, may_end);
  const TokenId token = sample(row.data(), 1, vocab, sampling, random);
  if (can_be_sampled(token)) return {token};
  return {-1, none_is_left(row) ? stuck : damaged_model};
}

}  // namespace layerboost
