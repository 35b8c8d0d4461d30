#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "base/error.h"
#include "generate/sampler.h"

namespace layerboost {
namespace {

constexpr int largest_vocabulary = 1 << 24;  // larger than any: what isn't in it takes no memory

std::size_t word_of(TokenId token) { return static_cast<std::size_t>(token) / 64; }
std::uint64_t bit_of(TokenId token) { return std::uint64_t{1} << (static_cast<std::size_t>(token) % 64); }

TokenId highest_of(const char* where, std::span<const TokenId> tokens, TokenId others) {
  for (const TokenId token : tokens) {
    check_token(where, token, largest_vocabulary);
    others = std::max(others, token);
  }
  return others;
}

}  // namespace

TokenFilter::TokenFilter(std::optional<std::vector<TokenId>> allowed, std::vector<std::vector<TokenId>> bad_words)
    : bad_words_(std::move(bad_words)) {
  for (const std::vector<TokenId>& word : bad_words_) {
    if (word.empty()) fail("bad_words has a word without tokens: leave it out");
    highest_bad_ = highest_of("bad_words", word, highest_bad_);
  }
  if (!allowed) return;
  if (allowed->empty()) fail("allowed_tokens is empty: no token could be sampled");
  highest_allowed_ = highest_of("allowed_tokens", *allowed, -1);
  allowed_.resize(word_of(highest_allowed_) + 1);
  for (const TokenId token : *allowed) allowed_[word_of(token)] |= bit_of(token);
  std::vector<std::uint64_t> left = allowed_;
  for (const std::vector<TokenId>& word : bad_words_)
    if (word.size() == 1 && word.front() <= highest_allowed_) left[word_of(word.front())] &= ~bit_of(word.front());
  if (std::ranges::all_of(left, [](std::uint64_t bits) { return bits == 0; }))
    fail("bad_words leave none of the tokens that are allowed");
}

}  // namespace layerboost
