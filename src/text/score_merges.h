// What merges where only the tokens' scores tell, as in SentencePiece's models: any two neighbours whose texts together
// are a token, that of the best score first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

struct RankedMerge {
  TokenId left = -1, right = -1, merged = -1;
  std::uint32_t rank = 0;  // the same for tokens of the same score
};

/// The merges of `data`, best first. Control tokens, those of bytes and those with a space, which texts don't have by
/// then, are never parts nor results. Throws Error for scores that aren't numbers, tokens of more than 1024 bytes and
/// more than 4 million merges. Requires: data.characters, with as many scores as tokens.
std::vector<RankedMerge> merges_by_score(const TokenizerData& data);

/// The same as TokenizerData has merges, for those who know nothing of scores. Where tokens of the same score compete,
/// which is rare, these may give others.
std::vector<std::string> merge_list(const TokenizerData& data);

}  // namespace layerboost
