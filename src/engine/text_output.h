// Tokens becoming text as they are sampled, up to the first stop string.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

/// Looks for a stop string in a text that comes byte by byte, in time proportional to the text (Knuth, Morris and
/// Pratt).
class StopSearch {
 public:
  /// Requires: `stop` isn't empty.
  explicit StopSearch(std::string stop);

  /// Reads the next byte; true where it completes the stop string. Requires: it hasn't been completed since reset().
  bool read(char byte);
  /// How many of the last bytes are the beginning of the stop string.
  [[nodiscard]] std::size_t matched() const { return matched_; }
  [[nodiscard]] std::size_t size() const { return stop_.size(); }
  /// Forgets what was read.
  void reset() { matched_ = 0; }

 private:
  std::string stop_;
  std::vector<std::size_t> borders_;  // [size]: of stop_[0..i], the longest beginning, not itself, that it ends with
  std::size_t matched_ = 0;
};

/// Control tokens give no text.
class TextOutput {
 public:
  /// `stop`: UTF-8. `before`: the tokens that those to come follow. Requires: `tokenizer` outlives this; no string in
  /// `stop` is empty.
  TextOutput(const Tokenizer& tokenizer, const std::vector<std::string>& stop, std::span<const TokenId> before = {});

  /// The text that is certain after `token`: whole characters, without what may still become a stop string. A stop
  /// string may lie across tokens; one that begins before a token pushed with `may_stop` = false doesn't count.
  std::string push(TokenId token, bool may_stop = true);

  /// Whether a stop string has been found; nothing comes after it.
  [[nodiscard]] bool stopped() const { return stopped_; }

  /// What was held back, at the end of the text.
  std::string finish();

 private:
  /// Takes from the front of held_ what can't be part of a stop string.
  std::string release();

  StreamDecoder decoder_;
  std::vector<StopSearch> stops_;
  std::string held_;
  std::size_t searched_ = 0;  // bytes of held_ that stops_ have read
  bool stopped_ = false;
};

}  // namespace layerboost
