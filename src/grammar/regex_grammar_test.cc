#include "grammar/regex_grammar.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <string_view>
#include <utility>
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

std::string refusal_of(std::string_view regex) {
  return test::error_of([&] { (void)test::regex_grammar(regex); });
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
  EXPECT_TRUE(matches("{a}|b{}|c{ x|\\{2}|{\"|d{,e}|f{,", "{a}"));
  EXPECT_TRUE(matches("{a}|b{}|c{ x|\\{2}|{\"|d{,e}|f{,", "{2}"));
  EXPECT_TRUE(matches("{a}|b{}|c{ x|\\{2}|{\"|d{,e}|f{,", "d{,e}"));
  EXPECT_TRUE(matches("[\\]a][^\\]a][a\\]]", "]b]"));
  EXPECT_TRUE(matches("(?P<name>a)??b+?", "abb"));
  EXPECT_TRUE(matches("", ""));
}

TEST(RegexGrammar, NulIsNoCharacterThatAnyCharacterStandsFor) {
  const std::string nul(1, '\0');
  for (const char* const any : {".", "[^a]", "\\D", "\\W", "\\S", "[\\s\\S]", "[^\\d]"}) {
    EXPECT_FALSE(matches(any, nul)) << any;
    EXPECT_FALSE(matches(any, "\\u0000", {.in_json = true})) << any;
    EXPECT_TRUE(matches(any, "b") || matches(any, "!")) << any;
  }
  EXPECT_FALSE(matches("b", "\\u0000b", {.whole = false, .in_json = true}));
  EXPECT_TRUE(matches("\\x00", nul));
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
    EXPECT_NE(refusal_of(regex), "no error") << regex;
  EXPECT_NE(refusal_of(std::string(5000, '(')), "no error");
}

// Python, JavaScript and Rust read these as different expressions.
TEST(RegexGrammar, RefusesWhatDialectsReadDifferently) {
  for (const char* const count : {"a{,3}b", "a{2, 3}b", "a{ 2}", "a{2 }", "a{,}", "a{ , 3 }", "a{3", "a{3,b", "a{3x}",
                                  "(a){1,2,3}", "x|{ 2}", "a+{,2}"})
    EXPECT_THAT(refusal_of(count), testing::HasSubstr("a \"{\" that is not {m}, {m,} or {m,n}")) << count;
  for (const char* const one : {"[]", "[^]", "[]a]", "[^]a]", "a[^]*b"})
    EXPECT_THAT(refusal_of(one), testing::HasSubstr("a class that begins with \"]\"")) << one;
  for (const char* const nothing : {"{2}", "a|{2,3}", "(*a)", "+", "^?{3}"})
    EXPECT_THAT(refusal_of(nothing),
                testing::AnyOf(testing::HasSubstr("of nothing"), testing::HasSubstr("a repeated ^")));
}

TEST(RegexGrammar, NamesTheGroupsThatItDoesNotKnow) {
  for (const auto& [regex, what] : std::vector<std::pair<const char*, const char*>>{{"(?i)yes", "a flag"},
                                                                                    {"(?i:yes)", "a flag"},
                                                                                    {"(?-i)yes", "a flag"},
                                                                                    {"(?sm)yes", "a flag"},
                                                                                    {"(?=a)", "looks around"},
                                                                                    {"(?!a)", "looks around"},
                                                                                    {"(?<=a)", "looks around"},
                                                                                    {"(?<!a)", "looks around"},
                                                                                    {"(?P<n>a)(?P=n)", "a reference"},
                                                                                    {"(?>a)", "an atomic group"},
                                                                                    {"(?#a)", "a comment"},
                                                                                    {"(?", "isn't known"},
                                                                                    {"(?1)", "isn't known"}})
    EXPECT_THAT(refusal_of(regex), testing::HasSubstr(what)) << regex;
}

// Whatever is repeated: characters, sets of them, alternatives of nothing, groups of several.
TEST(RegexGrammar, RefusesWhatTakesMuchMemory) {
  for (const char* const repeated :
       {"a{10000}", "[\xC3\xA4-\xC3\xB6]{10000}", "(||){10000}", "(a|b){0,10000}", "(abcdef){10000}"}) {
    std::string regex;
    for (int i = 0; i < 20; ++i) regex += repeated;
    EXPECT_THAT(refusal_of(regex), testing::HasSubstr("too large")) << repeated;
  }
}

