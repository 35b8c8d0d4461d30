// Sums of what query heads computed for the keys and values that they share.
#pragma once

namespace layerboost {

/// sums [sequences * length, G, d] += for each KV head the sum over its R query heads, in order, of parts
/// [sequences, H, length, d]. On all threads.
void add_head_parts(const float* parts, int sequences, int length, int heads, int kv_heads, int head_size, float* sums);

}  // namespace layerboost
