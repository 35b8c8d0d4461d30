#include "grammar/gbnf.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu_time_for_tests.h"
#include "base/error_for_tests.h"
#include "base/random.h"
#include "grammar/grammar_for_tests.h"

namespace layerboost {
namespace {

using ::testing::AnyOf;
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

TEST(Gbnf, HasThousandsOfAlternativesAndRepeatsOfRepeats) {
  std::string texts = "root ::= \"it-0000\"", same = "root ::= (\"a\"", nested = "\"a\" b";
  for (int i = 1; i < 4200; ++i) texts += fmt::format("|\"it-{:04}\"", i);
  for (int i = 1; i < 16000; ++i) same += "|\"a\"";
  for (int i = 0; i < 99; ++i) nested = "(" + nested + ")+";
  EXPECT_TRUE(matches(texts, "it-4199"));
  EXPECT_FALSE(matches(texts, "it-4200"));
  EXPECT_TRUE(matches(same + ")+", "aaa"));
  EXPECT_TRUE(matches("root ::= " + nested + "\nb ::= \"b\"?", "abaab"));
  EXPECT_TRUE(matches("root ::= (((\"a\"{1000}){1000}){1000}) | \"b\"", "b"));
}

TEST(Gbnf, NulIsNoCharacterThatAnyCharacterStandsFor) {
  const std::string nul(1, '\0');
  for (const char* const any : {"root ::= .", "root ::= [^a]", "root ::= [^\\x01-\\x02]"}) {
    EXPECT_FALSE(matches(any, nul)) << any;
    EXPECT_TRUE(matches(any, "\x7f")) << any;
    EXPECT_TRUE(matches(any, "\xF4\x8F\xBF\xBF")) << any;
  }
  EXPECT_TRUE(matches("root ::= [\\x00-\\x1f]", nul));
}

TEST(Gbnf, SpaceMayStandWithinBraces) {
  for (const char* const braces : {"{1,3}", "{1, 3}", "{ 1 ,3 }", "{\t1\r\n,\n3}", "{1 # one\n, # to\n3 # three\n}"}) {
    const std::string grammar = "root ::= (\"a\" " + std::string(braces) + " \"b\")";
    EXPECT_TRUE(matches(grammar, "aaab")) << braces;
    EXPECT_FALSE(matches(grammar, "b")) << braces;
    EXPECT_FALSE(matches(grammar, "aaaab")) << braces;
  }
  EXPECT_TRUE(matches("root ::= \"a\"{ 2 }", "aa"));
  EXPECT_FALSE(matches("root ::= \"a\"{ 2 }", "a"));
  EXPECT_TRUE(matches("root ::= \"a\"{2 , }", "aaaa"));
  EXPECT_FALSE(matches("root ::= \"a\"{2 ,}", "a"));
  for (const char* const wrong : {"{", "{3", "{}", "{,}", "{,3}", "{ , 3}", "{3;4}", "{1 2}", "{1,2,3}", "{a}", "{-1}",
                                  "{1,b}", "{0x2}", "{1,\"a\"}"})
    EXPECT_EQ(refusal("\nroot ::= \"a\"" + std::string(wrong)),
              "the grammar has a \"{\" that is not {m}, {m,} or {m,n} in line 2");
  EXPECT_THAT(refusal("root ::= \"a\"{2} {2, 3}"), HasSubstr("repeats of repeats"));
}

TEST(Gbnf, CommentsEndWhereLinesDo) {
  for (const char* const end : {"\n", "\r", "\r\n", "\n\r"}) {
    const std::string grammar = "# all" + std::string(end) + "root ::= a # one" + end + "  \"b\"" + end + "a ::= \"a\"";
    EXPECT_TRUE(matches(grammar, "ab")) << grammar;
  }
  EXPECT_THAT(refusal("root ::= a\r\nb ::= \"b\"\r\na ::= )"), HasSubstr("in line 3"));
  EXPECT_THAT(refusal("root ::= a\rb ::= \"b\"\ra ::= )"), HasSubstr("in line 3"));
  EXPECT_TRUE(matches("root ::= \"a\" # \"b\"", "a"));
}

// llama.cpp reads an empty alternative there as part of the next rule or refuses it.
TEST(Gbnf, LineEndsMakeNothingOptional) {
  for (const char* const unclear :
       {"root ::=\n  | \"aaaa\"\n  | \"bbbb\"", "root ::= # one of\r  | \"aaaa\"", "root ::= \"a\" a2 |\na2 ::= \"b\"",
        "root ::= \"a\" | # or\n\n# a2\na2 ::= \"b\"", "root ::= \nfoo ::= \"x\"", "root ::=\n\n  foo ::= \"x\"",
        "foo ::= \"x\" |\n  root ::= foo"})
    EXPECT_THAT(refusal(unclear), HasSubstr("without anything (write \"\" if it is to be nothing) in line 1"))
        << unclear;
  for (const char* const optional :
       {"root ::= | \"a\" | \"b\"", "root ::= | \"a\"\n  | \"b\"", "root ::= \"a\" | \"b\" |",
        "root ::= \"a\" | \"b\" |\n", "root ::= \"a\" | | \"b\"", "root ::= (\n  | \"a\"\n  | \"b\"\n)",
        "root ::= (\"a\" |\n \"b\" |\n)\nx ::= \"x\"", "root ::=\n  \"\"\n  | \"a\"\n  | \"b\"",
        "root ::= \"a\" | \"b\" | \"\"\nx ::= \"x\""}) {
    EXPECT_TRUE(matches(optional, "")) << optional;
    EXPECT_TRUE(matches(optional, "a")) << optional;
  }
  EXPECT_FALSE(matches("root ::=\n  \"a\" |\n  \"b\"\n  | \"c\"", ""));
  EXPECT_TRUE(matches("root ::=\n  \"a\" |\n  \"b\"\n  | \"c\"", "c"));
}

TEST(Gbnf, RulesBeginLines) {
  for (const char* const behind :
       {"root ::= \"a\" b b ::= \"c\"", "root ::= b ::= \"c\"", "root ::= \"a\" | b ::= \"c\"",
        "root ::= (b ::= \"c\")", "root ::= \"a\"* b\t::= \"c\""})
    EXPECT_EQ(refusal(behind), "the grammar has the rule \"b\", which doesn't begin a line, in line 1") << behind;
  EXPECT_TRUE(matches("  root ::= \"a\" b\n\t b::= \"c\"", "ac"));
}

TEST(Gbnf, RulesComeToAnEnd) {
  const auto endless = [](const std::string& name, int line) {
    return fmt::format("the rule \"{}\" never comes to an end (line {})", name, line);
  };
  EXPECT_EQ(refusal("root ::= \"a\" root"), endless("root", 1));
  EXPECT_EQ(refusal("root ::= \"none\" | list\nlist ::= \"- \" list"), endless("list", 2));
  EXPECT_EQ(refusal("root ::= \"x\" list\nlist ::= \"- \" list"), endless("list", 2));
  EXPECT_EQ(refusal("root ::= \"x\"\n\nlist ::= \"- \" list+"), endless("list", 3));
  EXPECT_EQ(refusal("root ::= \"x\"\na ::= (\"(\" b \")\")+ | \"-\" a\nb ::= [b] c{2}\nc ::= \"c\" c | \"c\" b"),
            endless("c", 4));
  EXPECT_EQ(refusal("a ::= \"x\" b\nb ::= (\"y\" | a) | \"z\" c{0,3}\nc ::= a a \"c\" c\nroot ::= \"a\""),
            endless("c", 3));
  EXPECT_EQ(refusal("root ::= \"a\" root? | list{0}\nlist ::= \"-\" list* | \"\""), "no error");
  EXPECT_EQ(refusal("root ::= a\na ::= \"a\" b\nb ::= \"b\" a | \"c\""), "no error");
}

TEST(Gbnf, RulesDoNotBeginWithThemselves) {
  const auto circle = [](const std::string& name, const std::string& way, int line) {
    return fmt::format("the rule \"{}\" begins with itself{} (line {})", name, way, line);
  };
  EXPECT_EQ(refusal("root ::= root \"a\" | \"b\""), circle("root", "", 1));
  EXPECT_EQ(refusal("root ::= expr\nexpr ::= expr \"+\" n | n\nn ::= [0-9]"), circle("expr", "", 2));
  EXPECT_EQ(refusal("root ::= a \"x\"\na ::= \"\" | root"), circle("root", ", by way of \"a\"", 1));
  EXPECT_EQ(refusal("root ::= \"x\" a\na ::= \"b\"? \"\" (\"c\"* [d]{0} b)+\n\nb ::= \"b\" | a"),
            circle("a", ", by way of \"b\"", 2));
  EXPECT_EQ(refusal("root ::= ws root | \"a\"\nws ::= [ ]*"), circle("root", "", 1));
  EXPECT_EQ(refusal("root ::= (((((root \"a\"){2} \"b\"){2} \"c\"){2} \"d\"){2}) | \"e\""), circle("root", "", 1));
  EXPECT_EQ(refusal("root ::= \"a\" root | root{0} \"b\" | (\"\" | [c]+) [d] root"), "no error");
  EXPECT_EQ(refusal("root ::= ws \"(\" root \")\" | ws\nws ::= [ ]*"), "no error");
}

// What is said of nodes, without a name, is said of rules before.
TEST(Gbnf, NamedRulesAreCheckedAsNodesAre) {
  Random random(7);
  const auto any = [&](int count) { return static_cast<int>(random.below(static_cast<std::uint64_t>(count))); };
  const std::vector<std::string> items = {"r0", "r1", "r2", "r3", "\"a\"", "\"\"", "[bc]"},
                                 repeats = {"", "", "", "?", "*", "+", "{0}", "{2}"};
  const auto item = [&](const auto& self, int depth) -> std::string {
    std::string one = depth > 0 && any(4) == 0 ? "(" + self(self, depth - 1) + " " + self(self, depth - 1) + ")"
                                               : items[static_cast<std::size_t>(any(7))];
    one += repeats[static_cast<std::size_t>(any(8))];
    return any(4) == 0 ? one + " | " + self(self, depth) : one;
  };
  int good = 0, endless = 0, circles = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string grammar = "root ::= r0? r1? r2? r3?\n";
    for (int rule = 0; rule < 4; ++rule) grammar += fmt::format("r{} ::= {} {}\n", rule, item(item, 2), item(item, 2));
    const std::string refused = refusal(grammar);
    EXPECT_THAT(refused, AnyOf("no error", HasSubstr("never comes to an end"), HasSubstr("begins with itself")))
        << grammar;
    good += refused == "no error" ? 1 : 0;
    circles += refused.find("begins with itself") != std::string::npos ? 1 : 0;
    endless += refused.find("never comes to an end") != std::string::npos ? 1 : 0;
  }
  EXPECT_GT(good, 50);
  EXPECT_GT(endless, 5);
  EXPECT_GT(circles, 50);
}

TEST(Gbnf, RefusesTheRest) {
  EXPECT_THAT(refusal(""), HasSubstr("no rule \"root\""));
  EXPECT_THAT(refusal("a ::= \"a\""), HasSubstr("no rule \"root\""));
  EXPECT_EQ(refusal("root ::= b\na ::= b"), "the grammar has no rule \"b\" (line 1)");
  EXPECT_EQ(refusal("root ::= a\na ::= (\n\"a\" |\n b)* c"), "the grammar has no rule \"b\" (line 4)");
  EXPECT_THAT(refusal("root ::= \"a\"\n\nroot ::= \"b\""), HasSubstr("\"root\" a second time in line 3"));
  EXPECT_THAT(refusal("root = \"a\" | B\n"), HasSubstr("something that is no rule (`name ::= ...`) in line 1"));
  EXPECT_THAT(refusal("root ::= \"a\")"), HasSubstr("\")\" without a meaning"));
  EXPECT_THAT(refusal("root ::= \"a\"\nb = \"c\""), HasSubstr("line 2"));
  EXPECT_THAT(refusal("root ::= \"\\q\""), HasSubstr("an escape that isn't known"));
  EXPECT_THAT(refusal("root ::= \"\\ud800\""), HasSubstr("no character's"));
  EXPECT_THAT(refusal("root ::= [b-a]"), HasSubstr("without an order"));
  EXPECT_THAT(refusal("root ::= \"a\"{3,2}"), HasSubstr("out of range"));
  EXPECT_THAT(refusal("root ::= \"a\"{1000000}"), HasSubstr("out of range"));
  EXPECT_THAT(refusal("root ::= \"a\"+*"), HasSubstr("repeats of repeats"));
  EXPECT_THAT(refusal("root ::= \"a\"+?"), HasSubstr("repeats of repeats"));
  EXPECT_THAT(refusal("root ::= *"), HasSubstr("\"*\" without a meaning"));
  EXPECT_THAT(refusal("root ::= {2}"), HasSubstr("\"{\" without a meaning"));
  EXPECT_THAT(refusal("root ::= \"\xff\""), HasSubstr("isn't UTF-8"));
  EXPECT_THAT(refusal("root ::= \"abcd\"{10000} \"abcd\"{10000}"), HasSubstr("too large"));
  EXPECT_THAT(refusal("root ::= " + std::string(5000, '(')), HasSubstr("too many groups"));
  for (const char* const empty : {"[]", "[^]", "[]abc]", "[^]abc]", "[^\\x00-\\U0010FFFF]", "[^\\x01-\\U0010FFFF]"})
    EXPECT_EQ(refusal("\nroot ::= " + std::string(empty)), "the grammar has an empty class in line 2");
}

TEST(Gbnf, NamesWhatDoesNotEndWhereItBegins) {
  EXPECT_THAT(refusal("root ::= (\"a\"\n| \"b\"\n"), HasSubstr("a group without an end in line 1"));
  EXPECT_THAT(refusal("root ::=\n (\"a\"\nb ::= \"b\""), HasSubstr("a group without an end in line 2"));
  EXPECT_THAT(refusal("root ::= \"a\nb ::= b\n"), HasSubstr("a text without an end in line 1"));
  EXPECT_THAT(refusal("root ::= [a\n\n"), HasSubstr("a class without an end in line 1"));
  EXPECT_THAT(refusal("root ::= (\n= \"b\")"), HasSubstr("\"=\" without a meaning in line 2"));
  EXPECT_THAT(refusal("root ::= TagDispatch((\"a\", b))"), HasSubstr("\",\" without a meaning in line 1"));
  EXPECT_THAT(refusal("root ::= (\"a\" ::= \"b\")"), HasSubstr("\":\" without a meaning in line 1"));
  EXPECT_THAT(refusal("root ::= ((\"a\" & \"b\"))"), HasSubstr("\"&\" without a meaning in line 1"));
}

TEST(Gbnf, SaysWhatIsNotSupported) {
  const auto token = [](const std::string& text) {
    return "the grammar has the token \"" + text + "\", which is not supported, in line 1";
  };
  EXPECT_EQ(refusal("root ::= <think> \"a\""), token("<think>"));
  EXPECT_EQ(refusal("root ::= <[1000]>"), token("<[1000]>"));
  EXPECT_EQ(refusal("root ::= (!</think>)* </think>"), token("!</think>"));
  EXPECT_EQ(refusal("root ::= \"a\" <think"), token("<think"));
  for (const char* const lark : {"start: \"a\" | B\n", "?start: select", "  # sums\n!start : a", "A.2: \"a\"",
                                 "// sums\nstart: a", "%import common.WS", "_x: start", "root: \"a\""})
    EXPECT_EQ(refusal(lark), "the grammar looks like Lark; write it as GBNF (`name ::= ...`)") << lark;
}

// Those that stand beside llama.cpp.
TEST(Gbnf, ReadsTheGrammarsOfLlamaCpp) {
  constexpr std::string_view json = R"gbnf(root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws

string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws

number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws

# Optional space: by convention, applied in this grammar after literal chars when allowed
ws ::= | " " | "\n" [ \t]{0,20}
)gbnf";
  EXPECT_TRUE(matches(json, "{\"a\": [1, -2.5e+1, \"\\u00e4\\n\xC3\xA4\"],\n  \"b\": {}, \"c\": null}"));
  EXPECT_FALSE(matches(json, "{\"a\": [1, ]}"));
  EXPECT_FALSE(matches(json, "[]"));

