#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace layerboost {

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) {
    LB_CHECK(!token.content.empty());
    first_byte_[static_cast<unsigned char>(token.content[0])] = true;
  }
}

// Narrows the sorted range byte by byte. A token that ends after the bytes read so far comes first in its range.
const AddedToken* AddedTokenMatcher::longest_at(std::string_view text) const {
  const AddedToken* longest = nullptr;
  auto low = tokens_.begin(), high = tokens_.end();
  for (std::size_t depth = 0; low != high; ++depth) {
    if (low->content.size() == depth) longest = &*low;
    while (low != high && low->content.size() == depth) ++low;
    if (depth == text.size()) break;
    const auto byte = static_cast<unsigned char>(text[depth]);
    const auto byte_of = [&](const AddedToken& token) { return static_cast<unsigned char>(token.content[depth]); };
    low = std::partition_point(low, high, [&](const AddedToken& token) { return byte_of(token) < byte; });
    high = std::partition_point(low, high, [&](const AddedToken& token) { return byte_of(token) == byte; });
  }
  return longest;
}

AddedTokenMatcher::Match AddedTokenMatcher::find(std::string_view text, std::size_t from) const {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (!first_byte_[static_cast<unsigned char>(text[at])]) continue;
    const AddedToken* token = longest_at(text.substr(at));
    if (token == nullptr) continue;
    Match match{at, at + token->content.size(), token->id};
    if (token->lstrip) match.begin -= trailing_white_space(text.substr(from, at - from));
    if (token->rstrip) match.end += leading_white_space(text.substr(match.end));
    return match;
  }
  return {text.size(), text.size(), -1};
}

}  // namespace layerboost
