#include "base/nearest.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace layerboost {
namespace {

/// Levenshtein's distance, one row of the table at a time.
int distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    int diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const int replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view typed, const std::vector<std::string>& words) {
  LB_CHECK(!words.empty());
  return *std::min_element(words.begin(), words.end(), [&](const std::string& a, const std::string& b) {
    return distance(typed, a) < distance(typed, b);
  });
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& words) {
  constexpr std::size_t longest = 64;  // the distance takes time in proportion to both lengths
  if (words.empty() || typed.size() > longest) return {};
  const std::string word = nearest(typed, words);
  const auto changes = static_cast<std::size_t>(distance(typed, word));
  if (3 * changes > std::max(typed.size(), word.size())) return {};
  return fmt::format("; did you mean \"{}\"?", word);
}

}  // namespace layerboost
