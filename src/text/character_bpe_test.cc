#include "text/character_bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/error_for_tests.h"
#include "base/utf8.h"
#include "text/score_merges.h"
#include "text/testing.h"

namespace layerboost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<TokenId> encode(const CharacterEncoder& encoder, std::string_view piece) {
  std::vector<TokenId> ids;
  encoder.encode(piece, ids);
  return ids;
}

/// Token 0 is "<unk>", the bytes' tokens follow, and those of `tokens` from 257 on, with these scores.
TokenizerData with_scores(const std::vector<std::pair<std::string, float>>& tokens) {
  TokenizerData data;
  data.tokens = {"<unk>"};
  for (int byte = 0; byte < 256; ++byte) data.tokens.push_back(byte_token_text(static_cast<unsigned char>(byte)));
  CharacterRules& rules = data.characters.emplace();
  data.unknown = 0;
  rules.scores.assign(data.tokens.size(), 0);
  rules.space = space_mark;
  for (const auto& [text, score] : tokens) {
    data.tokens.push_back(text);
    rules.scores.push_back(score);
  }
  data.added = {{.id = 0, .content = "<unk>", .special = true}};
  return data;
}

TEST(CharacterEncoder, BytesOfTokens) {
  EXPECT_EQ(byte_of_token("<0x0A>"), 10);
  EXPECT_EQ(byte_of_token("<0xff>"), 255);
  for (const char* other : {"<0x0A", "<0x0G>", "<0xAAA>", "<0y0A>", "", "<0x+1>"}) EXPECT_EQ(byte_of_token(other), -1);
  EXPECT_EQ(byte_token_text(10), "<0x0A>");
}

TEST(CharacterEncoder, BestScoreFirstThenLeftmost) {
  const CharacterEncoder encoder(
      with_scores({{"a", -9}, {"b", -9}, {"c", -9}, {"ab", -2}, {"bc", -1}, {"abc", -3}, {"aa", -4}, {"aaa", -4}}));
  EXPECT_THAT(encode(encoder, "abc"), ElementsAre(262));  // by bc
  EXPECT_THAT(encode(encoder, "ab"), ElementsAre(260));
  EXPECT_THAT(encode(encoder, "aaaa"), ElementsAre(264, 257));  // aa and aaa have the same score: the leftmost goes on
  EXPECT_THAT(encode(encoder, "aaaaa"), ElementsAre(264, 263));
  EXPECT_THAT(encode(encoder, "é"), ElementsAre(1 + 0xC3, 1 + 0xA9));
}

TEST(CharacterEncoder, ControlTokensAndBytesNeverMerge) {
  TokenizerData data = with_scores({{"<", -1}, {"s", -1}, {">", -1}, {"<s", -1}, {"<s>", -1}, {"0", -1}});
  EXPECT_THAT(encode(CharacterEncoder(data), "<s>"), ElementsAre(261));
  data.added.push_back({.id = 261, .content = "<s>", .special = true});
  EXPECT_THAT(encode(CharacterEncoder(data), "<s>"), ElementsAre(260, 259));
}

// The definition: of all neighbours whose texts together are a token, those of the best score, the leftmost of equals.
std::vector<std::string> by_definition(std::string_view piece, const TokenizerData& data) {
  std::vector<std::string> parts;
  while (!piece.empty()) {
    const std::size_t length = decode_utf8(piece).length;
    parts.emplace_back(piece.substr(0, length));
    piece.remove_prefix(length);
  }
  while (true) {
    float best = -INFINITY;
    std::size_t at = parts.size();
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = std::find(data.tokens.begin(), data.tokens.end(), parts[i] + parts[i + 1]);
      if (found == data.tokens.end()) continue;
      const float score = data.characters->scores[static_cast<std::size_t>(found - data.tokens.begin())];
      if (score > best) best = score, at = i;
    }
    if (at == parts.size()) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at + 1));
  }
}

TEST(CharacterEncoder, AsDefinedForShortAndLongPieces) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<std::string, float>> tokens;
    for (const char* letter : {"a", "b", "é", "\u2581"}) tokens.emplace_back(letter, -50.0F);
    for (int i = 0; i < 20; ++i) {
      const std::string text = tokens[random() % tokens.size()].first + tokens[random() % tokens.size()].first;
      const bool known = std::any_of(tokens.begin(), tokens.end(), [&](const auto& t) { return t.first == text; });
      if (!known) tokens.emplace_back(text, -static_cast<float>(random() % 12));  // with equals among them
    }
    const TokenizerData data = with_scores(tokens);
    const CharacterEncoder encoder(data);
    std::string piece;
    for (std::size_t i = 1 + random() % 60; i > 0; --i) piece += tokens[random() % 4].first;
    std::vector<std::string> parts;
    for (const TokenId id : encode(encoder, piece)) parts.push_back(data.tokens[static_cast<std::size_t>(id)]);
    ASSERT_EQ(parts, by_definition(piece, data)) << piece;
    std::vector<TokenId> in_parts;
    for (std::size_t begin = 0, end = 0; begin < piece.size(); begin = end) {
      end = encoder.end_of_part(piece, begin);
      encoder.encode(std::string_view(piece).substr(begin, end - begin), in_parts);
    }
    ASSERT_EQ(in_parts, encode(encoder, piece)) << piece;
  }
}

