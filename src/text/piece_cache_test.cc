#include "text/piece_cache.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace layerboost {
namespace {

// Ids that tell any two pieces apart.
void encode_bytes(std::string_view piece, std::vector<TokenId>& ids) {
  for (const char c : piece) ids.push_back(c);
}

TEST(PieceCache, AnswersAsIfItWereNotThere) {
  PieceCache cache;
  std::mt19937 random(11);
  for (int round = 0; round < 200'000; ++round) {  // many more pieces than places, of lengths around every limit
    std::string piece(random() % 26, ' ');
    for (char& c : piece) c = "abcdefgh"[random() % 8];
    std::vector<TokenId> ids = {-5}, expected = {-5};
    cache.append(piece, ids, encode_bytes);
    encode_bytes(piece, expected);
    ASSERT_EQ(ids, expected) << piece;
  }
}

TEST(PieceCache, EncodesARepeatedPieceOnce) {
  PieceCache cache;
  int calls = 0;
  std::vector<TokenId> ids;
  for (int i = 0; i < 3; ++i)
    cache.append("word", ids, [&](std::string_view, std::vector<TokenId>& out) {
      ++calls;
      out.push_back(4);
    });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(ids, (std::vector<TokenId>{4, 4, 4}));
}

}  // namespace
}  // namespace layerboost
