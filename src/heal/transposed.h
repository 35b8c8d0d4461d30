// Weights packed once more, transposed: gradients of products' inputs are dx = dy W.
#pragma once

#include <initializer_list>
#include <span>

#include "kernels/matmul.h"
#include "model/model.h"
#include "model/tensor_names.h"

namespace layerboost {

/// Packs the transpose [in, sum of outs] of a layer's weights [out, in], which lie one below the other in the forward's
/// matrix. Reads them whole: needs four bytes for each number while it packs.
PackedMatrix transposed_matrix(const Model& model, int layer, std::initializer_list<LayerPart> parts);

/// The same of the head, [D, V].
PackedMatrix transposed_head(const Model& model);

/// The same of a matrix in memory, [out, in].
PackedMatrix transposed_matrix(std::span<const float> matrix, int out, int in, Precision precision);

}  // namespace layerboost
