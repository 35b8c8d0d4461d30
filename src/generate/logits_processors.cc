#include "generate/logits_processors.h"

#include <algorithm>

#include "model/runner.h"

namespace layerboost {
namespace {

constexpr const char* nothing_left =
    "none of the tokens that are allowed may come next: bad words leave them out, or the least number of tokens does";

}  // namespace

bool none_is_left(std::span<const float> logits) {
  return std::ranges::all_of(logits, [](float logit) { return logit <= out_of_reach; });
}

void leave_only(std::span<float> logits, const TokenMask& mask) {
  for (std::size_t begin = 0, word = 0; begin < logits.size(); begin += 64, ++word) {
    const std::uint64_t bits = word < mask.size() ? mask[word] : 0;
    if (bits == ~std::uint64_t{0}) continue;
    const std::size_t count = std::min<std::size_t>(64, logits.size() - begin);
    for (std::size_t i = 0; i < count; ++i)
      logits[begin + i] = (bits >> i & 1U) != 0 ? logits[begin + i] : out_of_reach;
  }
}

LogitsProcessors::LogitsProcessors(const Sampling& sampling, std::span<const TokenId> prompt)
    : bias_(sampling.logit_bias),
      repetition_(sampling.repetition_penalty),
      presence_(sampling.presence_penalty),
      frequency_(sampling.frequency_penalty),
      filter_(sampling.filter) {
  if (repetition_ == 1) return;
  for (const TokenId token : prompt) counts_.emplace(token, 0);
}

void LogitsProcessors::see(TokenId token) {
  if (penalties()) ++counts_[token];
  if (filter_ != nullptr && !filter_->bad_words().empty()) text_.push_back(token);
}

bool LogitsProcessors::penalties() const { return repetition_ != 1 || presence_ != 0 || frequency_ != 0; }

bool LogitsProcessors::any() const { return !bias_.empty() || penalties() || filter_ != nullptr; }

void LogitsProcessors::apply(std::span<float> logits, std::span<const TokenId> left_out) const {
  for (const auto& [token, bias] : bias_) logits[static_cast<std::size_t>(token)] += bias;
  for (const TokenId token : left_out) logits[static_cast<std::size_t>(token)] = out_of_reach;
  if (filter_ != nullptr) {
    if (!filter_->allowed().empty()) leave_only(logits, filter_->allowed());
    leave_out_bad_words(logits);
  }
  for (const auto& [token, count] : counts_) {
    float& logit = logits[static_cast<std::size_t>(token)];
    if (logit <= out_of_reach) continue;
    double value = static_cast<double>(logit);
    value = value > 0 ? value / repetition_ : value * repetition_;
    if (count > 0) value -= frequency_ * count + presence_;
    logit = static_cast<float>(value);
  }
}

void LogitsProcessors::leave_out_bad_words(std::span<float> logits) const {
  for (const std::vector<TokenId>& word : filter_->bad_words()) {
    const std::size_t before = word.size() - 1;
    if (before <= text_.size() &&
        std::equal(text_.end() - static_cast<std::ptrdiff_t>(before), text_.end(), word.begin()))
      logits[static_cast<std::size_t>(word.back())] = out_of_reach;
  }
}

Chosen sample(const float* logits, float scale, int vocab, const Sampling& sampling, const LogitsProcessors& processors,
              std::span<const TokenId> left_out, Random& random, ScratchStack& scratch) {
  if (left_out.empty() && !processors.any()) {
    const TokenId token = sample(logits, scale, vocab, sampling, random);
    return {token, token < 0 ? damaged_model : nullptr};
  }
  ScratchStack::Frame frame(scratch);
  const std::span<float> changed(frame.take<float>(static_cast<std::size_t>(vocab)), static_cast<std::size_t>(vocab));
  for (std::size_t i = 0; i < changed.size(); ++i) changed[i] = logits[i] * scale;
  processors.apply(changed, left_out);
  const TokenId token = sample(changed.data(), 1, vocab, sampling, random);
  if (token >= 0 && changed[static_cast<std::size_t>(token)] > out_of_reach) return {token};
  return none_is_left(changed) ? Chosen{-1, nothing_left, true} : Chosen{-1, damaged_model};
}

}  // namespace layerboost
