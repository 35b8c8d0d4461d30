#include "plan/cost_model.h"

#include <Eigen/Dense>
#include <algorithm>
#include <array>

#include "base/error.h"
#include "mixer/descriptor.h"

namespace layerboost {

CostTerms fit_cost(std::span<const CostSample> samples) {
  // With three unknowns the non-negative least squares is the best among the 7 subsets of them, each solved freely.
  const auto n = static_cast<Eigen::Index>(samples.size());
  CostTerms best;
  double least = std::numeric_limits<double>::infinity();
  for (unsigned subset = 1; subset < 8; ++subset) {
    Eigen::MatrixXd a = Eigen::MatrixXd::Zero(n, 3);
    for (Eigen::Index i = 0; i < n; ++i) {
      const CostSample& s = samples[static_cast<std::size_t>(i)];
      LB_CHECK(s.seconds > 0);
      const std::array<double, 3> row = {1.0, static_cast<double>(s.batch), s.batch * s.positions};
      for (int k = 0; k < 3; ++k)
        if ((subset >> k & 1U) != 0) a(i, k) = row[static_cast<std::size_t>(k)] / s.seconds;
    }
    const Eigen::VectorXd x = a.completeOrthogonalDecomposition().solve(Eigen::VectorXd::Ones(n));
    const double error = (a * x - Eigen::VectorXd::Ones(n)).squaredNorm();
    if (x.minCoeff() < -1e-18 || error >= least * (1 - 1e-9)) continue;
    least = error;
    best = {std::max(0.0, x(0)), std::max(0.0, x(1)), std::max(0.0, x(2))};
  }
  return best;
}

double CostModel::mixer_seconds(const MixerSpec& spec, int batch, int context) const {
  const CostLaw& law = descriptor_of(spec.kind).cost;
  if (law.name == nullptr) return 0;
  const auto terms = mixers.find(law.name);
  LB_CHECK(terms != mixers.end());
  return terms->second.seconds(batch, mean_positions(spec, kv_heads, context));
}

double CostModel::step_seconds(const std::vector<MixerSpec>& specs, int batch, int context) const {
  double seconds = rest.seconds(batch, 0);
  for (const MixerSpec& spec : specs) seconds += mixer_seconds(spec, batch, context);
  return seconds;
}

}  // namespace layerboost
