// Byte-level byte-pair encoding of one piece: its bytes' tokens, and what merges of them.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "text/merge_table.h"

namespace layerboost {

/// What bytes without a token become.
struct UnknownBytes {
  TokenId token = -1;  // -1: they are left out
  bool fuse = true;    // neighbours become one
};

/// Immutable; safe to use from several threads.
class BytePairEncoder {
 public:
  /// `tokens` and `merges` as in TokenizerData. Throws Error for a merge that is not "left right" or whose parts or
  /// result are not among the tokens.
  BytePairEncoder(const std::vector<std::string>& tokens, const std::vector<std::string>& merges,
                  UnknownBytes unknown = {});

  /// Appends the ids of `piece`. Takes n log n time for n bytes.
  void encode(std::string_view piece, std::vector<TokenId>& ids) const;

  /// The token of a single byte; -1: the vocabulary has none.
  [[nodiscard]] TokenId byte_token(unsigned char byte) const { return byte_tokens_[byte]; }

 private:
  BytePairEncoder(const IdsByText& ids, const std::vector<std::string>& merges, UnknownBytes unknown);

  UnknownBytes unknown_;
  std::array<TokenId, 256> byte_tokens_ = {};
  MergeTable merges_;
};

}  // namespace layerboost
