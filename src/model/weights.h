// The weights of a model, packed for its matrix products.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/matmul.h"
#include "model/checkpoint.h"

namespace layerboost {

/// Factors that move outliers of activations into the weights that read them: the input of a product is divided by
/// them, channel by channel, and the columns of its weight multiplied (SmoothQuant, Xiao et al. 2023). Division is
/// free: it is folded into what makes the input (a norm's weight, if there is one; the rows of v). Empty vectors: no
/// smoothing. The input of `down`, whose outliers come with single tokens rather than channels, is rotated instead
/// (rotate_row).
struct LayerSmoothing {
  std::vector<float> qkv;      // [D]
  std::vector<float> o;        // [G d], common to the query heads of a KV head
  std::vector<float> gate_up;  // [D]
};
struct Smoothing {
  std::vector<LayerSmoothing> layers;  // [L]
  std::vector<float> head;             // [D]
};

/// A change of weights while they are read, before anything is rounded or packed: what an adapter adds.
class WeightChange {
 public:
  virtual ~WeightChange() = default;
  /// Changes row `row` of the tensor with this Hugging Face name; `values` holds the model's own. Called from several
  /// threads.
  virtual void apply(const std::string& tensor, std::int64_t row, std::span<float> values) const = 0;
  /// Whether apply() does anything to some row of it.
  [[nodiscard]] virtual bool changes(const std::string& tensor) const = 0;
  /// What tells this change from others, for caches of what follows from it.
  [[nodiscard]] virtual std::string hash() const = 0;
};

/// One layer's weights. Where it has no attention (Config::attention), qkv and o are empty, and mixer_norm may be. The
/// norms before or after mixer and MLP are empty in models that have none there.
struct LayerWeights {
  std::vector<float> mixer_norm;       // [D]
  std::vector<float> mixer_smoothing;  // [D] or empty: what mixer_norm has been divided by
  PackedMatrix qkv;                    // [(H + 2G) d, D]
  std::vector<float> qkv_bias;         // [(H + 2G) d] or empty
  std::vector<float> q_norm, k_norm;   // [d] each, or [H d] and [G d] (Config::qk_norm_whole), or empty
  PackedMatrix o;                      // [D, H d]
  std::vector<float> o_smoothing;      // [G d] or empty: what v's rows have been divided by, and o's columns multiplied
  std::vector<float> o_bias;           // [D] or empty
  std::vector<float> output_norm;      // [D]: of what the mixer puts out
  std::vector<float> mlp_norm;         // [D]
  PackedMatrix gate_up;                // [2F, D], gate first
  std::vector<float> gate_up_bias;     // [2F] or empty
  PackedMatrix down;                   // [D, F], its rows rotated
  int down_rotation = 0;               // ... by blocks of this size, and so must its input be; 0: not
  std::vector<float> down_bias;        // [D] or empty
  std::vector<float> mlp_output_norm;  // [D]
};

/// Projections that stand beside those of LayerWeights, for mixers that don't use all of these; some may be empty.
struct OwnProjections {
  PackedMatrix qkv;  // [(H + 2G) d, D]
  PackedMatrix o;    // [D, H d]

  [[nodiscard]] std::size_t bytes() const { return qkv.bytes() + o.bytes(); }
};

struct Weights {
  std::shared_ptr<const Checkpoint> checkpoint;  // where they come from; nothing below needs it
  std::vector<std::byte> embedding_bytes;        // a copy: the file may be cut off or written over while it is used
  Tensor embedding;                              // [V, D], in embedding_bytes
  std::vector<LayerWeights> layers;              // [L]
  std::vector<float> final_norm;        // [D], times Config::logit_scale, by the smoothing of the head's inputs
  std::vector<float> plain_final_norm;  // [D], as the model was trained: for those who want the states
  PackedMatrix head;                    // [V, D]

  /// Returns the bytes of all packed matrices.
  [[nodiscard]] std::size_t bytes() const;
};

/// Reads and packs everything. `smoothing`: for int8; `change`: made before that; nullptr for none. Throws Error for
/// missing tensors and wrong shapes, and for files that were written to meanwhile.
Weights load_weights(std::shared_ptr<const Checkpoint> checkpoint, Precision precision,
                     const Smoothing* smoothing = nullptr, const WeightChange* change = nullptr);

/// Reads and packs those of a layer's projections that `change`, made to the checkpoint's weights, changes: Wo, and Wq,
/// Wk and Wv as the one matrix that they are packed into. They have the smoothing of `weights`, so that they read what
/// the layer's norm makes, and values in caches mean the same to both. Requires: the checkpoint is still open, the
/// layer has attention.
OwnProjections load_projections(const Weights& weights, int layer, const WeightChange& change);

}  // namespace layerboost
