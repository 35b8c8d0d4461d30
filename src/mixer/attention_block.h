// What softmax attention and the window share: projections before and after, and views of cached keys and values.
#pragma once

#include <functional>
#include <vector>

#include "kernels/attention.h"
#include "mixer/place.h"
#include "model/mixer.h"

namespace layerboost {

/// Positions in one page of keys and values.
inline constexpr int page_slots = 64;

/// Queries, keys and values of a mixer's rows, in a workspace's buffers, RoPE applied.
struct Projected {
  const float* q = nullptr;  // [rows, H, d]
  const float* k = nullptr;  // [rows, G, d]
  const float* v = nullptr;  // [rows, G, d]
  float* output = nullptr;   // [rows, H, d], for attention to fill
};

/// What is to be stored: rows `first` .. `first + count - 1` of a span (counted from its first row) that go into a
/// block of keys and values from slot `slot` on.
struct KvWrite {
  const MixerSpan* span;
  int first, count;
  KvLayout layout;
  std::byte* block;
  int slot;
  bool clear = false;               // zero the block before: what it held may not be numbers
  std::span<const int> heads = {};  // the KV heads that the block has; empty: all
};

/// What split_qkv() needs to know of a layer.
QkvShape qkv_shape(const Config& config, const LayerWeights& weights, int layer);

/// One layer's attention around its core: the products with Wq, Wk, Wv and Wo, RoPE, and the writing and reading of
/// blocks of keys and values. Holds references to the model, and to the place's own projections.
class AttentionBlock {
 public:
  /// place.kv: how keys and values are kept; bf16 becomes f32 where the model's precision is.
  explicit AttentionBlock(const MixerPlace& place);

  /// A tile of rows on its way: compact rows `row` on, their normalised input, and its product with Wq, Wk and Wv.
  using SeeTile = std::function<void(int row, const Activations& normed, const Product& qkv)>;

  /// norm, q k v projections, bias and head norms, RoPE at each span's positions (where the layer has it). `see` is
  /// shown each tile; may be empty.
  [[nodiscard]] Projected project(const MixerRows& rows, Workspace& workspace, const SeeTile& see = {}) const;

  [[nodiscard]] QkvShape qkv_shape() const { return layerboost::qkv_shape(model_.config, weights_, layer_); }
  [[nodiscard]] const Config& config() const { return model_.config; }
  [[nodiscard]] int heads() const { return model_.config.heads; }

  /// hidden[row] += Wo output[row], as add_output() of model/residual.h adds it.
  void add_output(const MixerRows& rows, const Projected& projected, Workspace& workspace) const;

  /// attention() for all tasks.
  void attend(std::span<const AttentionTask> tasks, KernelScratch& scratch) const;
  /// The model's attention over blocks of such a layout.
  [[nodiscard]] AttentionShape attention_shape(const KvLayout& layout) const;

  /// The layout of a block of so many positions, rounded up to what kernels want, of some KV heads (empty: all).
  [[nodiscard]] KvLayout layout(int positions, std::span<const int> heads = {}) const;

  /// The queries of a span, looking back `window` positions (0: all).
  [[nodiscard]] AttentionTask task(const MixerSpan& span, const Projected& projected, int window,
                                   std::span<const KvSegment> segments) const;

  /// Carries out all writes, none of which may touch what another does.
  void store(std::span<const KvWrite> writes, const Projected& projected, KernelScratch& scratch) const;

 private:
  const Model& model_;
  const LayerWeights& weights_;  // but for the projections
  Projections projections_;
  int layer_;
  KvType kv_;
};

}  // namespace layerboost