  constexpr std::string_view arithmetic = R"gbnf(root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ws
ws    ::= [ \t\n]*
)gbnf";
  EXPECT_TRUE(matches(arithmetic, "(a1 +2) *x= 3\n2=2\n"));
  EXPECT_FALSE(matches(arithmetic, "(a1 +2 *x= 3\n"));

  constexpr std::string_view list = R"gbnf(root ::= item+

# Excludes various line break characters
item ::= "- " [^\r\n\x0b\x0c\x85\u2028\u2029]+ "\n"
)gbnf";
  EXPECT_TRUE(matches(list, "- a\xE2\x82\xAC\n- b\n"));
  EXPECT_FALSE(matches(list, "- a\xE2\x80\xA8\n"));

  constexpr std::string_view chess =
      R"gbnf(# Specifies chess moves as a list in algebraic notation, using PGN conventions

# Force first move to "1. ", then any 1-2 digit number after, relying on model to follow the pattern
root    ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")+
move    ::= (pawn | nonpawn | castle) [+#]?

# piece type, optional file/rank, optional capture, dest file & rank
nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]

# optional file & capture, dest file & rank, optional promotion
pawn    ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?

castle  ::= "O-O" "-O"?
)gbnf";
  EXPECT_TRUE(matches(chess, "1. e4 e5\n2. Nf3 Nc6\n3. O-O exd4+\n"));
  EXPECT_FALSE(matches(chess, "1. e4 e5\n2. Nf9 Nc6\n"));

  constexpr std::string_view japanese = R"gbnf(# A probably incorrect grammar for Japanese
