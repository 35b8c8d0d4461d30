// The definition of attention in double, and the entropy of its distributions.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/attention.h"

namespace layerboost {
namespace {

/// All keys and values that a task's segments hold, in double.
struct Gathered {
  std::vector<int> positions;        // [n]
  std::vector<bool> pinned;          // [n]
  std::vector<double> keys, values;  // [n, G, d]
};

Gathered gather(const KvLayout& layout, const AttentionTask& task) {
  Gathered all;
  const auto width = static_cast<std::size_t>(layout.kv_heads * layout.head_size);
  std::vector<float> k(width), v(width);
  for (const KvSegment& segment : task.segments) {
    KvLayout own = layout;
    own.slots = segment.slots;
    for (int slot = 0; slot < segment.count; ++slot) {
      const int position = segment.positions != nullptr ? segment.positions[slot] : segment.first_position + slot;
      if (position < 0) continue;
      load_kv(own, segment.block, slot, k.data(), v.data());
      all.positions.push_back(position);
      all.pinned.push_back(segment.pinned);
      all.keys.insert(all.keys.end(), k.begin(), k.end());
      all.values.insert(all.values.end(), v.begin(), v.end());
    }
  }
  return all;
}

/// The distribution of query `i` of head n over all gathered keys: probabilities [n keys], zero where it doesn't see
/// one.
std::vector<double> distribution(const KvLayout& layout, int heads, float scale, const AttentionTask& task,
                                 const Gathered& all, int i, int head) {
  const int d = layout.head_size, kv_head = head / (heads / layout.kv_heads);
  const float* q = task.q + (static_cast<std::ptrdiff_t>(i) * heads + head) * d;
  const int position = task.first_position + i;
  std::vector<double> p(all.positions.size(), -INFINITY);
  for (std::size_t j = 0; j < p.size(); ++j) {
    const int back = position - all.positions[j];
    if (back < 0 || !(task.window == 0 || back < task.window || all.pinned[j])) continue;
    const double* key =
        all.keys.data() + (j * static_cast<std::size_t>(layout.kv_heads) + static_cast<std::size_t>(kv_head)) *
                              static_cast<std::size_t>(d);
    double score = 0;
    for (int c = 0; c < d; ++c) score += static_cast<double>(q[c]) * key[c];
    p[j] = score * static_cast<double>(scale);
  }
  LB_CHECK(!p.empty());
  const double most = *std::max_element(p.begin(), p.end());
  LB_CHECK(most > -INFINITY);
  double total = 0;
  for (double& x : p) total += x = std::exp(x - most);
  for (double& x : p) x /= total;
  return p;
}

}  // namespace

void attention_reference(const KvLayout& layout, int heads, float scale, std::span<const AttentionTask> tasks) {
  const int d = layout.head_size;
  for (const AttentionTask& task : tasks) {
    const Gathered all = gather(layout, task);
    for (int i = 0; i < task.count; ++i) {
      for (int head = 0; head < heads; ++head) {
        const std::vector<double> p = distribution(layout, heads, scale, task, all, i, head);
        const int kv_head = head / (heads / layout.kv_heads);
        float* out = task.out + (static_cast<std::ptrdiff_t>(i) * heads + head) * d;
        for (int c = 0; c < d; ++c) {
          double value = 0;
          for (std::size_t j = 0; j < p.size(); ++j) {
            value +=
                p[j] * all.values[(j * static_cast<std::size_t>(layout.kv_heads) + static_cast<std::size_t>(kv_head)) *
                                      static_cast<std::size_t>(d) +
                                  static_cast<std::size_t>(c)];
          }
          out[c] = static_cast<float>(value);
        }
      }
    }
  }
}

void attention_entropy(const KvLayout& layout, int heads, float scale, const AttentionTask& task, float* out) {
  const Gathered all = gather(layout, task);
#pragma omp parallel for schedule(dynamic, 8)
  for (int i = 0; i < task.count; ++i) {
    double entropy = 0;
    for (int head = 0; head < heads; ++head) {
      for (const double p : distribution(layout, heads, scale, task, all, i, head)) {
        if (p > 0) entropy -= p * std::log(p);
      }
    }
    out[i] = static_cast<float>(entropy / heads);
  }
}

}  // namespace layerboost
