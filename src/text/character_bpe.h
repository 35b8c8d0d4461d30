// Byte-pair encoding that begins with characters, as SentencePiece has it: characters without a token become the tokens
// of their bytes, and what merges is told by a list of merges or by the tokens' scores.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/merge_table.h"
#include "text/tokenizer.h"

namespace layerboost {

/// The mark that such tokenizers write in place of a space: U+2581.
inline constexpr std::string_view space_mark = "\u2581";

/// The byte that a token such as "<0x0A>" stands for; -1: it is another kind of token.
int byte_of_token(std::string_view token);

/// The token that stands for a byte, "<0x0A>".
std::string byte_token_text(unsigned char byte);

/// Immutable; safe to use from several threads.
class CharacterEncoder {
 public:
  /// Requires: data.characters. Throws Error as MergeTable's constructor and merges_by_score() do.
  explicit CharacterEncoder(const TokenizerData& data);

  /// Appends the ids of `piece`, which is valid UTF-8. Takes n log n time for n bytes.
  void encode(std::string_view piece, std::vector<TokenId>& ids) const;

  /// Appends the ids of bytes that are no characters.
  void encode_bytes(std::string_view bytes, std::vector<TokenId>& ids) const;

  /// The end of the part of `piece` that begins at `begin` (< piece.size()): its tokens don't depend on what is beside
  /// it. Parts are words with the space in front where no token has a space behind another character, else the whole.
  [[nodiscard]] std::size_t end_of_part(std::string_view piece, std::size_t begin) const;

 private:
  CharacterEncoder(const TokenizerData& data, const IdsByText& ids);

  [[nodiscard]] TokenId character_token(char32_t character) const;
  /// Whether all of `bytes` have tokens of their own; appends them if so.
  bool append_byte_tokens(std::string_view bytes, std::vector<TokenId>& ids) const;

  bool fuse_unknown_;
  TokenId unknown_;
  bool cuts_ = false;  // whether parts are words
  std::array<TokenId, 256> byte_tokens_ = {};
  std::array<TokenId, 128> ascii_ = {};
  std::unordered_map<char32_t, TokenId> characters_;       // beyond ASCII
  std::unordered_map<std::string, TokenId> whole_pieces_;  // empty unless ignore_merges
  MergeTable merges_;
};

}  // namespace layerboost
