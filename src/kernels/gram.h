// Sums of outer products of rows, for closed-form regressions.
#pragma once

namespace layerboost {

/// sums [p, q] += a^T b, a [rows, p], b [rows, q], all f32 row-major. (dnnl_sgemm.)
void add_gram(const float* a, const float* b, int rows, int p, int q, float* sums);

}  // namespace layerboost
