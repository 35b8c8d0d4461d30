// Remembers the ids of short pieces: most words of a text come back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

/// A fixed number of places; a piece overwrites whichever other has its place. For one thread at a time.
class PieceCache {
 public:
  PieceCache() : entries_(places) {}

  /// The ids of `piece`, computed by `encode(piece, ids)` (which appends them) unless they are remembered; appended to
  /// `ids`.
  template <typename Encode>
  void append(std::string_view piece, std::vector<TokenId>& ids, const Encode& encode) {
    if (piece.size() > longest_piece) return encode(piece, ids);
    Entry& entry = entries_[std::hash<std::string_view>{}(piece) % places];
    if (entry.piece() == piece) {
      ids.insert(ids.end(), entry.ids.begin(), entry.ids.begin() + entry.id_count);
      return;
    }
    const std::size_t begin = ids.size();
    encode(piece, ids);
    entry.remember(piece, std::span(ids).subspan(begin));
  }

 private:
  static constexpr std::size_t places = 1U << 14U, longest_piece = 22, most_ids = 10;

  struct Entry {  // 64 bytes: one cache line
    std::uint8_t length = 0, id_count = 0;
    std::array<char, longest_piece> bytes = {};
    std::array<TokenId, most_ids> ids = {};

    [[nodiscard]] std::string_view piece() const { return {bytes.data(), length}; }

    void remember(std::string_view new_piece, std::span<const TokenId> new_ids) {
      if (new_ids.size() > most_ids) return;
      length = static_cast<std::uint8_t>(new_piece.size());
      id_count = static_cast<std::uint8_t>(new_ids.size());
      std::copy(new_piece.begin(), new_piece.end(), bytes.begin());
      std::copy(new_ids.begin(), new_ids.end(), ids.begin());
    }
  };

  std::vector<Entry> entries_;
};

}  // namespace layerboost
