// The weights of a model, packed for its matrix products.
#pragma once

#include <memory>
#include <vector>

#include "kernels/matmul.h"
#include "model/checkpoint.h"

namespace layerboost {

struct LayerWeights {
  std::vector<float> mixer_norm;      // [D]
  PackedMatrix qkv;                   // [(H + 2G) d, D]
  std::vector<float> qkv_bias;        // [(H + 2G) d] or empty
  std::vector<float> q_norm, k_norm;  // [d] or empty
  PackedMatrix o;                     // [D, H d]
  std::vector<float> o_bias;          // [D] or empty
  std::vector<float> mlp_norm;        // [D]
  PackedMatrix gate_up;               // [2F, D], gate first
  std::vector<float> gate_up_bias;    // [2F] or empty
  PackedMatrix down;                  // [D, F]
  std::vector<float> down_bias;       // [D] or empty
};

struct Weights {
  std::shared_ptr<const Checkpoint> checkpoint;  // embeddings are read from it row by row
  Tensor embedding;                              // [V, D]
  std::vector<LayerWeights> layers;              // [L]
  std::vector<float> final_norm;                 // [D]
  PackedMatrix head;                             // [V, D]

  [[nodiscard]] std::size_t bytes() const;  // of packed matrices
};

/// Reads and packs everything. Throws Error for missing tensors and wrong shapes.
Weights load_weights(std::shared_ptr<const Checkpoint> checkpoint, Precision precision);

}  // namespace layerboost
