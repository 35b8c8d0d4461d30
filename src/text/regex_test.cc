#include "text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error_for_tests.h"
#include "base/utf8.h"
#include "text/unicode_additions.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

/// The first match's text; "-": none.
std::string first(std::string_view pattern, std::string_view text) {
  const Regex regex(pattern, {});
  const auto data = Regex::make_match_data();
  const auto match = regex.find(text, 0, data.get());
  return match ? std::string(text.substr(match->begin, match->end - match->begin)) : "-";
}

TEST(Regex, ClassesWithinClasses) {
  EXPECT_EQ(first("[a-f&&[^c]]+", "cabd"), "abd");
  EXPECT_EQ(first("[a[0-9]]+", "xa1a2b"), "a1a2");
  EXPECT_EQ(first("[^a[0-9]]+", "a1xy2"), "xy");
  EXPECT_EQ(first("[^\\S\n]+", "a \n"), " ");
  EXPECT_EQ(first("[\\p{L}&&[^\\p{Han}]]+", "\u4E2D\u6587abc\u4E2D"), "abc");
  EXPECT_EQ(first("[\\]x]+", "a]x]"), "]x]");
  EXPECT_EQ(first("[[:digit:]b]+", "a1b2"), "1b2");
  EXPECT_EQ(first("[\\w-.]+", "!a-b.c,"), "a-b.c");  // a hyphen behind a set is one
  EXPECT_EQ(first("[0\\D-9]+", "50a9"), "0a9");
  EXPECT_EQ(first("[a[b]-z]+", "ya-b"), "a-b");
  EXPECT_EQ(first("[\\w[a-z]\\S]+!", std::string(60, 'a')), "-");  // soon: a letter in three sets is tried once
}

TEST(Regex, WhatOnigurumaUnderstandsInAnotherWay) {
  EXPECT_EQ(first("a{1,2}+a", "aaaa"), "aaaa");  // gives back, other than PCRE2's {1,2}+
  EXPECT_EQ(first("(?:ab){2}+$", "ababab"), "abab");
  EXPECT_EQ(first("a{1,3}+b{2}+c", "aaaaabbbbc"), "aaaaabbbbc");
  EXPECT_EQ(first("a{2}?b", "aab"), "aab");
  EXPECT_EQ(first("a{2}?b", "ab"), "b");
  EXPECT_EQ(first("a{2,3}?", "aaa"), "aa");
  EXPECT_EQ(first("a{,2}", "aaa"), "aa");
  EXPECT_EQ(first("a}+", "aa}}"), "a}}");
  EXPECT_EQ(first("[{]x}+", "{x}}{x}"), "{x}}");
  EXPECT_EQ(first("\\x{e9}+", "\u00E9\u00E9"), "\u00E9\u00E9");
  EXPECT_EQ(first("(?m:a.b)", "a\nb"), "a\nb");
  EXPECT_EQ(first("^b$", "a\nb\nc"), "b");
  EXPECT_EQ(first("\\h+", "xyz0aFg"), "0aF");
  EXPECT_EQ(first("\\u00e9", "\u00E9"), "\u00E9");
  EXPECT_EQ(first("\\w+", ".\u00B2\u2167_\u0663"), "\u00B2\u2167_\u0663");
  EXPECT_EQ(first("[\\w]+", "\u00B2\u2167_\u0663"), "\u2167_\u0663");  // in brackets a superscript is none
  EXPECT_EQ(first("\\s", "\u180E\u0085"), "\u0085");
}

TEST(Regex, LettersAndDigitsOfUnicode16) {
  for (const UnicodeAddition& addition : unicode_additions()) {
    for (const char32_t c : {addition.first, addition.last}) {
      std::string text;
      append_utf8(c, text);
      for (const char* group : {"L", "M", "N", "P", "S"})
        EXPECT_EQ(first(std::string("\\p{") + group + "}", text) == text, addition.category[0] == group[0])
            << std::hex << static_cast<std::uint32_t>(c) << " " << group;
      EXPECT_EQ(first("[^\\p{L}]", text) == text, addition.category[0] != 'L') << static_cast<std::uint32_t>(c);
      EXPECT_EQ(first("\\P{N}", text) == text, addition.category[0] != 'N') << static_cast<std::uint32_t>(c);
    }
  }
  EXPECT_EQ(first("\\p{Lu}", "\U00010D50"), "\U00010D50");
  EXPECT_EQ(first("\\p{Ll}", "\U00010D50"), "-");
  for (const char* ideograph : {"\U0002B739", "\U0002EBF0", "\U00031350"})
    EXPECT_EQ(first("\\p{Han}", ideograph), ideograph);
}

