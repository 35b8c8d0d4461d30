#include "kernels/attention.h"

namespace layerboost {

void attention(const KvLayout& layout, int heads, float scale, std::span<const AttentionTask> tasks) {
#pragma omp parallel for schedule(dynamic, 1)
  for (std::size_t i = 0; i < tasks.size(); ++i) attention_reference(layout, heads, scale, tasks.subspan(i, 1));
}

}  // namespace layerboost
