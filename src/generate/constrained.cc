#include "generate/constrained.h"

#include <algorithm>
#include <memory>

#include "model/runner.h"

namespace layerboost {
namespace {

constexpr float not_allowed = -1e30F;  // as LogitsProcessors has it
constexpr int tries = 4;               // before all tokens are looked at

constexpr const char* too_open =
    "the form that the answer is to have leaves too much open for this server: use a simpler schema or expression";
constexpr const char* stuck = "no token of this model goes on with the form that the answer is to have";

/// Makes what may not come next impossible. `ends` may where the text may end, and never as a part of it.
void leave_out(std::span<float> logits, const TokenMask& mask, std::span<const TokenId> ends, bool may_end) {
  std::vector<float> of_ends;
  for (const TokenId token : ends) of_ends.push_back(logits[static_cast<std::size_t>(token)]);
  for (std::size_t begin = 0, word = 0; begin < logits.size(); begin += 64, ++word) {
    const std::uint64_t bits = word < mask.size() ? mask[word] : 0;
    if (bits == ~std::uint64_t{0}) continue;
    const std::size_t count = std::min<std::size_t>(64, logits.size() - begin);
    for (std::size_t i = 0; i < count; ++i) logits[begin + i] = (bits >> i & 1U) != 0 ? logits[begin + i] : not_allowed;
  }
  for (std::size_t i = 0; i < ends.size(); ++i)
    logits[static_cast<std::size_t>(ends[i])] = may_end ? of_ends[i] : not_allowed;
}

}  // namespace

Chosen sample_guided(const float* logits, float scale, int vocab, const Sampling& sampling,
                     const LogitsProcessors& processors, std::span<const TokenId> ends, Guide& guide, Random& random,
                     ScratchStack& scratch) {
  ScratchStack::Frame frame(scratch);
  const std::span<float> row(frame.take<float>(static_cast<std::size_t>(vocab)), static_cast<std::size_t>(vocab));
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = logits[i] * scale;
  processors.apply(row, {});
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
    if (token < 0) return {-1, damaged_model};
    if (is_allowed(token)) return {token};
    row[static_cast<std::size_t>(token)] = not_allowed;
  }
  const std::shared_ptr<const TokenMask> mask = guide.allowed();
  if (mask == nullptr) return {-1, too_open};
  leave_out(row, *mask, ends, may_end);
  const TokenId token = sample(row.data(), 1, vocab, sampling, random);
  if (token < 0) return {-1, damaged_model};
  if (row[static_cast<std::size_t>(token)] <= not_allowed || !is_allowed(token)) return {-1, stuck};
  return {token};
}

}  // namespace layerboost
