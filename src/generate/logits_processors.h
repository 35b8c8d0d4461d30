// What changes a sequence's logits before a token is sampled: bias, penalties, tokens that may not be sampled, or not
// yet.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "generate/sampler.h"
#include "grammar/vocabulary.h"
#include "kernels/scratch.h"

namespace layerboost {

/// The logit of what can't be sampled: so low that it never is, so high that a division by a temperature leaves it
/// finite.
inline constexpr float out_of_reach = -1e30F;

/// Whether no token can be sampled.
bool none_is_left(std::span<const float> logits);

/// Makes all tokens impossible that aren't in `mask`.
void leave_only(std::span<float> logits, const TokenMask& mask);

/// One per sequence; steps 1 and 2 of Sampling. Remembers the tokens seen as far as they are needed.
class LogitsProcessors {
 public:
  LogitsProcessors(const Sampling& sampling, std::span<const TokenId> prompt);

  /// Counts a token that was sampled.
  void see(TokenId token);

  /// Whether apply() changes anything beside what is to be left out.
  [[nodiscard]] bool any() const;

  /// Changes logits [V] (true ones: row scales multiplied in). `left_out` can't be sampled afterwards.
  void apply(std::span<float> logits, std::span<const TokenId> left_out) const;

 private:
  [[nodiscard]] bool penalties() const;
  void leave_out_bad_words(std::span<float> logits) const;

  std::vector<std::pair<TokenId, float>> bias_;
  double repetition_, presence_, frequency_;
  std::unordered_map<TokenId, int> counts_;  // of the text; 0: only in the prompt
  std::shared_ptr<const TokenFilter> filter_;
  std::vector<TokenId> text_;  // where there are bad words
};

/// All steps of Sampling: as sample(), by scale * logits [V] after `processors`; `left_out` can't be sampled.
Chosen sample(const float* logits, float scale, int vocab, const Sampling& sampling, const LogitsProcessors& processors,
              std::span<const TokenId> left_out, Random& random, ScratchStack& scratch);

}  // namespace layerboost
