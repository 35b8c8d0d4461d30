#include "text/score_merges.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "base/in_quotes.h"
#include "base/utf8.h"
#include "text/character_bpe.h"
#include "text/merge_table.h"

namespace layerboost {

namespace {

/// The tokens that take part in merging.
IdsByText merging_tokens(const TokenizerData& data) {
  constexpr std::size_t longest = 1024;  // bytes: each of their characters is a place to look at
  std::vector<bool> control(data.tokens.size());
  for (const AddedToken& token : data.added) control[static_cast<std::size_t>(token.id)] = token.special;
  IdsByText ids;
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const std::string_view text = data.tokens[id];
    if (control[id] || text.empty() || text.find(' ') != std::string_view::npos || byte_of_token(text) >= 0) continue;
    if (std::isnan(data.characters->scores[id]))
      fail("tokenizer: the score of token {} ({}) is not a number", id, in_quotes(text));
    if (text.size() > longest)
      fail("tokenizer: token {} ({}) has {} bytes; at most {}", id, in_quotes(text), text.size(), longest);
    ids.emplace(text, static_cast<TokenId>(id));
  }
  return ids;
}

}  // namespace

std::vector<RankedMerge> merges_by_score(const TokenizerData& data) {
  const IdsByText ids = merging_tokens(data);
  const auto text = [&](TokenId id) { return std::string_view(data.tokens[static_cast<std::size_t>(id)]); };
  const auto score = [&](TokenId id) { return data.characters->scores[static_cast<std::size_t>(id)]; };
  std::vector<TokenId> order;
  for (const auto& [token, id] : ids) order.push_back(id);
  std::sort(order.begin(), order.end(),
            [&](TokenId a, TokenId b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
  constexpr std::size_t most = std::size_t{1} << 22U;  // vocabularies of 256,000 tokens have half a million
  std::vector<RankedMerge> merges;
  std::uint32_t rank = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && score(order[i]) != score(order[i - 1])) ++rank;
    const std::string_view whole = text(order[i]);
    for (std::size_t cut = decode_utf8(whole).length; cut < whole.size();
         cut += decode_utf8(whole.substr(cut)).length) {
      const auto left = ids.find(whole.substr(0, cut));
      if (left == ids.end()) continue;
      const auto right = ids.find(whole.substr(cut));
      if (right == ids.end()) continue;
      if (merges.size() == most) fail("tokenizer: the tokens merge in more than {} ways", most);
      merges.push_back({left->second, right->second, order[i], rank});
    }
  }
  return merges;
}

std::vector<std::string> merge_list(const TokenizerData& data) {
  if (!data.characters || data.characters->scores.empty()) return data.merges;
  std::vector<std::string> merges;
  for (const RankedMerge& merge : merges_by_score(data))
    merges.push_back(data.tokens[static_cast<std::size_t>(merge.left)] + " " +
                     data.tokens[static_cast<std::size_t>(merge.right)]);
  return merges;
}

}  // namespace layerboost
