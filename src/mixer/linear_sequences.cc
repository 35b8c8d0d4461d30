#include "mixer/linear_sequences.h"

#include <algorithm>

#include "kernels/activations.h"
#include "kernels/head_parts.h"
#include "kernels/linear_attention.h"

namespace layerboost {
namespace {

/// Where a head of a sequence begins in each array.
struct Place {
  Place(const LinearSequences& inputs, int sequence, int head)
      : first_query(std::min(inputs.behind + inputs.first_key, inputs.batch.length)),
        count(inputs.batch.length - first_query) {
    const std::ptrdiff_t row = std::ptrdiff_t{sequence} * inputs.batch.length;
    queries = (row + first_query) * inputs.heads + head;
    keys = (row + first_query - inputs.behind) * inputs.kv_heads + head / (inputs.heads / inputs.kv_heads);
    own = std::ptrdiff_t{sequence} * inputs.heads + head;
    map = std::ptrdiff_t{head} * inputs.head_size * inputs.map_size;
  }
  int first_query, count;
  std::ptrdiff_t queries, keys;  // in heads: times d for numbers
  std::ptrdiff_t own;            // sequence * H + head
  std::ptrdiff_t map;
};

LinearHead head_of(const LinearSequences& inputs, const Place& at) {
  const std::ptrdiff_t d = inputs.head_size;
  return {at.count,
          inputs.head_size,
          inputs.map_size,
          inputs.q + at.queries * d,
          inputs.k + at.keys * d,
          inputs.v + at.keys * d,
          inputs.heads * d,
          inputs.kv_heads * d,
          inputs.kv_heads * d,
          inputs.q_features + at.map,
          inputs.k_features + at.map,
          inputs.log_decays == nullptr ? nullptr : inputs.log_decays + at.own * inputs.batch.length};
}

}  // namespace

void linear_sequences(const LinearSequences& inputs, float* sums, float* totals, KernelScratch& scratch) {
  const std::ptrdiff_t d = inputs.head_size, H = inputs.heads;
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int sequence = 0; sequence < inputs.batch.sequences; ++sequence) {
    for (int head = 0; head < inputs.heads; ++head) {
      const Place at(inputs, sequence, head);
      for (std::ptrdiff_t i = at.first_query; i > 0; --i) {
        std::fill_n(sums + (at.queries - i * H) * d, d, 0.0F);
        totals[at.queries - i * H] = 0;
      }
      ScratchStack::Frame frame(threads.mine());
      const std::size_t size = linear_state_floats(inputs.head_size, inputs.map_size);
      float* const state = frame.take<float>(size);
      std::fill_n(state, size, 0.0F);
      linear_attention(head_of(inputs, at), state, sums + at.queries * d, H * d, totals + at.queries, H,
                       threads.mine());
    }
  }
}

void linear_sequences_backward(const LinearSequences& inputs, const float* dsums, const float* dtotals,
                               const LinearSequenceGradients& gradients, KernelScratch& scratch) {
  const std::ptrdiff_t d = inputs.head_size, H = inputs.heads, length = inputs.batch.length;
  const std::ptrdiff_t map = d * inputs.map_size, heads = inputs.batch.sequences * H;
  // Heads that share keys, and sequences, which share maps, add up separately first: then no order of threads matters.
  ScratchStack::Frame frame(scratch.caller());
  const std::ptrdiff_t part_floats = heads * length * d;
  float* const dk = frame.take<float>(static_cast<std::size_t>(2 * part_floats + 2 * heads * map));
  float* const dv = dk + part_floats;
  float* const dq_maps = dv + part_floats;
  float* const dk_maps = dq_maps + heads * map;
  std::fill_n(dk, 2 * part_floats + 2 * heads * map, 0.0F);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int sequence = 0; sequence < inputs.batch.sequences; ++sequence) {
    for (int head = 0; head < inputs.heads; ++head) {
      const Place at(inputs, sequence, head);
      const std::ptrdiff_t part = (at.own * length + at.first_query - inputs.behind) * d;
      const LinearGradients own = {gradients.q + at.queries * d,
                                   dk + part,
                                   dv + part,
                                   H * d,
                                   d,
                                   d,
                                   dq_maps + at.own * map,
                                   dk_maps + at.own * map,
                                   gradients.log_decays == nullptr ? nullptr : gradients.log_decays + at.own * length};
      linear_attention_backward(head_of(inputs, at), dsums + at.queries * d, H * d, dtotals + at.queries, H, own,
                                threads.mine());
    }
  }
  add_head_parts(dk, inputs.batch.sequences, inputs.batch.length, inputs.heads, inputs.kv_heads, inputs.head_size,
                 gradients.k);
  add_head_parts(dv, inputs.batch.sequences, inputs.batch.length, inputs.heads, inputs.kv_heads, inputs.head_size,
                 gradients.v);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < H * map; ++i) {
    for (int sequence = 0; sequence < inputs.batch.sequences; ++sequence) {
      gradients.q_features[i] += dq_maps[sequence * H * map + i];
      gradients.k_features[i] += dk_maps[sequence * H * map + i];
    }
  }
}

}  // namespace layerboost
