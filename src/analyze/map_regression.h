// The closed-form map of one layer: ridge regression of the attention branch's output on its normalised input.
#pragma once

#include <cstdint>
#include <vector>

namespace layerboost {

/// Collects second moments and solves W = C_yx (C_xx + ridge I)^-1, b = mean(y) - W mean(x)  (Neural Block
/// Linearization, arXiv 2505.21077).
class MapRegression {
 public:
  explicit MapRegression(int hidden_size);

  /// x, y: [rows, D].
  void add(const float* x, const float* y, int rows);

  /// W [D, D], then b [D]: the parameters of a map. ridge = `relative_ridge` * mean variance of x. Requires: at least
  /// one row was added.
  [[nodiscard]] std::vector<float> solve(double relative_ridge = 1e-3) const;

 private:
  int size_;
  std::int64_t rows_ = 0;
  std::vector<float> xx_, xy_;           // [D, D] sums of x x^T and x y^T of the current batch
  std::vector<double> sum_xx_, sum_xy_;  // [D, D]
  std::vector<double> sum_x_, sum_y_;    // [D]
};

}  // namespace layerboost
