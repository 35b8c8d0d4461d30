// Cuts text by a list of steps: for pre-tokenizers other than those that PreTokenizer knows by name.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "text/regex.h"
#include "text/split_step.h"

namespace layerboost {

/// What begins where a text does: the whole that is to become tokens; a part of it, behind an added token; nothing, for
/// it goes on from what is before it.
enum class Begins { text, part, nothing };

/// Immutable; safe to use from several threads, each with its own match data.
class Splitter {
 public:
  /// Throws Error for an expression that can't be compiled.
  explicit Splitter(const std::vector<SplitStep>& steps);

  /// Calls `piece` with each piece of `text` (valid UTF-8), in order and as bytes, whatever the steps spell them as.
  /// A text that begins nothing gets no space in front. Throws Error where an expression takes too long.
  void split(std::string_view text, pcre2_match_data* data, const std::function<void(std::string_view)>& piece,
             Begins begins = Begins::text) const;

 private:
  struct Step {
    SplitStep rule;
    std::vector<Regex> pattern;  // none or one
  };
  using Piece = std::function<void(std::string_view)>;

  /// What is being cut: `spelled`: in the byte-level alphabet.
  struct State {
    std::size_t step = 0;
    bool spelled = false;
    Begins begins = Begins::text;
  };
  void run(State state, std::string_view text, pcre2_match_data* data, const Piece& piece) const;
  [[nodiscard]] std::vector<std::string_view> cut(const Step& step, std::string_view text,
                                                  pcre2_match_data* data) const;

  std::vector<Step> steps_;
};

}  // namespace layerboost
