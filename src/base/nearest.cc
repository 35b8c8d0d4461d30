#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

/// The distance of Damerau and Levenshtein in which no letter is changed twice, a row of the table at a time.
int distance(std::string_view a, std::string_view b) {
  std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);  // of i - 2, i - 1 and i letters of a
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
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