// A group is written once, however often it is repeated: what is in it and around it doesn't multiply.
TEST(RegexGrammar, RepeatsOfRepeatsTakeLittle) {
  const auto nothings = [](int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += "()";
    return all;
  };
  const auto size_of = [](const std::string& regex) { return test::regex_grammar(regex).bytes(); };
  const auto nested = [](const std::string& inner, const std::string& repeat, int depth) {
    std::string regex = inner;
    for (int i = 0; i < depth; ++i) regex = "(" + regex + ")" + repeat;
    return regex;
  };
  std::string wide = "[";
  for (char32_t c = 0x4E00; c < 0x9000; c += 2) append_utf8(c, wide);
  for (const char* const inner : {"a", "ab", "abcdefgh", "a|bc", "a?", "[ab]*c", "()"})
    for (const char* const repeat : {"+", "*", "?", "{2}", "{2,}", "{0,2}", "{1,3}"})
      EXPECT_LT(size_of(nested(inner, repeat, 99)), std::size_t{1} << 17) << inner << " " << repeat;
  for (const std::string& regex :
       {nested("abcd", "{1000}", 4), "(" + std::string(15000, '|') + "){10000}",
        "((a" + nothings(5000) + "){10000}){9}", "((" + std::string(100, '|') + "){100}){10000}",
        "((" + wide + "]){10000}){10}", "(" + std::string(10000, 'a') + "){10000}"})
    EXPECT_LT(size_of(regex), std::size_t{4} << 20) << regex.substr(0, 20);
  Automaton automaton(test::regex_grammar(nested("ab+c", "{2,3}", 3) + "d"));
  for (int count = 0; count < 30; ++count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += i % 2 == 0 ? "abbc" : "abc";
    EXPECT_EQ(test::fits(automaton, text + "d"), count >= 8 && count <= 27) << count;
  }
  for (const char* const repeats : {"(abcde|f)+", "(abcde|f){1,}", "(abcde|f)(abcde|f)*"}) {
    EXPECT_FALSE(matches(repeats, ""));
    EXPECT_TRUE(matches(repeats, "fabcdeff"));
    EXPECT_FALSE(matches(repeats, "fabcd"));
  }
  EXPECT_TRUE(matches("(abcde?){3,}", "abcdabcdeabcdabcd"));
  EXPECT_FALSE(matches("(abcde?){3,}", "abcdabcde"));
}

// Alternatives share what they begin with, wherever they stand: thousands of them can be told apart.
TEST(RegexGrammar, HasThousandsOfAlternatives) {
  const auto joined = [](int count, const std::string& before, const std::string& behind) {
    std::string all;
    for (int i = 0; i < count; ++i) {
      if (i > 0) all += '|';
      all += before + fmt::format("{:04}", i) + behind;
    }
    return all;
  };
  std::string wide;
  for (char32_t c = 0x4E00; c < 0x4E00 + 5000; ++c) {
    if (!wide.empty()) wide += '|';
    append_utf8(c, wide);
  }
  const auto can_be_read = [](const std::string& regex, const std::string& text, const RegexRules& rules = {}) {
    return matches(regex.c_str(), text, rules);
  };
  EXPECT_TRUE(can_be_read(joined(4200, "it-", ""), "it-4199"));
  EXPECT_TRUE(can_be_read("x(" + joined(4200, "it-", "") + ")+", "xit-4199it-0000"));
  EXPECT_TRUE(can_be_read("^(" + joined(4200, "it-", "") + ")$", "it-4199", {.whole = false, .in_json = true}));
  EXPECT_TRUE(can_be_read(joined(4200, "^it-", "$"), "it-0123", {.whole = false}));
  EXPECT_TRUE(can_be_read(joined(4200, "it-", ""), "an it-4199", {.whole = false}));
  EXPECT_TRUE(can_be_read(joined(4200, "[ab]-", "c*"), "b-4199cc"));
  EXPECT_FALSE(can_be_read(joined(4200, "[ab]-", "c*"), "b-4200"));
  EXPECT_TRUE(can_be_read(wide, "\xE5\xBF\xBF"));
  EXPECT_TRUE(can_be_read(wide, "\xE5\xBF\xBF", {.in_json = true}));
  EXPECT_TRUE(can_be_read("\"a|\"b|\\\\a|\na|", "\\\"b", {.in_json = true}));
  EXPECT_TRUE(can_be_read("ab|abc|abd+|", ""));
  EXPECT_TRUE(can_be_read("ab|abc|abd+|", "ab"));
  EXPECT_TRUE(can_be_read("ab|abc|abd+|", "abdd"));
}

// Against the standard library, over an alphabet of three.
TEST(RegexGrammar, MatchesAsOthersDo) {
  Random random(3);
  const auto any = [&](int count) { return static_cast<int>(random.below(static_cast<std::uint64_t>(count))); };
  const std::vector<std::string> parts = {
      "a", "b", "c", "[ab]", ".", "(a|bc)", "(?:b*c)", "(ab?|c){1,2}", "[^b]", "(?:abc|abb|b[ac]c?|)"};
  const std::vector<std::string> counts = {"", "", "*", "+", "?", "{2}", "{1,3}", "{2,}"};
  for (int i = 0; i < 300; ++i) {
    std::string regex;
    for (int k = 0; k < 4; ++k) {
      regex += "(?:" + parts[static_cast<std::size_t>(any(10))] + ")" + counts[static_cast<std::size_t>(any(8))];
      if (any(5) == 0) regex += "|";
    }
    if (any(3) == 0) regex = "(?:" + regex + "b)" + counts[static_cast<std::size_t>(any(8))];
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
