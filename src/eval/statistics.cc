#include "eval/statistics.h"

#include <cmath>
#include <numeric>

#include "base/error.h"

namespace layerboost {

Estimate estimate(std::span<const double> values) {
  Estimate result;
  result.n = static_cast<std::int64_t>(values.size());
  if (values.empty()) return result;
  const double n = static_cast<double>(values.size());
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() < 2) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.error = std::sqrt(squares / (n - 1) / n);
  return result;
}

Estimate paired_difference(std::span<const double> before, std::span<const double> after) {
  LB_CHECK(before.size() == after.size());
  std::vector<double> differences(before.size());
  for (std::size_t i = 0; i < before.size(); ++i) differences[i] = after[i] - before[i];
  return estimate(differences);
}

WindowMean window_mean(std::span<const double> sums, std::span<const int> tokens) {
  LB_CHECK(sums.size() == tokens.size());
  WindowMean result;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    result.tokens += tokens[i];
    result.windows.push_back(sums[i] / tokens[i]);
  }
  result.mean = estimate(result.windows);
  result.mean.mean = std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(result.tokens);
  return result;
}

}  // namespace layerboost
