// Weights packed once more, transposed: gradients of products' inputs are dx = dy W.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/matmul.h"
#include "model/checkpoint.h"

namespace layerboost {

/// Packs the transpose [in, sum of outs] of the named weights [out, in], which lie one below the other in the forward's
/// matrix. Reads them whole: needs four bytes for each number while it packs.
PackedMatrix transposed_matrix(const Checkpoint& checkpoint, const std::vector<std::pair<std::string, int>>& parts,
                               int in, Precision precision);

/// The same of a matrix in memory, [out, in].
PackedMatrix transposed_matrix(std::span<const float> matrix, int out, int in, Precision precision);

}  // namespace layerboost
