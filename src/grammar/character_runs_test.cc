#include "grammar/character_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "grammar/grammar_for_tests.h"

namespace layerboost {
namespace {

/// The run after `text`.
CharacterRun run_after(const Grammar& grammar, std::string_view text) {
  Automaton automaton(grammar);
  int state = automaton.start();
  for (const char c : text) state = automaton.next(state, static_cast<std::uint8_t>(c));
  return automaton.run(state);
}

FirstBytes first_bytes(std::string_view bytes) {
  FirstBytes all;
  for (const char c : bytes) all.add(static_cast<std::uint8_t>(c));
  return all;
}

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";

TEST(CharacterRuns, CountsWhatIsLeft) {
  const Grammar grammar = test::regex_grammar("x[a-z]{2,30}!");
  EXPECT_EQ(run_after(grammar, "x").length, 30);
  EXPECT_EQ(run_after(grammar, "xabc").length, 27);
  EXPECT_EQ(run_after(grammar, "xabc").of, first_bytes(letters));
}

TEST(CharacterRuns, GoOnForEver) {
  const CharacterRun run = run_after(test::regex_grammar("([a-z]|[0-9])+"), "a");
  EXPECT_EQ(run.length, Grammar::no_limit);
  EXPECT_EQ(run.of.count(), 36);
  EXPECT_EQ(run_after(test::regex_grammar("(\\w+[ ,.])*"), "ab ").length, Grammar::no_limit);
}

// Characters are in it only with all that begin with the same byte.
TEST(CharacterRuns, HaveCharactersOfSeveralBytes) {
  const FirstBytes of = run_after(test::gbnf_grammar("root ::= [^\\n\u2028]{5}"), "").of;
  EXPECT_TRUE(of.has('\r'));
  EXPECT_FALSE(of.has('\n'));
  EXPECT_FALSE(of.has(0x80));
  EXPECT_FALSE(of.has(0xC1));
  EXPECT_TRUE(of.has(0xC2));
  EXPECT_FALSE(of.has(0xE2));
  EXPECT_TRUE(of.has(0xED));
  EXPECT_TRUE(of.has(0xF4));
  EXPECT_FALSE(of.has(0xF5));
  EXPECT_FALSE(run_after(test::regex_grammar("[a-z\u00e0-\u00fe]*"), "").of.has(0xC3));
}

TEST(CharacterRuns, GoThroughRules) {
  const Grammar grammar =
      test::gbnf_grammar("root ::= \"<\" char{4} \">\"\nchar ::= letter | \"\\\\\" [nrt]\nletter ::= [a-z]");
  EXPECT_EQ(run_after(grammar, "<").length, 4);
  EXPECT_EQ(run_after(grammar, "<\\n").length, 3);
  EXPECT_EQ(run_after(grammar, "<\\n").of, first_bytes(letters));
}

TEST(CharacterRuns, AreThoseOfJsonStrings) {
  const Grammar grammar = test::schema_grammar({{"type", "string"}, {"maxLength", 9}});
  EXPECT_EQ(run_after(grammar, "\"a\\n").length, 7);
  EXPECT_EQ(run_after(grammar, "\"a\\n").of.count(), 94 + 30 + 16 + 5);
  EXPECT_EQ(run_after(grammar, "\"a\\").length, 8);
  EXPECT_EQ(run_after(grammar, "\"a\\").of, first_bytes("/bfnrt"));
}

// Whether a text ends with the run is known where all its characters lead to the same place.
TEST(CharacterRuns, MayBeAllThatFollows) {
  const auto ends = [](std::string_view regex, std::string_view text) {
    const Grammar grammar = test::regex_grammar(regex);
    Automaton automaton(grammar);
    int state = automaton.start();
    for (const char c : text) state = automaton.next(state, static_cast<std::uint8_t>(c));
    return automaton.ends_with(automaton.run(state), state);
  };
  EXPECT_TRUE(ends("[a-z]{2,9}[0-9]", "ab"));
  EXPECT_FALSE(ends("[a-z]{2,9}x", "ab"));
  EXPECT_FALSE(ends("([a-z]{2,9}|a[a-z]{20})", ""));
}

// Looking for runs takes time like looking for states, and is counted with it.
TEST(CharacterRuns, WhatIsLookedAtIsCounted) {
  Automaton automaton(test::regex_grammar("[a-z]{500}"));
  const std::size_t before = automaton.looked_at();
  EXPECT_EQ(automaton.run(automaton.start()).length, 500);
  const std::size_t after = automaton.looked_at();
  EXPECT_GT(after, before + 500);
  (void)automaton.run(automaton.start());
  EXPECT_EQ(automaton.looked_at(), after);  // is known
}

}  // namespace
}  // namespace layerboost
