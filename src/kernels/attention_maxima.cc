// training_maxima(): products of tiles of 64 queries with all keys that they may see, then a look at each row.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/attention_training.h"
#include "kernels/dispatch.h"
#include "kernels/soft_cap.h"

namespace layerboost {
namespace {

constexpr int tile = 64;
constexpr float log2_e = 1.44269504088896341F;

/// One KV head of one sequence.
class KeyHead {
 public:
  /// k [length, d], tokens `stride` floats apart.
  KeyHead(const TrainingAttention& shape, const float* k, std::ptrdiff_t stride, ScratchStack& scratch)
      : shape_(shape), frame_(scratch), width_((shape.length + 15) / 16 * 16) {
    across_ = frame_.take<float>(static_cast<std::size_t>(width_ * shape.head_size));
    scores_ = frame_.take<float>(static_cast<std::size_t>(width_ * tile));
    kernels().linear.transpose(k, stride, shape.length, shape.head_size, across_, width_);
    for (int c = 0; c < shape.head_size; ++c)
      std::fill(across_ + c * width_ + shape.length, across_ + (c + 1) * width_, 0.0F);
  }

  /// Queries first .. first + count - 1 of one head: q [count, d], maxima and keys [count].
  void find(const float* q, std::ptrdiff_t q_stride, int first, int count, float* maxima, float* keys,
            std::ptrdiff_t stride) const {
    const int low = shape_.window == 0 ? 0 : std::max(0, first - shape_.window + 1) / 16 * 16;
    score(q, q_stride, count, low, first + count);
    score(q, q_stride, count, 0, std::min(shape_.sinks, low));
    for (int i = 0; i < count; ++i) {
      const float* const row = scores_ + i * width_;
      const int own = first + i, begin = shape_.window == 0 ? 0 : std::max(0, own - shape_.window + 1);
      int best = begin;
      for (int j = begin; j <= own; ++j)
        if (row[j] > row[best]) best = j;
      for (int j = 0; j < std::min(shape_.sinks, begin); ++j)
        if (row[j] > row[best]) best = j;
      maxima[i * stride] = soft_capped(row[best] * shape_.scale, shape_.soft_cap) * log2_e;
      keys[i * stride] = static_cast<float>(best);
    }
  }

 private:
  /// Scores of keys begin .. end - 1 (begin a multiple of 16).
  void score(const float* q, std::ptrdiff_t q_stride, int count, int begin, int end) const {
    const int cols = (end - begin + 15) / 16 * 16;
    if (cols <= 0) return;
    kernels().linear.multiply(
        {count, cols, shape_.head_size, q, q_stride, across_ + begin, width_, scores_ + begin, width_, false});
  }

  const TrainingAttention& shape_;
  ScratchStack::Frame frame_;
  std::ptrdiff_t width_;  // tokens, rounded up
  float* across_;         // [d, width]
  float* scores_;         // [tile, width]
};

}  // namespace

void training_maxima(const TrainingAttention& shape, const float* q, const float* k, float* maxima, float* keys,
                     KernelScratch& scratch) {
  LB_CHECK(shape.full == 0);
  const int ratio = shape.heads / shape.kv_heads, d = shape.head_size;
  const std::ptrdiff_t q_stride = static_cast<std::ptrdiff_t>(shape.heads) * d;
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int sequence = 0; sequence < shape.sequences; ++sequence) {
    for (int kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
      const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(sequence) * shape.length;
      const KeyHead head(shape, k + (row * shape.kv_heads + kv_head) * d,
                         static_cast<std::ptrdiff_t>(shape.kv_heads) * d, threads.mine());
      for (int first = 0; first < shape.length; first += tile) {
        for (int r = 0; r < ratio; ++r) {
          const std::ptrdiff_t at = (row + first) * shape.heads + kv_head * ratio + r;
          head.find(q + at * d, q_stride, first, std::min(tile, shape.length - first), maxima + at, keys + at,
                    shape.heads);
        }
      }
    }
  }
}

}  // namespace layerboost
