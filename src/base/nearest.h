// Suggestions for mistyped words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace layerboost {

/// The one of `words` (not empty) that the fewest insertions, deletions and replacements of letters and exchanges of
/// two neighbours turn `typed` into; the first among equals.
std::string nearest(std::string_view typed, const std::vector<std::string>& words);

/// `; did you mean "WORD"?` where one of `words` is near enough to `typed` to be what was meant (at most a third of its
/// letters differ); else nothing. To be appended to an error's message.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& words);

}  // namespace layerboost
