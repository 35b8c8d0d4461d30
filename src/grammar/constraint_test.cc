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
    const auto constraint = std::make_shared<const Constraint>(test::schema_grammar(Json::parse(schema)), all);
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
  const auto constraint = std::make_shared<const Constraint>(test::regex_grammar("ab(abc)?"), vocabulary());
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
  Guide guide(std::make_shared<const Constraint>(test::regex_grammar("[\\s\\S]*"), vocabulary(257)));
  const auto mask = guide.allowed();
  EXPECT_TRUE(is_in(*mask, 256));
  EXPECT_FALSE(guide.allows(257));
  const auto all = vocabulary();
  Guide of_all(std::make_shared<const Constraint>(test::regex_grammar("[\\s\\S]*"), all));
  EXPECT_FALSE(is_in(*of_all.allowed(), tokenizer().eos()));
  EXPECT_TRUE(is_in(*of_all.allowed(), all->size() - 1));  // "<tag>", which isn't special
}

// States that were forgotten for want of room are found again.
TEST(Guide, GoesOnAfterItsStatesWereForgotten) {
  constexpr int deepest = 40000;
  Guide guide(std::make_shared<const Constraint>(test::schema_grammar(Json::object()), vocabulary()));
  for (int depth = 0; depth < deepest; ++depth) {
    guide.see('[');
    if (depth % 50 == 0) {
      ASSERT_NE(guide.allowed(), nullptr);
    }
  }
  EXPECT_FALSE(guide.allows('}'));
  for (int depth = 0; depth < deepest; ++depth) {
    ASSERT_TRUE(guide.allows(']'));
    guide.see(']');
  }
  EXPECT_TRUE(guide.must_end());
}

// What may be open at once is limited: nobody waits for ever.
TEST(Guide, SaysWhereThereIsTooMuchToLookAt) {
  std::string regex = "(";
  for (int i = 0; i < 90; ++i) regex += fmt::format("{}[ab]{{1,{}}}c", i > 0 ? "|" : "", i + 5);
  Guide guide(std::make_shared<const Constraint>(test::regex_grammar(regex + ")*x"), vocabulary()));
  guide.see('a');
  EXPECT_NE(guide.allowed(), nullptr);
  const LookingLimits few{.automaton = {.places = 200}};
  Guide worse(std::make_shared<const Constraint>(test::regex_grammar("[ab]*a[ab]{300}c"), vocabulary(), few));
  for (int i = 0; i < 250; ++i) worse.see('a');
  EXPECT_EQ(worse.allowed(), nullptr);
  EXPECT_FALSE(worse.allows('a'));
  EXPECT_TRUE(Constraint(test::regex_grammar("([ab]?){1000}"), vocabulary()).can_begin());
  EXPECT_FALSE(Constraint(test::regex_grammar("([ab]?){5000}"), vocabulary()).can_begin());
}

// Tokens behind which too much is open are left out; where that is so of all, nothing can be said.
TEST(Guide, GoesRoundWhatLeavesTooMuchOpen) {
  const auto first_of = [](std::string_view regex) {
    return Guide(std::make_shared<const Constraint>(test::regex_grammar(regex), vocabulary())).allowed();
  };
  const auto mask = first_of("a([xy]?){5000}|ab{3}|c");
  ASSERT_NE(mask, nullptr);
  EXPECT_FALSE(is_in(*mask, 'a'));
  EXPECT_FALSE(is_in(*mask, 256));  // "ab"
  EXPECT_TRUE(is_in(*mask, 'c'));
  EXPECT_EQ(first_of("a([xy]?){5000}"), nullptr);
}

// A mask of tokens that aren't looked at one by one doesn't say what is open after each: another one does.
TEST(Guide, TellsExactlyWhatLeavesTooMuchOpen) {
  const auto all = vocabulary();
  Guide guide(std::make_shared<const Constraint>(test::regex_grammar("([a-z ]*|[a-z ]*a([a-z]?){5000})X"), all));
  EXPECT_TRUE(is_in(*guide.allowed(), 'a'));
  const TokenMask exactly = *guide.allowed_one_by_one();
  EXPECT_FALSE(is_in(exactly, 'a'));
  EXPECT_TRUE(is_in(exactly, 'b'));
  EXPECT_EQ(exactly, plain_mask(guide, *all));
  EXPECT_EQ(*guide.allowed(), exactly);  // from then on
}