TEST(CharacterEncoder, PartsAreWordsUnlessATokenHasASpaceInside) {
  const auto first_end = [](const TokenizerData& data) {
    return CharacterEncoder(data).end_of_part("\u2581\u2581a\u2581a", 0);
  };
  EXPECT_EQ(first_end(with_scores({{"\u2581", -1}, {"a", -1}, {"\u2581a", -1}, {"\u2581\u2581", -1}})), 7U);
  EXPECT_EQ(first_end(with_scores({{"\u2581", -1}, {"a", -1}, {"a\u2581", -1}})), 11U);
  EXPECT_EQ(first_end(with_scores({{"a", -1}})), 11U);  // the mark is unknown, and may be one with what is before it
}

TEST(CharacterEncoder, AMegabyteOfOneLetter) {  // quadratic time would be hours
  const CharacterEncoder encoder(with_scores({{"a", -9}, {"aa", -1}, {"aaaa", -2}, {"aaaaaaaa", -3}}));
  const auto ids = encode(encoder, std::string(1U << 20U, 'a'));
  EXPECT_EQ(ids.size(), (1U << 20U) / 8);
  EXPECT_THAT(ids, testing::Each(260));
}

TEST(CharacterEncoder, WhatIsUnknown) {
  TokenizerData data = with_scores({{"a", -1}});
  data.tokens[1 + 0xC3] = "gone";
  EXPECT_THAT(encode(CharacterEncoder(data), "aééa"), ElementsAre(257, 0, 257));
  data.fuse_unknown = false;
  EXPECT_THAT(encode(CharacterEncoder(data), "aééa"), ElementsAre(257, 0, 0, 257));
  data.unknown = -1;
  EXPECT_THAT(encode(CharacterEncoder(data), "aééa"), ElementsAre(257, 257));
}

TEST(CharacterEncoder, WholePiecesAreTokensButNotAddedOnes) {
  TokenizerData data = with_scores({{"a", -1}, {"b", -1}, {"abab", -1}, {"<tag>", -1}});
  data.added.push_back({.id = 260, .content = "<tag>"});
  data.ignore_merges = true;
  const CharacterEncoder encoder(data);
  EXPECT_THAT(encode(encoder, "abab"), ElementsAre(259));
  EXPECT_THAT(encode(encoder, "ab"), ElementsAre(257, 258));
  EXPECT_EQ(encode(encoder, "<tag>").size(), 5U);
}

TEST(ScoreMerges, AreAListForThoseWhoKnowNoScores) {
  const TokenizerData data = with_scores({{"a", 0}, {"b", 0}, {"bb", -2}, {"ab", -1}, {"abb", -3}, {"a b", -1}});
  EXPECT_THAT(merge_list(data), ElementsAre("a b", "b b", "a bb", "ab b"));
}

TEST(ScoreMerges, RefusesHostileTokens) {
  const auto error = [](const TokenizerData& data) { return test::error_of([&] { Tokenizer{data}; }); };
  EXPECT_THAT(error(with_scores({{"a", NAN}})), HasSubstr("the score of token 257 (\"a\") is not a number"));
  EXPECT_THAT(error(with_scores({{std::string(1025, 'a'), 0}})), HasSubstr("has 1025 bytes; at most 1024"));
  std::vector<std::pair<std::string, float>> runs;  // of n letters: each merges in n - 1 ways
  for (char letter = '!'; letter <= '~'; ++letter)
    for (std::size_t length = 1; length <= 310; ++length) runs.emplace_back(std::string(length, letter), 0.0F);
  EXPECT_THAT(error(with_scores(runs)), HasSubstr("the tokens merge in more than 4194304 ways"));
  TokenizerData data = with_scores({{"a", 0}});
  data.characters->scores.pop_back();
  EXPECT_THAT(error(data), HasSubstr("257 scores for 258 tokens"));
  data = with_scores({{"a", 0}});
  data.unknown = 258;
  EXPECT_THAT(error(data), HasSubstr("unknown characters are token 258"));
}

}  // namespace
}  // namespace layerboost
