#include "analyze/map_regression.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>

#include "base/error.h"
#include "kernels/gram.h"

namespace layerboost {

MapRegression::MapRegression(int hidden_size) : size_(hidden_size) {
  const auto D = static_cast<std::size_t>(hidden_size);
  xx_.resize(D * D);
  xy_.resize(D * D);
  sum_xx_.resize(D * D);
  sum_xy_.resize(D * D);
  sum_x_.resize(D);
  sum_y_.resize(D);
}

void MapRegression::add(const float* x, const float* y, int rows) {
  const auto D = static_cast<std::size_t>(size_);
  // f32 sums of one batch, added up in double: thousands of rows don't lose what a few hundred hold.
  std::fill(xx_.begin(), xx_.end(), 0.0F);
  std::fill(xy_.begin(), xy_.end(), 0.0F);
  add_gram(x, x, rows, size_, size_, xx_.data());
  add_gram(x, y, rows, size_, size_, xy_.data());
  for (std::size_t i = 0; i < D * D; ++i) sum_xx_[i] += static_cast<double>(xx_[i]);
  for (std::size_t i = 0; i < D * D; ++i) sum_xy_[i] += static_cast<double>(xy_[i]);
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    for (std::size_t i = 0; i < D; ++i) {
      sum_x_[i] += static_cast<double>(x[r * D + i]);
      sum_y_[i] += static_cast<double>(y[r * D + i]);
    }
  }
  rows_ += rows;
}

std::vector<float> MapRegression::solve(double relative_ridge) const {
  LB_CHECK(rows_ > 0);
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto n = static_cast<double>(rows_);
  const Eigen::Map<const Matrix> xx(sum_xx_.data(), size_, size_), xy(sum_xy_.data(), size_, size_);
  const Eigen::VectorXd mean_x = Eigen::Map<const Eigen::VectorXd>(sum_x_.data(), size_) / n;
  const Eigen::VectorXd mean_y = Eigen::Map<const Eigen::VectorXd>(sum_y_.data(), size_) / n;
  Matrix cov_xx = xx / n - mean_x * mean_x.transpose();        // [D, D]
  const Matrix cov_xy = xy / n - mean_x * mean_y.transpose();  // [D, D]
  const double ridge = relative_ridge * cov_xx.trace() / size_;
  cov_xx.diagonal().array() += std::max(ridge, 1e-12);
  const Matrix weight = cov_xx.llt().solve(cov_xy).transpose();  // [D out, D in]
  const Eigen::VectorXd bias = mean_y - weight * mean_x;

  std::vector<float> map(sum_xx_.size() + sum_x_.size());
  Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(map.data(), size_, size_) =
      weight.cast<float>();
  Eigen::Map<Eigen::VectorXf>(map.data() + sum_xx_.size(), size_) = bias.cast<float>();
  return map;
}

}  // namespace layerboost
