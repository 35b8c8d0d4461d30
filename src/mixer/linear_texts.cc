#include "mixer/linear_texts.h"

#include <algorithm>

#include "kernels/activations.h"
#include "kernels/head_parts.h"
#include "kernels/linear_attention.h"

namespace layerboost {
namespace {

/// Where a head of a text begins in each array.
struct Place {
  Place(const LinearTexts& texts, int text, int head)
      : first_query(std::min(texts.behind + texts.first_key, texts.batch.length)),
        count(texts.batch.length - first_query) {
    const std::ptrdiff_t row = std::ptrdiff_t{text} * texts.batch.length;
    queries = (row + first_query) * texts.heads + head;
    keys = (row + first_query - texts.behind) * texts.kv_heads + head / (texts.heads / texts.kv_heads);
    own = std::ptrdiff_t{text} * texts.heads + head;
    map = std::ptrdiff_t{head} * texts.head_size * texts.map_size;
  }
  int first_query, count;
  std::ptrdiff_t queries, keys;  // in heads: times d for numbers
  std::ptrdiff_t own;            // text * H + head
  std::ptrdiff_t map;
};

LinearHead head_of(const LinearTexts& texts, const Place& at) {
  const std::ptrdiff_t d = texts.head_size;
  return {at.count,
          texts.head_size,
          texts.map_size,
          texts.q + at.queries * d,
          texts.k + at.keys * d,
          texts.v + at.keys * d,
          texts.heads * d,
          texts.kv_heads * d,
          texts.kv_heads * d,
          texts.q_features + at.map,
          texts.k_features + at.map,
          texts.log_decays == nullptr ? nullptr : texts.log_decays + at.own * texts.batch.length};
}

}  // namespace

void linear_texts(const LinearTexts& texts, float* sums, float* totals, KernelScratch& scratch) {
  const std::ptrdiff_t d = texts.head_size, H = texts.heads;
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int text = 0; text < texts.batch.sequences; ++text) {
    for (int head = 0; head < texts.heads; ++head) {
      const Place at(texts, text, head);
      for (std::ptrdiff_t i = at.first_query; i > 0; --i) {
        std::fill_n(sums + (at.queries - i * H) * d, d, 0.0F);
        totals[at.queries - i * H] = 0;
      }
      ScratchStack::Frame frame(threads.mine());
      const std::size_t size = linear_state_floats(texts.head_size, texts.map_size);
      float* const state = frame.take<float>(size);
      std::fill_n(state, size, 0.0F);
      linear_attention(head_of(texts, at), state, sums + at.queries * d, H * d, totals + at.queries, H, threads.mine());
    }
  }
}

void linear_texts_backward(const LinearTexts& texts, const float* dsums, const float* dtotals,
                           const LinearTextGradients& gradients, KernelScratch& scratch) {
  const std::ptrdiff_t d = texts.head_size, H = texts.heads, length = texts.batch.length;
  const std::ptrdiff_t map = d * texts.map_size, heads = texts.batch.sequences * H;
  // Heads that share keys, and texts, which share maps, add up separately first: then no order of threads matters.
  ScratchStack::Frame frame(scratch.caller());
  const std::ptrdiff_t part_floats = heads * length * d;
  float* const dk = frame.take<float>(static_cast<std::size_t>(2 * part_floats + 2 * heads * map));
  float* const dv = dk + part_floats;
  float* const dq_maps = dv + part_floats;
  float* const dk_maps = dq_maps + heads * map;
  std::fill_n(dk, 2 * part_floats + 2 * heads * map, 0.0F);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int text = 0; text < texts.batch.sequences; ++text) {
    for (int head = 0; head < texts.heads; ++head) {
      const Place at(texts, text, head);
      const std::ptrdiff_t part = (at.own * length + at.first_query - texts.behind) * d;
      const LinearGradients own = {gradients.q + at.queries * d,
                                   dk + part,
                                   dv + part,
                                   H * d,
                                   d,
                                   d,
                                   dq_maps + at.own * map,
                                   dk_maps + at.own * map,
                                   gradients.log_decays == nullptr ? nullptr : gradients.log_decays + at.own * length};
      linear_attention_backward(head_of(texts, at), dsums + at.queries * d, H * d, dtotals + at.queries, H, own,
                                threads.mine());
    }
  }
  add_head_parts(dk, texts.batch.sequences, texts.batch.length, texts.heads, texts.kv_heads, texts.head_size,
                 gradients.k);
  add_head_parts(dv, texts.batch.sequences, texts.batch.length, texts.heads, texts.kv_heads, texts.head_size,
                 gradients.v);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < H * map; ++i) {
    for (int text = 0; text < texts.batch.sequences; ++text) {
      gradients.q_features[i] += dq_maps[text * H * map + i];
      gradients.k_features[i] += dk_maps[text * H * map + i];
    }
  }
}

}  // namespace layerboost
