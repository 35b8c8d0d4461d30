#include "eval/unicode.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

TEST(Unicode, TrailingWhiteSpace) {
  EXPECT_EQ(trailing_white_space(""), 0U);
  EXPECT_EQ(trailing_white_space("a"), 0U);
  EXPECT_EQ(trailing_white_space("a \n\t"), 3U);
  EXPECT_EQ(trailing_white_space("  "), 2U);
  EXPECT_EQ(trailing_white_space("a\u00A0\u2003\u3000 \x1F"), 10U);
  EXPECT_EQ(trailing_white_space("a\u200B"), 0U);  // a zero-width space is none
  EXPECT_EQ(trailing_white_space("\u00E9"), 0U);
  EXPECT_EQ(trailing_white_space("\xA0"), 0U);  // half a character
}

TEST(Unicode, CodePoints) {
  EXPECT_EQ(code_points(""), 0U);
  EXPECT_EQ(code_points("abc"), 3U);
  EXPECT_EQ(code_points("\u00E9\u4E16\U0001F600"), 3U);
}

}  // namespace
}  // namespace layerboost
