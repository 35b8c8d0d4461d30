#include "text/added_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>

namespace layerboost {
namespace {

void expect_match(const AddedTokenMatcher& matcher, std::string_view text, std::size_t from, std::size_t begin,
                  std::size_t end, TokenId id) {
  const auto match = matcher.find(text, from);
  EXPECT_EQ(match.begin, begin) << text;
  EXPECT_EQ(match.end, end) << text;
  EXPECT_EQ(match.id, id) << text;
}

TEST(AddedTokenMatcher, FirstPlaceThenLongest) {
  const AddedTokenMatcher matcher(
      {{.id = 1, .content = "<a>"}, {.id = 2, .content = "<a>b"}, {.id = 3, .content = "a>bc"}});
  expect_match(matcher, "x<a>c", 0, 1, 4, 1);
  expect_match(matcher, "x<a>bc", 0, 1, 5, 2);
  expect_match(matcher, "x<a>bc", 2, 2, 6, 3);
  expect_match(matcher, "x<a", 0, 3, 3, -1);
  expect_match(matcher, "<<a>", 0, 1, 4, 1);
  expect_match(matcher, "", 0, 0, 0, -1);
}

TEST(AddedTokenMatcher, WhatATokenBeginsWithAtTheEnd) {
  const AddedTokenMatcher matcher({{.id = 1, .content = "<a>"}, {.id = 2, .content = "<<b>>"}});
  const std::pair<const char*, std::size_t> cases[] = {{"x<", 1},   {"x<<", 2},   {"x<<a", 2}, {"x<<b>", 4},
                                                       {"x<a>", 3}, {"<<b>>", 5}, {"x", 0},    {"", 0}};
  for (const auto& [text, length] : cases) EXPECT_EQ(matcher.beginning_at_end(text), length) << text;
}

TEST(AddedTokenMatcher, TakesInWhiteSpaceButNotBefore) {
  const AddedTokenMatcher matcher(
      {{.id = 1, .content = "<l>", .lstrip = true}, {.id = 2, .content = "<r>", .rstrip = true}});
  expect_match(matcher, "a \u3000<l> b", 0, 1, 8, 1);
  expect_match(matcher, "a \u3000<l> b", 2, 2, 8, 1);
  expect_match(matcher, "a <r> \n b", 0, 2, 8, 2);
  expect_match(matcher, "<r>  ", 0, 0, 5, 2);
}

TEST(AddedTokenMatcher, WhiteSpaceThatBeginsATokenIsLeftToIt) {
  const AddedTokenMatcher matcher({{.id = 1, .content = "<r>", .rstrip = true},
                                   {.id = 2, .content = "\n\n", .rstrip = true},
                                   {.id = 3, .content = " b", .single_word = true}});
  expect_match(matcher, "<r>\n\nx", 0, 0, 3, 1);
  expect_match(matcher, "<r>  \n\nx", 0, 0, 5, 1);
  expect_match(matcher, "<r>\n x", 0, 0, 5, 1);
  expect_match(matcher, "<r> b", 0, 0, 3, 1);
  expect_match(matcher, "<r> bc", 0, 0, 4, 1);
  expect_match(matcher, "\n\n\n\n\n", 0, 0, 2, 2);
  expect_match(matcher, "\n\n\n\n\n", 2, 2, 5, 2);
}

TEST(AddedTokenMatcher, AMegabyteOfLineEnds) {  // quadratic time would be minutes
  const AddedTokenMatcher matcher({{.id = 1, .content = "\n", .rstrip = true}});
  const std::string text(1U << 20U, '\n');
  std::size_t found = 0;
  for (std::size_t at = 0; at < text.size(); at = matcher.find(text, at).end) ++found;
  EXPECT_EQ(found, text.size());
}

TEST(AddedTokenMatcher, SingleWords) {
  const AddedTokenMatcher matcher({{.id = 1, .content = "oo", .single_word = true}, {.id = 2, .content = "o-"}});
  expect_match(matcher, "oo", 0, 0, 2, 1);
  expect_match(matcher, "a oo.", 0, 2, 4, 1);
  expect_match(matcher, "(oo)", 0, 1, 3, 1);
  for (const char* text : {"xoo", "oo_", "oo\u0301", "\u4E2Doo", "oo7", "oo\U00010D50", "\u00E9oo"})
    expect_match(matcher, text, 0, std::string(text).size(), std::string(text).size(), -1);
  expect_match(matcher, "xoo-", 0, 4, 4, -1);  // what begins within a token that isn't a word is hidden
  expect_match(matcher, "xo-", 0, 1, 3, 2);
}

TEST(AddedTokenMatcher, AsTryingEveryTokenEverywhere) {
  std::mt19937 random(3);
  const auto random_text = [&](std::size_t longest) {
    std::string text(1 + random() % longest, ' ');
    for (char& c : text) c = "ab\xFF"[random() % 3];
    return text;
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<AddedToken> tokens;
    for (TokenId id = 0; id < 6; ++id) {
      AddedToken token{.id = id, .content = random_text(4)};
      if (std::none_of(tokens.begin(), tokens.end(), [&](const auto& t) { return t.content == token.content; }))
        tokens.push_back(token);
    }
    const AddedTokenMatcher matcher(tokens);
    const std::string text = random_text(20);
    AddedTokenMatcher::Match expected{text.size(), text.size(), -1};
    for (std::size_t at = 0; at < text.size() && expected.id < 0; ++at)
      for (const AddedToken& token : tokens)
        if (text.compare(at, token.content.size(), token.content) == 0 &&
            (expected.id < 0 || at + token.content.size() > expected.end))
          expected = {at, at + token.content.size(), token.id};
    expect_match(matcher, text, 0, expected.begin, expected.end, expected.id);
  }
}

}  // namespace
}  // namespace layerboost
