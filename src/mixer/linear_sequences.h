// Linear attention of all heads over whole sequences, forward and backward: what the cores of hybrid and gated share.
#pragma once

#include "mixer/training.h"

namespace layerboost {

/// The inputs of linear attention. Query i of a sequence sees keys `first_key` .. i - behind; queries for which that is
/// empty see none.
struct LinearSequences {
  CoreBatch batch;
  int heads = 0, kv_heads = 0, head_size = 0, map_size = 0;  // H, G, d, f
  int behind = 0, first_key = 0;
  const float *q = nullptr, *k = nullptr, *v = nullptr;      // [N, H, d], [N, G, d], [N, G, d]
  const float *q_features = nullptr, *k_features = nullptr;  // [H, d, f]
  const float* log_decays =
      nullptr;  // [sequences, H, length]; nullptr: none; only where query and key positions are the same
};

/// Computes sums [N, H, d] and totals [N, H] as linear_attention() does; zeros for queries that see nothing.
void linear_sequences(const LinearSequences& inputs, float* sums, float* totals, KernelScratch& scratch);

/// Where the gradients of the inputs are added to; shapes as in LinearSequences.
struct LinearSequenceGradients {
  float *q = nullptr, *k = nullptr, *v = nullptr;
  float *q_features = nullptr, *k_features = nullptr;
  float* log_decays = nullptr;
};

/// Adds the gradients of the inputs for those of the results, dsums [N, H, d] and dtotals [N, H].
void linear_sequences_backward(const LinearSequences& inputs, const float* dsums, const float* dtotals,
                               const LinearSequenceGradients& gradients, KernelScratch& scratch);

}  // namespace layerboost