/// After each letter some 200 places more.
Grammar wide_grammar() {
  std::string text = "root ::= (";
  for (char c = 'a'; c <= 't'; ++c) text += fmt::format("{}\"{}\" ([a-t]?){{200}}", c > 'a' ? " | " : "", c);
  return test::gbnf_grammar(text + ")* \".\"");
}

// What may be looked at grows as a text is written; beyond it nothing is said, instead of anything wrong.
TEST(Guide, LooksAtSoMuchForEachTokenAndNoMore) {
  const LookingLimits limits{.saved = 20'000, .least_saved = 0, .for_token = 2'000, .for_step = 3'000};
  Guide guide(std::make_shared<const Constraint>(wide_grammar(), vocabulary(), limits));
  EXPECT_EQ(guide.allowed(1000), nullptr);
  EXPECT_NE(guide.allowed(), nullptr);
  TokenId letter = 'a';
  const auto is_said = [&] {
    try {
      return guide.allowed() != nullptr;
    } catch (const TooMuchToLookAt&) {
      return false;
    }
  };
  for (; is_said(); ++letter) {
    ASSERT_LE(letter, 't');
    guide.see(letter);
  }
  EXPECT_EQ(guide.left(), 0U);
  EXPECT_THROW((void)guide.allowed_one_by_one(), TooMuchToLookAt);
  int unsaid = 0;
  for (TokenId token = 'a'; token <= 't'; ++token) {
    try {
      EXPECT_TRUE(guide.allows(token));
    } catch (const TooMuchToLookAt&) {
      ++unsaid;
    }
  }
  EXPECT_GT(unsaid, 0);
  guide.see(letter);
  EXPECT_TRUE(guide.allows('t'));
}

// Sequences of a request share what may be looked at, and none takes another's.
TEST(Guide, LooksAtLessWhereThereAreMany) {
  LookingLimits limits{.saved = 200'000, .least_saved = 2'000, .for_token = 0, .for_step = 0};
  for (const auto& [sequences, is_enough] : {std::pair(1, true), std::pair(100, false)}) {
    limits.sequences = sequences;
    const auto constraint = std::make_shared<const Constraint>(wide_grammar(), vocabulary(), limits);
    for (int i = 0; i < 3; ++i) {
      Guide guide(constraint);
      guide.see('a');
      if (is_enough)
        EXPECT_NE(guide.allowed(), nullptr);
      else
        EXPECT_THROW((void)guide.allowed(), TooMuchToLookAt);
    }
  }
}

// However often a rule names another: each way is counted, though all lead to the same place.
TEST(Guide, CountsWaysThatLeadToTheSame) {
  std::string often = "s";
  for (int i = 0; i < 20'000; ++i) often += "|s";
  std::string text = "root ::= \"q\" (";
  for (int i = 0; i < 100; ++i) text += fmt::format("{}p \"{}\"", i > 0 ? " | " : "", i);
  Guide guide(std::make_shared<const Constraint>(
      test::gbnf_grammar(text + ")\np ::= \"a\" p | " + often + "\ns ::= \"b\""), vocabulary()));
  EXPECT_FALSE(guide.allows('q'));
  EXPECT_EQ(guide.allowed(), nullptr);
}

TEST(Constraint, FindsWhatTextsBeginWithAtNoCostToThem) {
  const LookingLimits limits{.sequences = 1000, .saved = 30'000, .least_saved = 0, .for_token = 0, .for_step = 0};
  const auto constraint = std::make_shared<const Constraint>(wide_grammar(), vocabulary(), limits);
  EXPECT_TRUE(constraint->can_begin());
  for (int i = 0; i < 3; ++i) EXPECT_NE(Guide(constraint).allowed(), nullptr);
  EXPECT_FALSE(Constraint(test::regex_grammar("a([xy]?){5000}"), vocabulary()).can_begin());
}

// Who called for what is forgotten, too, where no text needs it any more: there is no end to what can be written.
TEST(Guide, ForgetsWhoCalled) {
  const LookingLimits limits{.automaton = {.callers = 4000, .room = 20'000}};
  Guide guide(std::make_shared<const Constraint>(
      test::gbnf_grammar("root ::= d+\nd ::= \"a\" d* \"A\" | \"b\" d* \"B\" | \"c\" d* \"C\""), vocabulary(), limits));
  const auto close = [&](TokenId letter) {
    ASSERT_TRUE(guide.allows(letter - 'a' + 'A'));
    guide.see(letter - 'a' + 'A');
  };
  for (int i = 0; i < 500; ++i) guide.see("abc"[i % 3]);
  for (int i = 0; i < 6561; ++i) {  // of eight letters, each in its own way
    std::string text;
    for (int left = i, depth = 0; depth < 8; ++depth, left /= 3) text += "abc"[left % 3];
    for (const char c : text) guide.see(static_cast<TokenId>(c));
    for (auto c = text.rbegin(); c != text.rend(); ++c) close(*c);
    ASSERT_FALSE(guide.allows('.')) << i;
  }
  for (int i = 499; i >= 0; --i) close("abc"[i % 3]);
  EXPECT_TRUE(guide.may_end());
}

// Any of a thousand members may come next.
TEST(Guide, LooksAtManyMembersThatAreNotRequired) {
  Json schema = {{"type", "object"}, {"properties", Json::object()}};
  for (int i = 0; i < 1200; ++i) schema["properties"][fmt::format("m{}", i)] = {{"type", "null"}};
  Guide guide(std::make_shared<const Constraint>(test::schema_grammar(schema), vocabulary()));
  for (const char c : std::string(R"({"m7":null,"m11)")) {
    const auto mask = guide.allowed();
    ASSERT_NE(mask, nullptr);
    ASSERT_TRUE(is_in(*mask, static_cast<unsigned char>(c))) << c;
    guide.see(static_cast<unsigned char>(c));
  }
  EXPECT_TRUE(guide.allows('9'));
  EXPECT_FALSE(guide.allows('a'));
}

/// Of words with "\u2581" in place of a space, of which a text's first loses one.
Tokenizer word_tokenizer() {
  TokenizerData data;
  data.tokens = {"<s>", "\u2581", "\u2581yes", "yes", "\u2581\u2581yes", "\u2581\u2581", "no", "\u2581no"};
  data.added = {{.id = 0, .content = "<s>", .special = true}};
  data.characters = CharacterRules{.scores = {}, .space = "\u2581", .leading_spaces = 1};
  return Tokenizer(std::move(data));
}

std::vector<TokenId> tokens_in(const TokenMask& mask) {
  std::vector<TokenId> tokens;
  for (TokenId token = 0; token < static_cast<TokenId>(64 * mask.size()); ++token)
    if (is_in(mask, token)) tokens.push_back(token);
  return tokens;
}

// A text is what is read of its tokens: without the spaces that they lose in front.
TEST(Guide, SeesTextsAsTheyAreRead) {
  const Tokenizer words = word_tokenizer();
  const auto all = std::make_shared<const Vocabulary>(words, words.size());
  using Tokens = std::vector<TokenId>;
  const auto first_of = [&](std::string_view regex, const Tokens& prompt, const Tokens& written = {}) {
    const auto constraint = std::make_shared<const Constraint>(test::regex_grammar(regex), all);
    Guide guide(constraint, words.leading_spaces(prompt));
    for (const TokenId token : written) guide.see(token);
    const TokenMask mask = *guide.allowed();
    EXPECT_EQ(mask, plain_mask(guide, *all)) << regex;
    return tokens_in(mask);
  };
  EXPECT_EQ(first_of("yes", {0}), (Tokens{1, 2, 3}));
  EXPECT_EQ(first_of("yes", {3}), (Tokens{3}));
  EXPECT_EQ(first_of("yes", {0}, {1}), (Tokens{3}));
  EXPECT_EQ(first_of(" yes", {0}), (Tokens{1, 4, 5}));
  EXPECT_EQ(first_of(" yes", {3}), (Tokens{1, 2}));
  EXPECT_EQ(first_of("(yes| no)+", {0}, {2}), (Tokens{1, 3, 7}));
  EXPECT_EQ(first_of("[ -~]{3}", {0}), (Tokens{1, 2, 3, 5, 6, 7}));
  EXPECT_EQ(first_of("[ -~]{2}", {0}), (Tokens{1, 5, 6, 7}));
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
