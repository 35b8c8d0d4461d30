// Linear attention of all heads over whole texts, forward and backward: what the cores of hybrid and gated share.
#pragma once

#include "mixer/training.h"

namespace layerboost {

/// Query i of a text sees keys `first_key` .. i - behind; those before have none.
struct LinearTexts {
  CoreBatch batch;
  int heads = 0, kv_heads = 0, head_size = 0, map_size = 0;  // H, G, d, f
  int behind = 0, first_key = 0;
  const float *q = nullptr, *k = nullptr, *v = nullptr;      // [N, H, d], [N, G, d], [N, G, d]
  const float *q_features = nullptr, *k_features = nullptr;  // [H, d, f]
  const float* log_decays =
      nullptr;  // [texts, H, length]; nullptr: none; only where query and key positions are the same
};

/// sums [N, H, d] and totals [N, H] as linear_attention() says; zeros for queries that see nothing.
void linear_texts(const LinearTexts& texts, float* sums, float* totals, KernelScratch& scratch);

/// Added to; shapes as in LinearTexts.
struct LinearTextGradients {
  float *q = nullptr, *k = nullptr, *v = nullptr;
  float *q_features = nullptr, *k_features = nullptr;
  float* log_decays = nullptr;
};

/// dsums [N, H, d], dtotals [N, H].
void linear_texts_backward(const LinearTexts& texts, const float* dsums, const float* dtotals,
                           const LinearTextGradients& gradients, KernelScratch& scratch);

}  // namespace layerboost
