#include "generate/logits_processors.h"

namespace layerboost {
namespace {

/// So low that it is never sampled, so high that a division by a temperature leaves it finite.
constexpr float out_of_reach = -1e30F;

}  // namespace

LogitsProcessors::LogitsProcessors(const Sampling& sampling, std::span<const TokenId> prompt)
    : bias_(sampling.logit_bias),
      repetition_(sampling.repetition_penalty),
      presence_(sampling.presence_penalty),
      frequency_(sampling.frequency_penalty) {
  if (repetition_ == 1) return;
  for (const TokenId token : prompt) counts_.emplace(token, 0);
}

void LogitsProcessors::see(TokenId token) {
  if (penalties()) ++counts_[token];
}

bool LogitsProcessors::penalties() const { return repetition_ != 1 || presence_ != 0 || frequency_ != 0; }

bool LogitsProcessors::any() const { return !bias_.empty() || penalties(); }

void LogitsProcessors::apply(std::span<float> logits, std::span<const TokenId> left_out) const {
  for (const auto& [token, bias] : bias_) logits[static_cast<std::size_t>(token)] += bias;
  for (const TokenId token : left_out) logits[static_cast<std::size_t>(token)] = out_of_reach;
  for (const auto& [token, count] : counts_) {
    float& logit = logits[static_cast<std::size_t>(token)];
    if (logit <= out_of_reach) continue;
    double value = static_cast<double>(logit);
    value = value > 0 ? value / repetition_ : value * repetition_;
    if (count > 0) value -= frequency_ * count + presence_;
    logit = static_cast<float>(value);
  }
}

TokenId sample(const float* logits, float scale, int vocab, const Sampling& sampling,
               const LogitsProcessors& processors, std::span<const TokenId> left_out, Random& random,
               ScratchStack& scratch) {
  if (left_out.empty() && !processors.any()) return sample(logits, scale, vocab, sampling, random);
  ScratchStack::Frame frame(scratch);
  const std::span<float> changed(frame.take<float>(static_cast<std::size_t>(vocab)), static_cast<std::size_t>(vocab));
  for (std::size_t i = 0; i < changed.size(); ++i) changed[i] = logits[i] * scale;
  processors.apply(changed, left_out);
  return sample(changed.data(), 1, vocab, sampling, random);
}

}  // namespace layerboost
