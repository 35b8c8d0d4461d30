#include "kernels/head_parts.h"

#include <cstddef>

namespace layerboost {

void add_head_parts(const float* parts, int sequences, int length, int heads, int kv_heads, int head_size,
                    float* sums) {
  const std::ptrdiff_t d = head_size, ratio = heads / kv_heads;
#pragma omp parallel for collapse(2) schedule(static)
  for (std::ptrdiff_t sequence = 0; sequence < sequences; ++sequence) {
    for (std::ptrdiff_t i = 0; i < length; ++i) {
      for (std::ptrdiff_t head = 0; head < heads; ++head) {
        float* const sum = sums + ((sequence * length + i) * kv_heads + head / ratio) * d;
        const float* const part = parts + ((sequence * heads + head) * length + i) * d;
        for (std::ptrdiff_t c = 0; c < d; ++c) sum[c] += part[c];
      }
    }
  }
}

}  // namespace layerboost
