#include "text/character_bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/utf8.h"
#include "text/score_merges.h"

namespace layerboost {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

MergeTable merge_table_of(const TokenizerData& data, const IdsByText& ids) {
  if (data.characters->scores.empty()) return {ids, data.merges};
  const std::vector<RankedMerge> merges = merges_by_score(data);
  MergeTable table(merges.size());
  for (const RankedMerge& merge : merges) table.insert(merge.left, merge.right, {merge.rank, merge.merged});
  return table;
}

/// Whether a space mark follows another character somewhere in `token`.
bool has_mark_inside(std::string_view token) {
  for (std::size_t at = token.find(space_mark); at < token.size(); at = token.find(space_mark, at + 1))
    if (at > 0 && !token.substr(0, at).ends_with(space_mark)) return true;
  return false;
}

bool any_mark_inside(const TokenizerData& data) {
  if (!data.characters->scores.empty()) return std::any_of(data.tokens.begin(), data.tokens.end(), has_mark_inside);
  std::string joined;
  return std::any_of(data.merges.begin(), data.merges.end(), [&](const std::string& merge) {
    const std::size_t space = merge.find(' ');
    joined.assign(merge, 0, space).append(merge, space + 1);
    return has_mark_inside(joined);
  });
}

}  // namespace

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = hex_digit(token[3]), low = hex_digit(token[4]);
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

std::string byte_token_text(unsigned char byte) { return fmt::format("<0x{:02X}>", byte); }

CharacterEncoder::CharacterEncoder(const TokenizerData& data) : CharacterEncoder(data, ids_by_text(data.tokens)) {}

CharacterEncoder::CharacterEncoder(const TokenizerData& data, const IdsByText& ids)
    : fuse_unknown_(data.fuse_unknown), unknown_(data.unknown), merges_(merge_table_of(data, ids)) {
  for (std::size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
    const auto found = ids.find(byte_token_text(static_cast<unsigned char>(byte)));
    byte_tokens_[byte] = found == ids.end() ? -1 : found->second;
  }
  ascii_.fill(-1);
  for (const auto& [text, id] : ids) {
    if (text.empty() || text.size() > 4) continue;
    const Utf8Char first = decode_utf8(text);
    if (first.kind != Utf8Char::Kind::valid || first.length != text.size()) continue;
    if (first.code_point < ascii_.size())
      ascii_[first.code_point] = id;
    else
      characters_.emplace(first.code_point, id);
  }
  if (data.ignore_merges) {
    for (const auto& [text, id] : ids) whole_pieces_.emplace(text, id);
    for (const AddedToken& token : data.added)
      if (!token.in_vocabulary || token.special) whole_pieces_.erase(token.content);
  }
  cuts_ = whole_pieces_.empty() && ids.contains(space_mark) && !any_mark_inside(data);
}

TokenId CharacterEncoder::character_token(char32_t character) const {
  if (character < ascii_.size()) return ascii_[character];
  const auto found = characters_.find(character);
  return found == characters_.end() ? -1 : found->second;
}

bool CharacterEncoder::append_byte_tokens(std::string_view bytes, std::vector<TokenId>& ids) const {
  const auto token = [&](char byte) { return byte_tokens_[static_cast<unsigned char>(byte)]; };
  if (std::any_of(bytes.begin(), bytes.end(), [&](char byte) { return token(byte) < 0; })) return false;
  for (const char byte : bytes) ids.push_back(token(byte));
  return true;
}

void CharacterEncoder::encode(std::string_view piece, std::vector<TokenId>& ids) const {
  if (!whole_pieces_.empty()) {
    if (const auto whole = whole_pieces_.find(std::string(piece)); whole != whole_pieces_.end()) {
      ids.push_back(whole->second);
      return;
    }
  }
  const std::size_t begin = ids.size();
  // In Hugging Face's implementation, whose ids these are to be, an unknown character comes behind the bytes that
  // follow it.
  bool pending = false;
  const auto add_unknown = [&] {
    if (pending && unknown_ >= 0) ids.push_back(unknown_);
    pending = false;
  };
  while (!piece.empty()) {
    const Utf8Char next = decode_utf8(piece);
    LB_CHECK(next.kind == Utf8Char::Kind::valid);
    const std::string_view bytes = piece.substr(0, next.length);
    piece.remove_prefix(next.length);
    if (const TokenId id = character_token(next.code_point); id >= 0) {
      add_unknown();
      ids.push_back(id);
    } else if (!append_byte_tokens(bytes, ids)) {
      if (!fuse_unknown_) add_unknown();
      pending = true;
    }
  }
  add_unknown();
  merges_.merge_from(begin, ids);
}

void CharacterEncoder::encode_bytes(std::string_view bytes, std::vector<TokenId>& ids) const {
  if (!append_byte_tokens(bytes, ids) && unknown_ >= 0) ids.push_back(unknown_);
}

std::size_t CharacterEncoder::end_of_part(std::string_view piece, std::size_t begin) const {
  if (!cuts_) return piece.size();
  while (piece.substr(begin).starts_with(space_mark)) begin += space_mark.size();
  return std::min(piece.find(space_mark, begin), piece.size());
}

}  // namespace layerboost
