#include "text/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/error.h"
#include "text/testing.h"

namespace layerboost {
namespace {

using testing::ElementsAre;

std::vector<TokenId> encode(const BytePairEncoder& bpe, std::string_view piece) {
  std::vector<TokenId> ids;
  bpe.encode(piece, ids);
  return ids;
}

BytePairEncoder encoder(const std::vector<std::string>& merges) {
  return {small_tokenizer_data(merges).tokens, merges};
}

TEST(BytePairEncoder, BestRankFirstThenLeftmost) {
  const auto bpe = encoder({"b c", "a b", "a a", "bc d"});
  EXPECT_THAT(encode(bpe, "abcd"), ElementsAre('a', 259));
  EXPECT_THAT(encode(bpe, "aaa"), ElementsAre(258, 'a'));
  EXPECT_THAT(encode(bpe, "aab"), ElementsAre('a', 257));
  EXPECT_THAT(encode(bpe, ""), ElementsAre());
}

// The definition: again and again, the leftmost pair of the best rank.
std::vector<std::string> merged_by_definition(std::string_view piece, const std::vector<std::string>& merges) {
  std::vector<std::string> parts;
  for (const char c : piece) parts.emplace_back(1, c);
  while (true) {
    std::size_t best_rank = merges.size(), best_at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = std::find(merges.begin(), merges.end(), parts[i] + " " + parts[i + 1]);
      const auto rank = static_cast<std::size_t>(found - merges.begin());
      if (rank < best_rank) best_rank = rank, best_at = i;
    }
    if (best_rank == merges.size()) return parts;
    parts[best_at] += parts[best_at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best_at + 1));
  }
}

TEST(BytePairEncoder, AsDefinedForShortAndLongPieces) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> words = {"a", "b", "c"}, merges;
    for (int i = 0; i < 12; ++i) {
      const std::string left = words[random() % words.size()], right = words[random() % words.size()];
      if (std::find(words.begin(), words.end(), left + right) != words.end()) continue;
      merges.push_back(left + " " + right);
      words.push_back(left + right);
    }
    const TokenizerData data = small_tokenizer_data(merges);
    const BytePairEncoder bpe(data.tokens, merges);
    std::string piece(1 + random() % 80, ' ');
    for (char& c : piece) c = "abcd"[random() % 4];
    std::vector<std::string> parts;
    for (const TokenId id : encode(bpe, piece)) parts.push_back(data.tokens[static_cast<std::size_t>(id)]);
    ASSERT_EQ(parts, merged_by_definition(piece, merges)) << piece;
  }
}

TEST(BytePairEncoder, AMegabyteOfOneLetter) {  // quadratic time would be hours
  const auto bpe = encoder({"a a", "aa aa", "aaaa aaaa"});
  const auto ids = encode(bpe, std::string(1U << 20U, 'a'));
  EXPECT_EQ(ids.size(), (1U << 20U) / 8);
  EXPECT_THAT(ids, testing::Each(258));
}

TEST(BytePairEncoder, LeavesOutBytesWithoutToken) {
  const BytePairEncoder bpe({"a", "b", "ab"}, {"a b"});
  EXPECT_EQ(bpe.byte_token('x'), -1);
  EXPECT_THAT(encode(bpe, "axbx"), ElementsAre(2));
  EXPECT_THAT(encode(bpe, std::string(40, 'x') + "b"), ElementsAre(1));
  EXPECT_THAT(encode(bpe, std::string(40, 'x')), ElementsAre());
}

TEST(BytePairEncoder, RefusesBadMerges) {
  const std::vector<std::string> tokens = {"a", "b", "ab"};
  for (const char* merge : {"a c", "b a", "ab", " ab", "a ", "a b ab", ""})
    EXPECT_THROW(BytePairEncoder(tokens, {merge}), Error) << merge;
}

}  // namespace
}  // namespace layerboost