root        ::= jp-char+ ([ \t\n] jp-char+)*
jp-char     ::= hiragana | katakana | punctuation | cjk
hiragana    ::= [ぁ-ゟ]
katakana    ::= [ァ-ヿ]
punctuation ::= [、-〾]
cjk         ::= [一-鿿]
)gbnf";
  EXPECT_TRUE(matches(japanese, "日本語 カタカナ、ひらがな。"));
  EXPECT_FALSE(matches(japanese, "日本語 x"));

  constexpr std::string_view c = R"gbnf(root ::= (declaration)*

declaration ::= dataType identifier "(" parameter? ")" "{" statement* "}"

dataType  ::= "int" ws | "float" ws | "char" ws
identifier ::= [a-zA-Z_] [a-zA-Z_0-9]*

parameter ::= dataType identifier

statement ::=
    ( dataType identifier ws "=" ws expression ";" ) |
    ( identifier ws "=" ws expression ";" ) |
    ( identifier ws "(" argList? ")" ";" ) |
    ( "return" ws expression ";" ) |
    ( "while" "(" condition ")" "{" statement* "}" ) |
    ( "for" "(" forInit ";" ws condition ";" ws forUpdate ")" "{" statement* "}" ) |
    ( "if" "(" condition ")" "{" statement* "}" ("else" "{" statement* "}")? ) |
    ( singleLineComment ) |
    ( multiLineComment )

