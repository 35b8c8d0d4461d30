#include "kernels/attention_training.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr float log2_e = 1.44269504088896341F;

float dot(const float* a, const float* b, int n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void add_scaled(float* a, float factor, const float* b, int n) {
  for (int i = 0; i < n; ++i) a[i] += factor * b[i];
}

/// Calls visit(j) for each key that query i sees.
template <typename Visit>
void for_seen(const TrainingAttention& shape, int i, Visit visit) {
  const int low = shape.window == 0 ? 0 : std::max(0, i - shape.window + 1);
  for (int j = 0; j < std::min(shape.sinks, low); ++j) visit(j);
  for (int j = low; j <= i; ++j) visit(j);
}

/// Calls visit(row of query i of a text, row of its first key, head) ...
struct Places {
  const TrainingAttention& shape;
  [[nodiscard]] std::ptrdiff_t query(int sequence, int i, int head) const {
    return ((static_cast<std::ptrdiff_t>(sequence) * shape.length + i) * shape.heads + head) * shape.head_size;
  }
  [[nodiscard]] std::ptrdiff_t key(int sequence, int j, int kv_head) const {
    return ((static_cast<std::ptrdiff_t>(sequence) * shape.length + j) * shape.kv_heads + kv_head) * shape.head_size;
  }
};

}  // namespace

void training_attention(const TrainingAttention& shape, const float* q, const float* k, const float* v, float* out,
                        float* log_sums) {
  LB_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
  const int d = shape.head_size, ratio = shape.heads / shape.kv_heads;
  const Places at{shape};
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int sequence = 0; sequence < shape.sequences; ++sequence) {
    for (int head = 0; head < shape.heads; ++head) {
      std::vector<float> p(static_cast<std::size_t>(shape.length));
      for (int i = 0; i < shape.length; ++i) {
        const float* const query = q + at.query(sequence, i, head);
        float most = -INFINITY, total = 0;
        for_seen(shape, i, [&](int j) {
          const float score = shape.scale * log2_e * dot(query, k + at.key(sequence, j, head / ratio), d);
          p[static_cast<std::size_t>(j)] = score;
          most = std::max(most, score);
        });
        for_seen(shape, i, [&](int j) {
          float& x = p[static_cast<std::size_t>(j)];
          total += x = std::exp2(x - most);
        });
        float* const result = out + at.query(sequence, i, head);
        std::fill_n(result, d, 0.0F);
        for_seen(shape, i, [&](int j) {
          add_scaled(result, p[static_cast<std::size_t>(j)] / total, v + at.key(sequence, j, head / ratio), d);
        });
        log_sums[at.query(sequence, i, head) / d] = most + std::log2(total);
      }
    }
  }
}

void training_attention_backward(const TrainingAttention& shape, const float* q, const float* k, const float* v,
                                 const float* out, const float* log_sums, const float* dout, float* dq, float* dk,
                                 float* dv) {
  LB_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
  const int d = shape.head_size, ratio = shape.heads / shape.kv_heads;
  const Places at{shape};
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int sequence = 0; sequence < shape.sequences; ++sequence) {
    for (int kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
      for (int i = 0; i < shape.length; ++i) {
        for (int head = kv_head * ratio; head < (kv_head + 1) * ratio; ++head) {
          const std::ptrdiff_t row = at.query(sequence, i, head);
          const float mean = dot(dout + row, out + row, d);
          for_seen(shape, i, [&](int j) {
            const std::ptrdiff_t key = at.key(sequence, j, kv_head);
            const float p = std::exp2(shape.scale * log2_e * dot(q + row, k + key, d) - log_sums[row / d]);
            const float slope = shape.scale * p * (dot(dout + row, v + key, d) - mean);
            add_scaled(dv + key, p, dout + row, d);
            add_scaled(dq + row, slope, k + key, d);
            add_scaled(dk + key, slope, q + row, d);
          });
        }
      }
    }
  }
}

}  // namespace layerboost
