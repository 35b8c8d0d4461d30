// Tokens becoming text as they are sampled, up to the first stop string.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "layerboost/request.h"
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

class TextOutput {
 public:
  /// For what follows the request's prompt. Requires: `tokenizer` outlives this; none of the request's stop strings is
  /// empty.
  TextOutput(const Tokenizer& tokenizer, const GenerationRequest& request);

  /// The text that is certain after `token`: whole characters, without what may still become a stop string that isn't
  /// to be included. A stop string may lie across tokens; one that begins before a token pushed with `may_stop` = false
  /// doesn't count.
  std::string push(TokenId token, bool may_stop = true);

  /// Whether a stop string has been found; nothing comes after it.
  [[nodiscard]] bool stopped() const { return stopped_; }

  /// What was held back, at the end of the text.
  std::string finish();

 private:
  [[nodiscard]] bool gives_text(TokenId token) const;
  /// Takes from the front of held_ what is certain.
  std::string release();

  const Tokenizer* tokenizer_;
  StreamDecoder decoder_;
  bool include_stop_, skip_special_;
  std::vector<TokenId> shown_;  // control tokens that aren't skipped
  std::vector<StopSearch> stops_;
  std::string held_;
  std::size_t searched_ = 0;  // bytes of held_ that stops_ have read
  bool stopped_ = false;
};

}  // namespace layerboost
