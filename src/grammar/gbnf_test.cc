#include "grammar/gbnf.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/cpu_time_for_tests.h"
#include "base/error_for_tests.h"
#include "grammar/grammar_for_tests.h"

namespace layerboost {
namespace {

using ::testing::HasSubstr;

bool matches(std::string_view grammar, std::string_view text) {
  Automaton automaton(test::gbnf_grammar(grammar));
  return test::fits(automaton, text);
}

std::string refusal(std::string_view grammar) {
  return test::error_of([&] { test::gbnf_grammar(grammar); });
}

TEST(Gbnf, ReadsWhatGrammarsAreMadeOf) {
  EXPECT_TRUE(matches("root ::= \"yes\" | \"no\"", "no"));
  EXPECT_FALSE(matches("root ::= \"yes\" | \"no\"", "noyes"));
  EXPECT_TRUE(matches("root ::= [a-c]+ [^a-c\\]] \"-\"?", "abcx-"));
  EXPECT_FALSE(matches("root ::= [a-c]+ [^a-c\\]] \"-\"?", "abc]"));
  EXPECT_TRUE(matches("root ::= (\"a\" | \"b\"){2,3} \"c\" {2} .", "abacc\n"));
  EXPECT_FALSE(matches("root ::= (\"a\" | \"b\"){2,3}", "a"));
  EXPECT_FALSE(matches("root ::= (\"a\" | \"b\"){2,3}", "abab"));
  EXPECT_TRUE(matches("root ::= \"a\"{0,1}[-+]{1,}", "-+"));
  EXPECT_TRUE(matches(R"(root ::= "\x41\u00e4\U0001F600\"\\\n" [\t\x5d\-])", "A\u00e4\U0001F600\"\\\n-"));
  EXPECT_TRUE(matches("root ::= \"\u20ac\"* \"\"", "\u20ac\u20ac"));
  EXPECT_TRUE(matches("root ::= \"\"", ""));
  EXPECT_TRUE(matches("root ::= ((\"\"){100} \"a\"?)*", "aa"));
}

TEST(Gbnf, RulesCallEachOtherAndGoOnOverLines) {
  constexpr std::string_view sums =
      "# sums\n\nroot  ::= (expr \"=\" ws term \"\\n\")+   # lines\r\n"
      "expr  ::= term ([-+*/] term)*\n"
      "term  ::= ident | num |\n  \"(\" ws expr \")\" ws\n"
      "ident ::= [a-z] [a-z0-9_]* ws\n"
      "num   ::=\n  [0-9]+ ws\nws    ::= [ \\t\\n]*";
  EXPECT_TRUE(matches(sums, "(a1+2)*((b))= 3\n"));
  EXPECT_TRUE(matches(sums, "a=1\nb=2\n"));
  EXPECT_FALSE(matches(sums, "(a=1\n"));
  EXPECT_FALSE(matches(sums, "a=1"));
  EXPECT_TRUE(matches("a_1 ::= \"x\"\n| \"y\"\nroot::=a_1 a_1", "xy"));
  EXPECT_TRUE(matches("root ::= \"(\" root \")\" | \"\"", "(((())))"));
  EXPECT_FALSE(matches("root ::= \"(\" root \")\" | \"\"", "((())"));
}

TEST(Gbnf, RefusesTheRest) {
  EXPECT_THAT(refusal(""), HasSubstr("no rule \"root\""));
  EXPECT_THAT(refusal("a ::= \"a\""), HasSubstr("no rule \"root\""));
  EXPECT_THAT(refusal("root ::= b\na ::= b"), HasSubstr("no rule \"b\""));
  EXPECT_THAT(refusal("root ::= \"a\"\n\nroot ::= \"b\""), HasSubstr("\"root\" a second time in line 3"));
  EXPECT_THAT(refusal("start: \"a\" | B\n"), HasSubstr("something that is no rule (`name ::= ...`) in line 1"));
  EXPECT_THAT(refusal("root ::= <think>"), HasSubstr("\"<\" without a meaning in line 1"));
  EXPECT_THAT(refusal("root ::= \"a\")"), HasSubstr("\")\" without a meaning"));
  EXPECT_THAT(refusal("root ::= \"a\"\nb = \"c\""), HasSubstr("line 2"));
  EXPECT_THAT(refusal("root ::= (\"a\""), HasSubstr("a group without an end"));
  EXPECT_THAT(refusal("root ::= \"a"), HasSubstr("without an end"));
  EXPECT_THAT(refusal("root ::= [a"), HasSubstr("without an end"));
  EXPECT_THAT(refusal("root ::= \"\\q\""), HasSubstr("an escape that isn't known"));
  EXPECT_THAT(refusal("root ::= \"\\ud800\""), HasSubstr("no character's"));
  EXPECT_THAT(refusal("root ::= [b-a]"), HasSubstr("without an order"));
  EXPECT_THAT(refusal("root ::= \"a\"{3,2}"), HasSubstr("out of range"));
  EXPECT_THAT(refusal("root ::= \"a\"{1000000}"), HasSubstr("out of range"));
  EXPECT_THAT(refusal("root ::= \"a\"+*"), HasSubstr("repeats of repeats"));
  EXPECT_THAT(refusal("root ::= *"), HasSubstr("\"*\" without a meaning"));
  EXPECT_THAT(refusal("root ::= \"\xff\""), HasSubstr("isn't UTF-8"));
  EXPECT_THAT(refusal("root ::= root \"a\" | \"b\""), HasSubstr("refers to itself"));
  EXPECT_THAT(refusal("root ::= a \"x\"\na ::= \"\" | root"), HasSubstr("refers to itself"));
  EXPECT_THAT(refusal("root ::= \"a\" root"), HasSubstr("no text fits"));
  EXPECT_THAT(refusal("root ::= (((\"a\"{1000}){1000}){1000})"), HasSubstr("too large"));
  EXPECT_THAT(refusal("root ::= " + std::string(5000, '(')), HasSubstr("too many groups"));
}

TEST(Gbnf, TakesTimeInProportionToTheText) {
  const auto grammar_of = [](int rules) {
    std::string text = "root ::= r0\n";
    for (int i = 0; i < rules; ++i) text += fmt::format("r{} ::= \"x\" [a-z]* r{}  # next\n", i, (i + 1) % rules);
    return text + "\nlast ::= " + std::string(static_cast<std::size_t>(rules), ' ') + "\"y\"";
  };
  const auto read = [](const std::string& text) {
    Grammar grammar;
    add_gbnf(grammar, grammar.first(0), text);
  };
  const std::string small = grammar_of(300), large = grammar_of(1200);
  EXPECT_LT(test::cpu_seconds([&] { read(large); }, 3), 12 * test::cpu_seconds([&] { read(small); }, 3));
}

}  // namespace
}  // namespace layerboost
