// Statistics of a layer that need no changed model: what its mixer adds, and how its attention is spread.
#pragma once

#include <span>
#include <vector>

#include "analyze/calibration_runner.h"

namespace layerboost {

/// LLM-Drop's importance (arXiv 2406.15786): 1 - mean over rows of cos(h, h + a), h the layer's input and a its mixer's
/// output. before, after: [rows, D].
double cosine_importance(const float* before, const float* after, int rows, int hidden_size);

/// DSLA's attention entropy (arXiv 2506.09316, eq. 11, with the minus sign it omits): -sum p ln p of the last
/// position's attention, mean over heads, for each of the items. `hidden` [N, D] is the layer's input, the items' rows
/// one after another at positions from 0.
std::vector<double> last_token_entropy(const Model& model, int layer, std::span<const BatchItem> items, float* hidden,
                                       Workspace& workspace);

}  // namespace layerboost
