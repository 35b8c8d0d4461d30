// For tests: filters of tokens in few words.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "layerboost/sampling.h"

namespace layerboost::test {

inline std::shared_ptr<const TokenFilter> only(std::vector<TokenId> allowed,
                                               std::vector<std::vector<TokenId>> bad_words = {}) {
  return std::make_shared<const TokenFilter>(std::move(allowed), std::move(bad_words));
}

inline std::shared_ptr<const TokenFilter> all_but(std::vector<std::vector<TokenId>> bad_words) {
  return std::make_shared<const TokenFilter>(std::nullopt, std::move(bad_words));
}

}  // namespace layerboost::test
