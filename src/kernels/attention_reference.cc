// The definition of attention in double, and the entropy of its distributions.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/attention.h"
#include "kernels/soft_cap.h"

namespace layerboost {
namespace {

/// All keys and values that some segments hold, in double.
struct Gathered {
  std::vector<int> positions;  // [n]
  std::vector<bool> pinned;    // [n]
  std::vector<double> keys;    // [n, G, d]
  std::vector<double> values;  // [n, G, d], each of its layout
};

Gathered gather(const AttentionShape& shape, std::span<const KvSegment> segments) {
  Gathered all;
  KvLayout keys = shape.keys, values = shape.values;
  std::vector<float> k(static_cast<std::size_t>(keys.kv_heads * keys.key_head()));
  std::vector<float> v(static_cast<std::size_t>(values.kv_heads * values.value_head()));
  for (const KvSegment& segment : segments) {
    keys.slots = values.slots = segment.slots;
    for (int slot = 0; slot < segment.count; ++slot) {
      const int position = segment.positions != nullptr ? segment.positions[slot] : segment.first_position + slot;
      if (position < 0) continue;
      load_kv(keys, segment.block, slot, k.data(), nullptr);
      load_kv(values, segment.values != nullptr ? segment.values : segment.block, slot, nullptr, v.data());
      all.positions.push_back(position);
      all.pinned.push_back(segment.pinned);
      all.keys.insert(all.keys.end(), k.begin(), k.end());
      all.values.insert(all.values.end(), v.begin(), v.end());
    }
  }
  return all;
}

/// Returns the d numbers of entry j and one head in an array [n, heads, d].
const double* numbers(const std::vector<double>& all, std::size_t j, int heads, int head, int d) {
  return all.data() +
         (j * static_cast<std::size_t>(heads) + static_cast<std::size_t>(head)) * static_cast<std::size_t>(d);
}

/// The heads of attention of a task, also where it has no list.
std::vector<AttentionHead> heads_of(const AttentionShape& shape, const AttentionTask& task) {
  if (!task.heads.empty()) return {task.heads.begin(), task.heads.end()};
  std::vector<AttentionHead> heads;
  for (int n = 0; n < shape.heads; ++n) {
    const int kv_head = n / (shape.heads / shape.keys.kv_heads);
    heads.push_back({n, kv_head, kv_head, {}});
  }
  return heads;
}

/// The distribution of query `i` of a head over all gathered keys: probabilities [n keys], zero where it doesn't see
/// one.
std::vector<double> distribution(const AttentionShape& shape, const AttentionTask& task, const Gathered& all, int i,
                                 const AttentionHead& head) {
  const int d = shape.keys.key_head();
  const float* q = task.q + (static_cast<std::ptrdiff_t>(i) * shape.heads + head.query) * d;
  const int position = task.first_position + i;
  std::vector<double> p(all.positions.size(), -INFINITY);
  for (std::size_t j = 0; j < p.size(); ++j) {
    const int back = position - all.positions[j];
    if (back < 0 || !(task.window == 0 || back < task.window || all.pinned[j])) continue;
    const double* key = numbers(all.keys, j, shape.keys.kv_heads, head.key, d);
    double score = 0;
    for (int c = 0; c < d; ++c) score += static_cast<double>(q[c]) * key[c];
    p[j] = soft_capped(score * static_cast<double>(shape.scale), static_cast<double>(shape.soft_cap));
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

void attention_reference(const AttentionShape& shape, std::span<const AttentionTask> tasks) {
  const int d = shape.values.value_head();
  for (const AttentionTask& task : tasks) {
    const std::vector<AttentionHead> heads = heads_of(shape, task);
    const std::ptrdiff_t positions = task.first_position + task.count;
    for (std::size_t a = 0; a < heads.size(); ++a) {
      const Gathered all = gather(shape, heads[a].segments.empty() ? task.segments : heads[a].segments);
      for (int i = 0; i < task.count; ++i) {
        const std::vector<double> p = distribution(shape, task, all, i, heads[a]);
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(i) * std::ssize(heads) + static_cast<std::ptrdiff_t>(a);
        for (int c = 0; c < d; ++c) {
          double value = 0;
          for (std::size_t j = 0; j < p.size(); ++j)
            value += p[j] * numbers(all.values, j, shape.values.kv_heads, heads[a].value, d)[c];
          task.out[at * d + c] = static_cast<float>(value);
        }
        if (task.weights == nullptr) continue;
        float* const weights = task.weights + at * positions;
        std::fill_n(weights, positions, 0.0F);
        for (std::size_t j = 0; j < p.size(); ++j)
          if (p[j] > 0) weights[all.positions[j]] = static_cast<float>(p[j]);
      }
    }
  }
}

void attention_entropy(const AttentionShape& shape, const AttentionTask& task, float* out) {
  const Gathered all = gather(shape, task.segments);
  const std::vector<AttentionHead> list = heads_of(shape, task);
#pragma omp parallel for schedule(dynamic, 8)
  for (int i = 0; i < task.count; ++i) {
    double entropy = 0;
    for (const AttentionHead& head : list) {
      for (const double p : distribution(shape, task, all, i, head)) {
        if (p > 0) entropy -= p * std::log(p);
      }
    }
    out[i] = static_cast<float>(entropy / shape.heads);
  }
}

}  // namespace layerboost
