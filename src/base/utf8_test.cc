#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace layerboost {
namespace {

using Kind = Utf8Char::Kind;

void expect_decoded(std::string_view bytes, Kind kind, std::size_t length, char32_t code_point = 0) {
  const Utf8Char decoded = decode_utf8(bytes);
  EXPECT_EQ(decoded.kind, kind) << testing::PrintToString(bytes);
  EXPECT_EQ(decoded.length, length) << testing::PrintToString(bytes);
  EXPECT_EQ(decoded.code_point, code_point);
}

TEST(Utf8, EveryScalarValueRoundTripsAndSurrogatesDoNot) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    std::string bytes;
    append_utf8(c, bytes);
    const Utf8Char decoded = decode_utf8(bytes);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(decoded.kind == Kind::valid, !surrogate) << static_cast<std::uint32_t>(c);
    if (surrogate) continue;
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(decoded.length, bytes.size());
  }
}

TEST(Utf8, MaximalSubpartsOfBrokenSequences) {  // Unicode Standard 15, tables 3-8 to 3-11
  expect_decoded("\xC0\xAF", Kind::invalid, 1);
  expect_decoded("\xE0\x80\xBF", Kind::invalid, 1);
  expect_decoded("\xED\xA0\x80", Kind::invalid, 1);
  expect_decoded("\xF4\x91\x92\x93", Kind::invalid, 1);
  expect_decoded("\xFF", Kind::invalid, 1);
  expect_decoded("\x80", Kind::invalid, 1);
  expect_decoded("\xE1\x80\xE2", Kind::invalid, 2);
  expect_decoded("\xF0\x91\x92\xF1", Kind::invalid, 3);
  expect_decoded(
      "\xF1\xBF"
      "A",
      Kind::invalid, 2);
  expect_decoded("\xF0\x9F\x98", Kind::truncated, 3);
  expect_decoded("\xE2", Kind::truncated, 1);
  expect_decoded("\xF0\x9F\x98\x80", Kind::valid, 4, 0x1F600);
}

TEST(Utf8, ValidPrefixStopsAtTheFirstBrokenByteWhereverItIs) {
  for (std::size_t at = 0; at < 40; ++at) {
    std::string text(at, 'x');
    EXPECT_EQ(valid_utf8_prefix(text), at);
    text += "\xC3";
    EXPECT_EQ(valid_utf8_prefix(text), at);
    text += "\xA9zzzzzzzzzzzzzzzz";
    EXPECT_EQ(valid_utf8_prefix(text), text.size());
    text[text.size() - 3] = '\xE9';
    EXPECT_EQ(valid_utf8_prefix(text), text.size() - 3);
  }
}

TEST(Utf8, WhiteSpaceAtBothEnds) {
  EXPECT_EQ(leading_white_space(" \n\u3000\u00A0x "), 6U + 1U);
  EXPECT_EQ(trailing_white_space(" x\u2003 \t\u0085"), 3U + 1U + 1U + 2U);
  EXPECT_EQ(trailing_white_space(" \u3000 "), 5U);
  EXPECT_EQ(leading_white_space("\u180Ex"), 0U);
  EXPECT_EQ(trailing_white_space("x\u200B"), 0U);
  EXPECT_EQ(trailing_white_space("x\x80\x80\x80\x80\x80"), 0U);
  EXPECT_EQ(trailing_white_space(""), 0U);
}

}  // namespace
}  // namespace layerboost
