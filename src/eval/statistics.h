// Means with their standard errors.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace layerboost {

/// A mean and its standard error, s / sqrt(n), with s the sample standard deviation (n - 1). The error is NaN for fewer
/// than two values (JSON: null), the mean NaN for none.
struct Estimate {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double error = std::numeric_limits<double>::quiet_NaN();
  std::int64_t n = 0;
};

Estimate estimate(std::span<const double> values);

/// The estimate of after[i] - before[i]: pairs remove what both have in common. Requires: the spans have the same size.
Estimate paired_difference(std::span<const double> before, std::span<const double> after);

/// The mean over all tokens of windows, with the error of the windows' means (tokens of one window depend on each
/// other).
struct WindowMean {
  Estimate mean;  // n: windows
  std::int64_t tokens = 0;
  std::vector<double> windows;  // each window's own mean
};

/// The mean over windows with these sums and numbers of tokens (at least one). Requires: the spans have the same size.
WindowMean window_mean(std::span<const double> sums, std::span<const int> tokens);

}  // namespace layerboost
