// How far a changed model's predictions are from the unchanged model's.
#pragma once

#include <span>

#include "eval/perplexity.h"

namespace layerboost {

/// How far the models differ on tokens at positions from .. to - 1 of their windows; errors are over windows.
struct PositionDivergence {
  int from = 0, to = 0;
  Estimate kl, nll_change;
};

/// Over the scored tokens of a text; errors are over windows.
struct TextDivergence {
  Estimate kl;          // mean KL(unchanged || changed) of the next token's distribution, nats
  Estimate agreement;   // share of tokens for which both have the same best one
  Estimate nll_change;  // changed minus unchanged, paired by window, nats
  Perplexity base, changed;
  std::vector<PositionDivergence> positions;  // 0 .. 255, 256 .. 511, then twice as many each; those with tokens
};

/// Both subjects read `windows` (text_windows); logits are compared in blocks of rows, never held whole. The subjects
/// have the same vocabulary. Throws Error where logits aren't numbers, Interrupted.
TextDivergence measure_divergence(Subject& base, Subject& changed, std::span<const Request> windows);

}  // namespace layerboost
