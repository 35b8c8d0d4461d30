#include "cli/flag_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string refusal(const CLI::Validator& check, std::string word) { return check(word); }

TEST(FlagChecks, SayInPlainWordsWhatAValueMustBe) {
  EXPECT_EQ(refusal(whole_number(1), "5"), "");
  EXPECT_EQ(refusal(whole_number(1), "0"), "must be a positive whole number, not \"0\"");
  EXPECT_EQ(refusal(whole_number(0), "-1"), "must be 0 or a positive whole number, not \"-1\"");
  EXPECT_EQ(refusal(whole_number(2, 65536), "65537"), "must be a whole number from 2 to 65536, not \"65537\"");
  for (const char* word : {"", "x", "1x", "1.5", " 1", "4294967297", "99999999999999999999"})
    EXPECT_NE(refusal(whole_number(1), word), "") << word;
  EXPECT_EQ(refusal(seed_number(), "18446744073709551615"), "");
  EXPECT_EQ(refusal(seed_number(), "-1"), "must be a whole number from 0 to 2^64 - 1, not \"-1\"");
  EXPECT_EQ(refusal(number(0), "1e-3"), "");
  EXPECT_EQ(refusal(number(0), "-1"), "must be a number, 0 or more, not \"-1\"");
  EXPECT_EQ(refusal(number(0.001, 1e6), "0"), "must be a number from 0.001 to 1000000, not \"0\"");
  EXPECT_EQ(refusal(positive_number(), "0"), "must be a positive number, not \"0\"");
  EXPECT_EQ(refusal(share_below_one(), "0.999"), "");
  EXPECT_EQ(refusal(share_below_one(), "1"), "must be a number from 0 to below 1, not \"1\"");
  for (const char* word : {"nan", "inf", "1e999", "one"}) EXPECT_NE(refusal(number(), word), "") << word;
}

TEST(FlagChecks, FlagsAreNamedAndNoRangeIsPrintedInDigits) {
  const std::vector<std::vector<std::string>> wrong = {
      {"generate", "m", "p", "--tokens", "0"},
      {"generate", "m", "p", "--temperature", "warm"},
      {"chat", "m", "--top-k", "-1"},
      {"eval", "m", "--text", "t", "--limit", "-1"},
      {"serve", "m", "--port", "70000"},
      {"bench", "m", "--batch", "4,x"},
      {"analyze", "m", "-o", "a", "--window", "0"},
      {"heal", "m", "--plan", "p", "-o", "o", "--beta1", "1"},
      {"heal", "m", "--plan", "p", "-o", "o", "--lr", "-1"},
      {"info", "m", "--context", "0"},
      {"plan", "a", "-o", "p", "--softmax", "-1"},
      {"plan", "a", "-o", "p", "--kv", "half"},
      {"plan", "a", "-o", "p", "--context", "0"},
  };
  for (const std::vector<std::string>& words : wrong) {
    const ProgramResult result = run_and_read(words);
    const std::string& flag = words[words.size() - 2];
    EXPECT_EQ(result.code, 2) << flag;
    EXPECT_THAT(result.err, HasSubstr("layerboost: " + flag + ": must be ")) << flag;
    EXPECT_THAT(result.err, Not(HasSubstr("000000"))) << flag;
  }
}

// A flag without effect is none: who types it would believe that it had one.
TEST(FlagChecks, InfoTakesNoFlagsOfRunningAModel) {
  for (const char* flag : {"--threads", "--seed", "--precision"}) {
    const ProgramResult result = run_and_read({"info", "m", flag, "1"});
    EXPECT_EQ(result.code, 2) << flag;
    EXPECT_THAT(result.err, HasSubstr(std::string("unknown flag ") + flag));
  }
}

}  // namespace
}  // namespace layerboost
