#include "eval/python_strings.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

TEST(PythonStrings, Rstrip) {
  EXPECT_EQ(std::string_view("").size() - rstrip("").size(), 0U);
  EXPECT_EQ(std::string_view("a").size() - rstrip("a").size(), 0U);
  EXPECT_EQ(std::string_view("a \n\t").size() - rstrip("a \n\t").size(), 3U);
  EXPECT_EQ(std::string_view("  ").size() - rstrip("  ").size(), 2U);
  EXPECT_EQ(std::string_view("a\u00A0\u2003\u3000 \x1F").size() - rstrip("a\u00A0\u2003\u3000 \x1F").size(), 10U);
  EXPECT_EQ(std::string_view("a\u200B").size() - rstrip("a\u200B").size(), 0U);  // a zero-width space is none
  EXPECT_EQ(std::string_view("\u00E9").size() - rstrip("\u00E9").size(), 0U);
  EXPECT_EQ(std::string_view("\xA0").size() - rstrip("\xA0").size(), 0U);  // half a character
}

TEST(PythonStrings, CodePoints) {
  EXPECT_EQ(code_points(""), 0U);
  EXPECT_EQ(code_points("abc"), 3U);
  EXPECT_EQ(code_points("\u00E9\u4E16\U0001F600"), 3U);
}

}  // namespace
}  // namespace layerboost
