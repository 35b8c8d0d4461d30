#include "grammar/constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error_for_tests.h"
#include "grammar/grammar_for_tests.h"
#include "text/testing.h"

namespace layerboost {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer made(
      small_tokenizer_data({"a b", "ab c", "\" ,", "x \"", "\xC3\x83 \xC2\xA4", "\xC3\x82 \xC2\xA4"}));
  return made;
}

std::shared_ptr<const Vocabulary> vocabulary(int size = 1000) {
  return std::make_shared<const Vocabulary>(tokenizer(), size);
}

/// The same by trying every token.
TokenMask plain_mask(Guide& guide, const Vocabulary& of) {
  TokenMask mask((static_cast<std::size_t>(of.size()) + 63) / 64);
  for (TokenId token = 0; token < of.size(); ++token)
    if (guide.allows(token)) mask[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (token % 64);
  return mask;
}

// Tokens of plain text within JSON strings aren't walked through one by one: the masks are the same.
TEST(Guide, MasksAreWhatEachTokenSays) {
  const auto all = vocabulary();
  for (const char* const schema :
       {"{}", R"({"type": "string", "minLength": 1, "maxLength": 3})", R"({"type": "string", "maxLength": 0})",
        R"({"anyOf": [{"type": "string", "maxLength": 2}, {"type": "string", "pattern": "^abcabc$"}]})",
        R"({"properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "string", "maxLength": 1}})"}) {
    const auto constraint = std::make_shared<Constraint>(test::schema_grammar(Json::parse(schema)), all);
    for (const std::string& text : {std::string("\"abab\xC3\xA4\\"), std::string("{\"ab\":null, \"abcd\": \"x\"}")}) {
      Guide guide(constraint);
      for (const char c : text) {
        const auto mask = guide.allowed();
        ASSERT_NE(mask, nullptr);
        EXPECT_EQ(*mask, plain_mask(guide, *all)) << schema << " before " << c << " of " << text;
        if (!guide.allows(static_cast<unsigned char>(c))) break;
        guide.see(static_cast<unsigned char>(c));
      }
    }
  }
}

TEST(Guide, EndsWhereNothingFitsAnyMore) {
  const auto constraint = std::make_shared<Constraint>(test::regex_grammar("ab(abc)?"), vocabulary());
  Guide guide(constraint);
  EXPECT_FALSE(guide.may_end());
  EXPECT_TRUE(guide.allows(256));   // "ab"
  EXPECT_FALSE(guide.allows(257));  // "abc"
  guide.see(256);
  EXPECT_TRUE(guide.may_end());
  EXPECT_FALSE(guide.must_end());
  EXPECT_TRUE(guide.allows(257));
  guide.see(257);
  EXPECT_TRUE(guide.must_end());
  Guide other(constraint);
  EXPECT_TRUE(other.allows('a'));
}

TEST(Guide, LeavesOutControlTokensAndThoseThatTheModelLacks) {
  Guide guide(std::make_shared<Constraint>(test::regex_grammar("[\\s\\S]*"), vocabulary(257)));
  const auto mask = guide.allowed();
  EXPECT_TRUE(is_in(*mask, 256));
  EXPECT_FALSE(guide.allows(257));
  const auto all = vocabulary();
  Guide of_all(std::make_shared<Constraint>(test::regex_grammar("[\\s\\S]*"), all));
  EXPECT_FALSE(is_in(*of_all.allowed(), tokenizer().eos()));
  EXPECT_TRUE(is_in(*of_all.allowed(), all->size() - 1));  // "<tag>", which isn't special
}

// States that were forgotten for want of room are found again.
TEST(Guide, GoesOnAfterItsStatesWereForgotten) {
  const auto constraint = std::make_shared<Constraint>(test::schema_grammar(Json::object()), vocabulary());
  Guide first(constraint), second(constraint);
  first.see('[');
  for (int depth = 0; depth < 40000; ++depth) {
    second.see('[');
    if (depth % 50 == 0) {
      ASSERT_NE(second.allowed(), nullptr);
    }
  }
  EXPECT_TRUE(first.allows(']'));
  EXPECT_FALSE(first.allows('}'));
  EXPECT_TRUE(second.allows(']'));
}

// What may be open at once is limited: nobody waits for ever.
TEST(Guide, SaysWhereThereIsTooMuchToLookAt) {
  std::string regex = "(";
  for (int i = 0; i < 90; ++i) regex += fmt::format("{}[ab]{{1,{}}}c", i > 0 ? "|" : "", i + 5);
  Guide guide(std::make_shared<Constraint>(test::regex_grammar(regex + ")*x"), vocabulary()));
  guide.see('a');
  EXPECT_NE(guide.allowed(), nullptr);
  Guide worse(std::make_shared<Constraint>(test::regex_grammar("[ab]*a[ab]{5000}[ab]*a[ab]{5000}"), vocabulary()));
  for (int i = 0; i < 4500; ++i) worse.see('a');
  EXPECT_EQ(worse.allowed(), nullptr);
  EXPECT_FALSE(worse.allows('a'));
  EXPECT_TRUE(Constraint(test::regex_grammar("([ab]?){1000}"), vocabulary()).can_begin());
  EXPECT_FALSE(Constraint(test::regex_grammar("([ab]?){5000}"), vocabulary()).can_begin());
}

// Any of a thousand members may come next.
TEST(Guide, LooksAtManyMembersThatAreNotRequired) {
  Json schema = {{"type", "object"}, {"properties", Json::object()}};
  for (int i = 0; i < 1200; ++i) schema["properties"][fmt::format("m{}", i)] = {{"type", "null"}};
  Guide guide(std::make_shared<Constraint>(test::schema_grammar(schema), vocabulary()));
  for (const char c : std::string(R"({"m7":null,"m11)")) {
    const auto mask = guide.allowed();
    ASSERT_NE(mask, nullptr);
    ASSERT_TRUE(is_in(*mask, static_cast<unsigned char>(c))) << c;
    guide.see(static_cast<unsigned char>(c));
  }
  EXPECT_TRUE(guide.allows('9'));
  EXPECT_FALSE(guide.allows('a'));
}

TEST(Constraint, SaysWhatItsGrammarTakesOfMemory) {
  const auto bytes_of = [](int length) {
    return Constraint(test::schema_grammar({{"type", "string"}, {"maxLength", length}}), vocabulary()).bytes();
  };
  EXPECT_GT(bytes_of(2000), bytes_of(1000) + 100'000);
  EXPECT_LT(bytes_of(50'000), std::size_t{8} << 20);
  EXPECT_THAT(test::error_of([&] { (void)bytes_of(100'000); }), testing::HasSubstr("too large"));
}

}  // namespace
}  // namespace layerboost
