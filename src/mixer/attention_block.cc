#include "mixer/attention_block.h"

#include <algorithm>

#include "model/residual.h"

namespace layerboost {
namespace {

/// The part of `index` that belongs to a tile; empty stays empty.
std::span<const int> tile_of(std::span<const int> index, int first, int count) {
  return index.empty() ? index : index.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
}

/// Where the rows of a tile begin: with an index, rows are found through it; without, they lie one after another.
float* tile_start(const MixerRows& rows, int first, int hidden_size) {
  return rows.index.empty() ? rows.hidden + static_cast<std::ptrdiff_t>(first) * hidden_size : rows.hidden;
}

}  // namespace

AttentionBlock::AttentionBlock(const MixerPlace& place)
    : model_(place.model),
      weights_(place.weights()),
      projections_(place),
      layer_(place.layer),
      kv_(kept_as(place.kv, place.model.precision)) {}

QkvShape qkv_shape(const Config& config, const LayerWeights& weights, int layer) {
  const auto optional = [](const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); };
  return {config.heads,
          config.kv_heads,
          config.head_size,
          optional(weights.qkv_bias),
          optional(weights.q_norm),
          optional(weights.k_norm),
          config.norm_eps,
          config.first_rope_frequency(layer),
          config.qk_norm_whole};
}

Projected AttentionBlock::project(const MixerRows& rows, Workspace& workspace, const SeeTile& see) const {
  const StepTimes::Scope time(workspace.times, StepPhase::rows);
  const Config& config = model_.config;
  const int D = config.hidden, q_size = config.q_size(), kv_size = config.kv_size(), width = q_size + 2 * kv_size;
  const auto count_all = static_cast<std::size_t>(rows.rows);
  float* const q = workspace.q.reserve_as<float>(count_all * static_cast<std::size_t>(q_size));
  float* const k = workspace.k.reserve_as<float>(count_all * static_cast<std::size_t>(kv_size));
  float* const v = workspace.v.reserve_as<float>(count_all * static_cast<std::size_t>(kv_size));
  float* const product = workspace.product.reserve_product(tile_rows, width);

  workspace.positions.resize(count_all);
  for (const MixerSpan& span : rows.spans) {
    const int first = span.position + (span.cache == nullptr ? 0 : span.cache->rotations);
    for (int i = 0; i < span.count; ++i) workspace.positions[static_cast<std::size_t>(span.row + i)] = first + i;
  }

  const QkvShape shape = qkv_shape();
  for (int row = 0; row < rows.rows; row += tile_rows) {
    const int count = std::min(tile_rows, rows.rows - row);
    workspace.normed.reshape(count, D, projections_.qkv.precision());
    take_rows(tile_start(rows, row, D), tile_of(rows.index, row, count), weights_.mixer_norm, config, workspace.normed,
              workspace.scratch);
    workspace.observe(layer_, Site::qkv, workspace.normed);
    const Product qkv = timed_product(workspace, StepPhase::mixer_products, projections_.qkv, workspace.normed,
                                      product);  // [count, (H + 2G) d]
    if (see) see(row, workspace.normed, qkv);
    split_qkv(qkv, shape, config.has_rope(layer_) ? &workspace.rope : nullptr, workspace.positions.data() + row,
              q + static_cast<std::ptrdiff_t>(row) * q_size, k + static_cast<std::ptrdiff_t>(row) * kv_size,
              v + static_cast<std::ptrdiff_t>(row) * kv_size, workspace.scratch);
  }
  if (float* const kept = workspace.step.kept(layer_); kept != nullptr) {
    for (const MixerSpan& span : rows.spans)
      std::copy_n(q + static_cast<std::ptrdiff_t>(span.row) * q_size, static_cast<std::ptrdiff_t>(span.count) * q_size,
                  kept + static_cast<std::ptrdiff_t>(rows.step_row(span)) * q_size);
  }
  return {q, k, v, workspace.output.reserve_as<float>(count_all * static_cast<std::size_t>(q_size))};
}

void AttentionBlock::add_output(const MixerRows& rows, const Projected& projected, Workspace& workspace) const {
  const StepTimes::Scope time(workspace.times, StepPhase::rows);
  const int D = model_.config.hidden, q_size = model_.config.q_size();
  for (int row = 0; row < rows.rows; row += tile_rows) {
    const int count = std::min(tile_rows, rows.rows - row);
    workspace.mixed.reshape(count, q_size, projections_.o.precision());
    pack_activations(projected.output + static_cast<std::ptrdiff_t>(row) * q_size, workspace.mixed);
    workspace.observe(layer_, Site::o, workspace.mixed);
    float* const product = workspace.product.reserve_product(tile_rows, D);
    Product output = timed_product(workspace, StepPhase::mixer_products, projections_.o, workspace.mixed,
                                   product);  // [count, D]
    if (!weights_.o_bias.empty()) output = add_bias(output, weights_.o_bias.data(), product);
    layerboost::add_output(tile_start(rows, row, D), tile_of(rows.index, row, count), output, weights_.output_norm,
                           model_.config, workspace.scratch);
  }
}

void AttentionBlock::attend(std::span<const AttentionTask> tasks, KernelScratch& scratch) const {
  attention(attention_shape(layout(page_slots)), tasks, scratch);
}

AttentionShape AttentionBlock::attention_shape(const KvLayout& layout) const {
  const Config& config = model_.config;
  return {layout, layout, config.heads, config.score_scale(), config.attention_soft_cap};
}

KvLayout AttentionBlock::layout(int positions, std::span<const int> heads) const {
  const int count = heads.empty() ? model_.config.kv_heads : static_cast<int>(heads.size());
  return {kv_, count, model_.config.head_size, (positions + 15) / 16 * 16};
}

AttentionTask AttentionBlock::task(const MixerSpan& span, const Projected& projected, int window,
                                   std::span<const KvSegment> segments) const {
  const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(span.row) * model_.config.q_size();
  return {projected.q + offset, projected.output + offset, span.count, span.position, window, segments};
}

void AttentionBlock::store(std::span<const KvWrite> writes, const Projected& projected, KernelScratch& scratch) const {
  const int stride = model_.config.kv_size();
  const auto count = std::ssize(writes);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for schedule(static) if (count > 1)
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const KvWrite& write = writes[static_cast<std::size_t>(i)];
    if (write.clear) clear_kv(write.layout, write.block);
    const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(write.span->row + write.first) * stride;
    const float *const k = projected.k + offset, *const v = projected.v + offset;
    if (write.heads.empty()) store_kv(write.layout, write.block, write.slot, write.count, k, v, stride, threads.mine());
    std::byte* block = write.block;
    for (const int head : write.heads) {
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(head) * model_.config.head_size;
      store_kv(write.layout.of_one_head(), block, write.slot, write.count, k + at, v + at, stride, threads.mine());
      block += write.layout.head_bytes();
    }
  }
}

}  // namespace layerboost