forInit ::= dataType identifier ws "=" ws expression | identifier ws "=" ws expression
forUpdate ::= identifier ws "=" ws expression

condition ::= expression relationOperator expression
relationOperator ::= ("<=" | "<" | "==" | "!=" | ">=" | ">")

expression ::= term (("+" | "-") term)*
term ::= factor(("*" | "/") factor)*

factor ::= identifier | number | unaryTerm | funcCall | parenExpression
unaryTerm ::= "-" factor
funcCall ::= identifier "(" argList? ")"
parenExpression ::= "(" ws expression ws ")"

argList ::= expression ("," ws expression)*

number ::= [0-9]+

singleLineComment ::= "//" [^\n]* "\n"
multiLineComment ::= "/*" ( [^*] | ("*" [^/]) )* "*/"

ws ::= ([ \t\n]+)
)gbnf";
  EXPECT_TRUE(matches(c, "int f(int x){while(x<=-3){x = g(x, 2)*2;}/* done */return x;}"));
  EXPECT_FALSE(matches(c, "int f(int x){while(x<=){x = 1;}}"));
}

TEST(Gbnf, TakesTimeInProportionToTheText) {
  const auto grammar_of = [](int rules) {
    std::string text = "root ::= r0\n";
    for (int i = 0; i < rules; ++i) text += fmt::format("r{} ::= \"x\" [a-z]* r{}?  # next\n", i, (i + 1) % rules);
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
