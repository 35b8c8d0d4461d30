// What lies between the residual stream and the products of a mixer or an MLP, where architectures differ.
#pragma once

#include <span>
#include <vector>

#include "kernels/row_ops.h"
#include "model/config.h"

namespace layerboost {

/// Their input: the rows of hidden [*, D] that `index` names (empty: the first), normalised by `norm` [D]; as they are
/// where that is empty, for the model has no norm there. out has been reshaped to [n, D].
void take_rows(const float* hidden, std::span<const int> index, const std::vector<float>& norm, const Config& config,
               Activations& out, KernelScratch& scratch);

/// hidden[index[i]] += Config::residual_scale times their output's row i, which `norm` [D] has normalised unless that
/// is empty.
void add_output(float* hidden, std::span<const int> index, const Product& output, const std::vector<float>& norm,
                const Config& config, KernelScratch& scratch);

}  // namespace layerboost