TEST(Regex, TextsWithoutNewCharactersNeedNoneInTheExpression) {
  const Regex regex("\\p{L}+|[^\\p{N}]", {});
  const auto data = Regex::make_match_data();
  for (const std::string_view text : {"", "abc", "\u00E9\u4E2D", "\U0001F600x", "\uFFFD"}) {
    EXPECT_FALSE(may_have_unicode_additions(text)) << text;
    const auto with = regex.find(text, 0, data.get(), true), without = regex.find(text, 0, data.get(), false);
    EXPECT_EQ(with ? with->end : 0, without ? without->end : 0) << text;
  }
  for (const UnicodeAddition& addition : unicode_additions())
    for (const char32_t c : {addition.first, addition.last}) {
      std::string text = "a\u00E9";
      append_utf8(c, text);
      EXPECT_TRUE(may_have_unicode_additions(text)) << std::hex << static_cast<std::uint32_t>(c);
    }
}

TEST(Regex, SaysWhatIsWrong) {
  EXPECT_THAT(test::error_of([] { first("(a", ""); }), HasSubstr("\"(a\" isn't understood"));
  EXPECT_THAT(test::error_of([] { first("[a", ""); }), HasSubstr("\"[a\" has no end"));
  EXPECT_THAT(test::error_of([] { first("a\\", ""); }), HasSubstr("has no end"));
  EXPECT_THAT(test::error_of([] { first("\\C", ""); }), HasSubstr("isn't understood"));  // a byte of a character
  EXPECT_THAT(test::error_of([] { first(std::string(60'000, '['), ""); }), HasSubstr("nests classes"));
  EXPECT_THAT(test::error_of([] { first(std::string(100'000, 'a'), ""); }), HasSubstr("has 100000 bytes"));
  const auto unsupported = [](const char* pattern) { return test::error_of([=] { first(pattern, ""); }); };
  for (const char* pattern :
       {"[+-[a]z]",      "[a&&]",        "[&&a]",        "[a-\\d]",         "\\pL",          "\\V",
        "\\X",           "\\Qa\\E",      "\\N{U+61}",    "\\xE9",           "[[:foo:]]",     "[[:graph:]]",
        "(?i:ss)",       "(?i:aSs)",     "(?i)\u00DF",   "(?i:[\\p{Lu}])",  "(?i:[\\W])",    "(?i:[\u00C0-\u00FF])",
        "(?i:[\\xDF])",  "(?i:fi)",      "(?i:\\x{df})", "(?i:\\u00df)",    "(?i:\\\u00DF)", "(?i:s\\x73)",
        "(?i:f\\x{69})", "(?i:\u017Fs)", "(?i:s(?:s))",  "(?i:[\\\u00DF])", "(?i:s\\163)",   "(?x: a # [ \n b)"})
    EXPECT_THAT(unsupported(pattern), HasSubstr(", which is not supported")) << pattern;
  for (const char* pattern : {"\\p{Emoji}", "\\p{Word}", "\\p{scx:Han}", "\\p{Nowhere}"})
    EXPECT_THAT(unsupported(pattern), HasSubstr("isn't understood")) << pattern;
  for (const char* set : {"\\w", "\\b", "[\\w]"}) {
    std::string many;
    for (int i = 0; i < 15'000; ++i) many += set;
    EXPECT_THAT(test::error_of([&] { first(many, ""); }), HasSubstr("has too many classes")) << set;
  }
  EXPECT_THAT(test::error_of([] { first("(a+)+$", std::string(60, 'a') + "b"); }), HasSubstr("shorter texts may work"));
}

}  // namespace
}  // namespace layerboost
