// How far a changed model's predictions are from the unchanged model's.
#pragma once

#include <span>

#include "eval/perplexity.h"

namespace layerboost {

/// Over the scored tokens of a text; errors are over windows.
struct TextDivergence {
  Estimate kl;          // mean KL(unchanged || changed) of the next token's distribution, nats
  Estimate agreement;   // share of tokens for which both have the same best one
  Estimate nll_change;  // changed minus unchanged, paired by window, nats
  Perplexity base, changed;
};

/// Both subjects read `windows` (text_windows); logits are compared in blocks of rows, never held whole. The subjects
/// have the same vocabulary. Throws Error where logits aren't numbers, Interrupted.
TextDivergence measure_divergence(Subject& base, Subject& changed, std::span<const Request> windows);

}  // namespace layerboost
