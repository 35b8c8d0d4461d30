// Tokens becoming text as they are drawn, up to the first stop string.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

/// Control tokens give no text.
class TextOutput {
 public:
  /// `tokenizer` must outlive the output. `stop`: not empty strings, UTF-8.
  TextOutput(const Tokenizer& tokenizer, std::vector<std::string> stop);

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
  std::vector<std::string> stop_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace layerboost
