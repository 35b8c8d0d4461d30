#include "grammar/regex_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "base/error_for_tests.h"
#include "base/random.h"
#include "base/utf8.h"
#include "grammar/grammar_for_tests.h"

namespace layerboost {
namespace {

bool matches(const char* regex, std::string_view text, const RegexRules& rules = {}) {
  Automaton automaton(test::regex_grammar(regex, rules));
  return test::fits(automaton, text);
}

TEST(RegexGrammar, ReadsWhatExpressionsAreMadeOf) {
  EXPECT_TRUE(matches("a|bc*", "bccc"));
  EXPECT_TRUE(matches("^(a|b){2,3}$", "aba"));
  EXPECT_FALSE(matches("(a|b){2,3}", "a"));
  EXPECT_FALSE(matches("(a|b){2,3}", "abab"));
  EXPECT_TRUE(matches("[^a-c\\]]+", "xyz-"));
  EXPECT_FALSE(matches("[^a-c\\]]+", "x]"));
  EXPECT_TRUE(matches("\\d{3}-\\w+\\s\\S", "123-ab_ x"));
  EXPECT_TRUE(matches("\\x41}\\u0042}\\u{43}", "A}B}C"));
  EXPECT_TRUE(matches("\\u{0000000041}", "A"));
  EXPECT_TRUE(matches("()a(())()b", "ab"));
  for (const char* const wide : {"\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\x83", "\xE3\x80\x80"}) {
    EXPECT_TRUE(matches("\\s", wide));
    EXPECT_FALSE(matches("\\S", wide));
  }
  EXPECT_TRUE(matches("(?:\\x41|\\u00e4|\\u{1F600})*", "A\xC3\xA4\xF0\x9F\x98\x80"));
  EXPECT_TRUE(matches(".", "\xE2\x82\xAC"));
  EXPECT_FALSE(matches(".", "\n"));
  EXPECT_FALSE(matches(".", "\xE2\x82"));
  EXPECT_TRUE(matches("a{,2}", "a{,2}"));
  EXPECT_TRUE(matches("(?P<name>a)??b+?", "abb"));
  EXPECT_TRUE(matches("", ""));
}

TEST(RegexGrammar, LooksForAPatternAnywhere) {
  EXPECT_TRUE(matches("b", "abc", {.whole = false}));
  EXPECT_FALSE(matches("^b", "abc", {.whole = false}));
  EXPECT_FALSE(matches("b$", "abc", {.whole = false}));
  EXPECT_TRUE(matches("^a|c$", "bbc", {.whole = false}));
  EXPECT_TRUE(matches("^(ab|c)$", "ab", {.whole = false}));
}

TEST(RegexGrammar, EscapesWithinJson) {
  const RegexRules rules{.in_json = true};
  EXPECT_TRUE(matches(".", "\\\"", rules));
  EXPECT_TRUE(matches("[\\s\\S]{3}", "\\n\\\\\\u0001", rules));
  EXPECT_FALSE(matches(".", "\"", rules));
  EXPECT_FALSE(matches("a", "\\u0061", rules));
}

TEST(RegexGrammar, RefusesWhatIsNotRegular) {
  for (const char* const regex : {"(?=a)b", "(?<!a)b", "(a)\\1", "\\bword", "a**", "a*+", "a{2}{3}", "(", "[a", ")",
                                  "*", "a{3,2}", "a{99999}", "\\p{L}", "a^b", "[[:alpha:]]"})
    EXPECT_NE(test::error_of([&] { (void)test::regex_grammar(regex); }), "no error") << regex;
  EXPECT_NE(test::error_of([&] { (void)test::regex_grammar("((((a{100}){100}){100}){100}){100}"); }), "no error");
  EXPECT_NE(test::error_of([&] { (void)test::regex_grammar(std::string(5000, '(')); }), "no error");
  EXPECT_NE(test::error_of([&] { (void)test::regex_grammar("(((((){10000}){10000}){10000}){10000}){10000}"); }),
            "no error");
}

// However it multiplies: by alternatives of nothing, by groups of nothing, by many characters.
TEST(RegexGrammar, RefusesWhatTakesMuchMemory) {
  const auto nothings = [](int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += "()";
    return all;
  };
  std::string wide = "[";
  for (char32_t c = 0x4E00; c < 0x9000; c += 2) append_utf8(c, wide);
  for (const std::string& regex : {"(" + std::string(16000, '|') + "){10000}", "((a" + nothings(8000) + "){10000}){9}",
                                   "((" + std::string(100, '|') + "){100}){10000}", "((" + wide + "]){10000}){10}"})
    EXPECT_THAT(test::error_of([&] { (void)test::regex_grammar(regex); }), testing::HasSubstr("too large"))
        << regex.substr(0, 20);
  EXPECT_EQ(test::error_of([&] { (void)test::regex_grammar("(" + nothings(100) + "){10000}"); }), "no error");
}

// Against the standard library, over an alphabet of three.
TEST(RegexGrammar, MatchesAsOthersDo) {
  Random random(3);
  const auto any = [&](int count) { return static_cast<int>(random.below(static_cast<std::uint64_t>(count))); };
  const std::vector<std::string> parts = {"a", "b", "c", "[ab]", ".", "(a|bc)", "(?:b*c)", "(ab?|c){1,2}", "[^b]"};
  const std::vector<std::string> counts = {"", "", "*", "+", "?", "{2}", "{1,3}", "{2,}"};
  for (int i = 0; i < 300; ++i) {
    std::string regex;
    for (int k = 0; k < 4; ++k) {
      regex += "(?:" + parts[static_cast<std::size_t>(any(9))] + ")" + counts[static_cast<std::size_t>(any(8))];
      if (any(5) == 0) regex += "|";
    }
    const bool whole = any(2) == 0;
    Automaton automaton(test::regex_grammar(regex, {.whole = whole}));
    const std::regex right(regex);
    for (int k = 0; k < 50; ++k) {
      std::string text;
      for (int n = any(8); n > 0; --n) text += static_cast<char>('a' + any(3));
      EXPECT_EQ(test::fits(automaton, text), whole ? std::regex_match(text, right) : std::regex_search(text, right))
          << regex << " on " << text;
    }
  }
}

}  // namespace
}  // namespace layerboost
