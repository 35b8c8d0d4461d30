#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/word_character.h"

namespace layerboost {

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) {
    LB_CHECK(!token.content.empty());
    first_byte_[static_cast<unsigned char>(token.content[0])] = true;
    longest_ = std::max(longest_, token.content.size());
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

/// The token that begins at `at`, whose byte is the first of any; null: none. Where one must be a word and isn't, `at`
/// goes to its last byte: as in Hugging Face's implementation, no other token begins within it.
const AddedToken* AddedTokenMatcher::token_at(std::string_view text, std::size_t& at) const {
  const AddedToken* const token = longest_at(text.substr(at));
  if (token == nullptr || !token->single_word) return token;
  const std::size_t end = at + token->content.size();
  if (!ends_with_word_character(text.substr(0, at)) && !begins_with_word_character(text.substr(end))) return token;
  at = end - 1;
  return nullptr;
}

/// The end of the white space at `at` that belongs to no token. As in Hugging Face's implementation, a token of white
/// space that takes in what is before it is lost there.
std::size_t AddedTokenMatcher::end_of_space(std::string_view text, std::size_t at) const {
  std::size_t next_token = at;  // none begins before it
  while (at < text.size()) {
    if (at >= next_token && first_byte_[static_cast<unsigned char>(text[at])]) {
      std::size_t last = at;
      const AddedToken* const token = token_at(text, last);
      const bool lost =
          token != nullptr && token->lstrip && leading_white_space(token->content) == token->content.size();
      if (token != nullptr && !lost) return at;
      next_token = lost ? at + token->content.size() : last + 1;
    }
    const std::size_t length = decode_utf8(text.substr(at)).length;
    if (leading_white_space(text.substr(at, length)) == 0) return at;
    at += length;
  }
  return at;
}

AddedTokenMatcher::Match AddedTokenMatcher::find(std::string_view text, std::size_t from, std::size_t before) const {
  for (std::size_t at = from; at < std::min(text.size(), before); ++at) {
    if (!first_byte_[static_cast<unsigned char>(text[at])]) continue;
    const AddedToken* const token = token_at(text, at);
    if (token == nullptr) continue;
    Match match{at, at + token->content.size(), token->id, at};
    if (token->lstrip) match.begin -= trailing_white_space(text.substr(from, at - from));
    if (token->rstrip) match.end = end_of_space(text, match.end);
    return match;
  }
  return {text.size(), text.size(), -1, text.size()};
}

std::size_t AddedTokenMatcher::beginning_at_end(std::string_view text) const {
  for (std::size_t length = std::min(longest_, text.size()); length > 0; --length) {
    const std::string_view end = text.substr(text.size() - length);
    const auto first = std::partition_point(
        tokens_.begin(), tokens_.end(), [&](const AddedToken& token) { return std::string_view(token.content) < end; });
    if (first != tokens_.end() && first->content.starts_with(end)) return length;
  }
  return 0;
}

}  // namespace layerboost
