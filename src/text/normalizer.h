// What a tokenizer does to a text first: normalisation form C, and texts that take the place of others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace layerboost {

/// `content` takes the place of each `pattern`; without a pattern it is put in front of a text that isn't empty.
struct RewriteStep {
  std::string pattern, content;

  bool operator==(const RewriteStep&) const = default;
};

/// Immutable; safe to use from several threads.
class Normalizer {
 public:
  /// Requires: no step is empty as a whole.
  Normalizer(bool nfc, std::vector<RewriteStep> steps);

  /// What becomes of `valid_utf8`: itself, or a view of `buffer`, which is overwritten. `at_front`: whether anything is
  /// put in front. Throws Error where it becomes longer than 2 GiB.
  [[nodiscard]] std::string_view apply(std::string_view valid_utf8, bool at_front, std::string& buffer) const;

  /// The same, of its own.
  [[nodiscard]] std::string operator()(std::string_view valid_utf8, bool at_front = true) const;

 private:
  bool nfc_;
  std::vector<RewriteStep> steps_;
};

}  // namespace layerboost
