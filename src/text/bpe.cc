#include "text/bpe.h"

#include "text/byte_alphabet.h"

namespace layerboost {

BytePairEncoder::BytePairEncoder(const std::vector<std::string>& tokens, const std::vector<std::string>& merges,
                                 UnknownBytes unknown)
    : BytePairEncoder(ids_by_text(tokens), merges, unknown) {}

BytePairEncoder::BytePairEncoder(const IdsByText& ids, const std::vector<std::string>& merges, UnknownBytes unknown)
    : unknown_(unknown), merges_(ids, merges) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = ids.find(alphabet_char(static_cast<unsigned char>(byte)));
    byte_tokens_[static_cast<std::size_t>(byte)] = found == ids.end() ? -1 : found->second;
  }
}

void BytePairEncoder::encode(std::string_view piece, std::vector<TokenId>& ids) const {
  const std::size_t begin = ids.size();
  bool after_unknown = false;
  for (const char byte : piece) {
    const TokenId id = byte_token(static_cast<unsigned char>(byte));
    if (id >= 0)
      ids.push_back(id);
    else if (unknown_.token >= 0 && !(unknown_.fuse && after_unknown))
      ids.push_back(unknown_.token);
    after_unknown = id < 0;
  }
  merges_.merge_from(begin, ids);
}

}  // namespace layerboost
