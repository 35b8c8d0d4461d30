// How far two measures agree on the order of a model's layers.
#pragma once

#include <span>
#include <vector>

#include "artifact/analysis_file.h"

namespace layerboost {

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of their ranks. NaN when either
/// side has fewer than two distinct values. The spans have equal sizes.
double spearman(std::span<const double> a, std::span<const double> b);

/// Between every two measures of each choice, over the layers that have both, where that is defined. Cosine and entropy
/// don't depend on the choice and take part in each.
std::vector<RankCorrelation> rank_correlations(const Analysis& analysis);

}  // namespace layerboost
