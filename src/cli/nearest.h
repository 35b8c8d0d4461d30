// Suggestions for mistyped words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace layerboost {

/// The one of `words` (not empty) that the fewest insertions, deletions and replacements of letters turn `typed` into;
/// the first among equals.
std::string nearest(std::string_view typed, const std::vector<std::string>& words);

}  // namespace layerboost
