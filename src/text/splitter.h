// Cuts text by a list of steps: for pre-tokenizers other than those that PreTokenizer knows by name.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "text/regex.h"
#include "text/split_step.h"

namespace layerboost {

/// Immutable; safe to use from several threads, each with its own match data.
class Splitter {
 public:
  /// Throws Error for an expression that can't be compiled.
  explicit Splitter(const std::vector<SplitStep>& steps);

  /// Calls `piece` with each piece of `text` (valid UTF-8), in order and as bytes, whatever the steps spell them as.
  /// Throws Error where an expression takes too long.
  void split(std::string_view text, pcre2_match_data* data, const std::function<void(std::string_view)>& piece) const;

 private:
  struct Step {
    SplitStep rule;
    std::vector<Regex> pattern;  // none or one
  };
  using Piece = std::function<void(std::string_view)>;

  void run(std::size_t index, bool spelled, std::string_view text, pcre2_match_data* data, const Piece& piece) const;
  [[nodiscard]] std::vector<std::string_view> cut(const Step& step, std::string_view text,
                                                  pcre2_match_data* data) const;

  std::vector<Step> steps_;
};

}  // namespace layerboost
