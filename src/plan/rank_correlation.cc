#include "plan/rank_correlation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace layerboost {
namespace {

std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](auto i, auto j) { return values[i] < values[j]; });
  std::vector<double> result(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;  // of a run of equal values
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    for (std::size_t i = first; i <= last; ++i) result[order[i]] = static_cast<double>(first + last) / 2;
    first = last + 1;
  }
  return result;
}

double pearson(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : std::numeric_limits<double>::quiet_NaN();
}

const Measured* find_score(const LayerScores& layer, const MixerSpec& choice, const std::string& measure) {
  if (measure == "cosine") return layer.cosine ? &*layer.cosine : nullptr;
  if (measure == "entropy") return layer.entropy ? &*layer.entropy : nullptr;
  const auto scores = layer.choices.find(choice);
  if (scores == layer.choices.end()) return nullptr;
  const auto it = scores->second.find(measure);
  return it != scores->second.end() ? &it->second : nullptr;
}

}  // namespace

double spearman(std::span<const double> a, std::span<const double> b) {
  LB_CHECK(a.size() == b.size());
  if (a.empty()) return std::numeric_limits<double>::quiet_NaN();
  return pearson(ranks(a), ranks(b));
}

std::vector<RankCorrelation> rank_correlations(const Analysis& analysis) {
  std::vector<RankCorrelation> result;
  const auto& measures = analysis_measures();
  for (const MixerSpec& choice : analysis.choices) {
    for (std::size_t i = 0; i < measures.size(); ++i) {
      for (std::size_t j = i + 1; j < measures.size(); ++j) {
        std::vector<double> a, b;
        for (const auto& [layer, scores] : analysis.layers) {
          const Measured* x = find_score(scores, choice, measures[i]);
          const Measured* y = find_score(scores, choice, measures[j]);
          if (x == nullptr || y == nullptr) continue;
          a.push_back(x->mean);
          b.push_back(y->mean);
        }
        const double rho = spearman(a, b);
        if (std::isfinite(rho)) result.push_back({to_string(choice), measures[i], measures[j], rho});
      }
    }
  }
  return result;
}

}  // namespace layerboost
