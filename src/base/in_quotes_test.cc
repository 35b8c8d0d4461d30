#include "base/in_quotes.h"

#include <gmock/gmock.h>

#include "base/log.h"
#include "base/utf8.h"

namespace layerboost {
namespace {

TEST(Printable, WhatATerminalMayShowStaysAsItIs) {
  EXPECT_EQ(printable("/home/jörg/模型 \"a\\b\" 🙂"), "/home/jörg/模型 \"a\\b\" 🙂");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, WhatMovesTheCursorOrIsNotUtf8IsEscaped) {
  EXPECT_EQ(printable("\x1b[2J\r\n\t\x7f"), "\\x1b[2J\\x0d\\x0a\\x09\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\u009b31m \u202eabc \u2028"), "\\xc2\\x9b31m \\xe2\\x80\\xaeabc \\xe2\\x80\\xa8");
  EXPECT_EQ(printable("\xff é \xe2\x82"), "\\xff é \\xe2\\x82");
}

TEST(Printable, OfLongTextBeginningAndEndAreLeft) {
  EXPECT_EQ(printable("abcdefghijklmnopqrstuvwxyz", 20), "abcdefghijkl...vwxyz");
  EXPECT_EQ(printable("12345678901234567890", 20), "12345678901234567890");
  for (std::size_t length : {1U, 19U, 20U, 21U, 300U, 5000U}) {
    for (const char* part : {"a", "é", "模", "🙂", "\x1b", "\xff", "a🙂\xe2"}) {
      std::string text;
      while (text.size() < length) text += part;
      const std::string shown = printable(text, 20);
      EXPECT_LE(shown.size(), 20U) << part;
      EXPECT_EQ(valid_utf8_prefix(shown), shown.size()) << part << length;
    }
  }
  EXPECT_LE(in_quotes(std::string(1'000'000, '\n')).size(), 82U);
}

TEST(Printable, NoLineForPeopleIsMoreThanOne) {
  testing::internal::CaptureStderr();
  note("{}", "a\nb\x1b[2J" + std::string(100'000, 'x'));
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_THAT(line, testing::StartsWith("layerboost: a\\x0ab\\x1b[2Jxxx"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_LE(line.size(), 1001U);
}

}  // namespace
}  // namespace layerboost
