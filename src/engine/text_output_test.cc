#include "engine/text_output.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/random.h"
#include "eval/tokenizer_for_tests.h"

namespace layerboost {
namespace {

class TextOutputTest : public ::testing::Test {
 protected:
  /// What comes out piece by piece when `text` goes in byte by byte, and at the end.
  std::vector<std::string> pieces(const std::string& text, std::vector<std::string> stop) {
    TextOutput output = output_for({.stop = std::move(stop), .include_stop = include_stop_});
    std::vector<std::string> result;
    for (const char byte : text) result.push_back(output.push(token(byte)));
    result.push_back(output.finish());
    stopped_ = output.stopped();
    return result;
  }
  std::string all(const std::string& text, std::vector<std::string> stop) {
    std::string result;
    for (const std::string& piece : pieces(text, std::move(stop))) result += piece;
    return result;
  }
  [[nodiscard]] TextOutput output_for(const GenerationRequest& request) const { return {tokenizer_, request}; }
  static TokenId token(char byte) { return static_cast<unsigned char>(byte); }

  const Tokenizer tokenizer_{tokenizer_data_for_tests()};
  bool stopped_ = false, include_stop_ = false;
};

using Pieces = std::vector<std::string>;

TEST_F(TextOutputTest, WithoutStopStringsEverythingComesAtOnce) {
  EXPECT_EQ(pieces("abc", {}), (Pieces{"a", "b", "c", ""}));
  EXPECT_FALSE(stopped_);
}

TEST_F(TextOutputTest, CharactersStayWhole) {
  EXPECT_EQ(pieces("\xC3\xA4z", {"z"}), (Pieces{"", "\xC3\xA4", "", ""}));
  EXPECT_TRUE(stopped_);
  EXPECT_EQ(pieces("x\xC3", {}), (Pieces{"x", "", "\xEF\xBF\xBD"}));
}

TEST_F(TextOutputTest, HoldsBackWhatMayBecomeAStopString) {
  EXPECT_EQ(pieces("xabay", {"abc"}), (Pieces{"x", "", "", "ab", "ay", ""}));
  EXPECT_EQ(pieces("xab", {"abc"}), (Pieces{"x", "", "", "ab"}));
  EXPECT_FALSE(stopped_);
}

TEST_F(TextOutputTest, EndsBeforeTheFirstStopString) {
  EXPECT_EQ(pieces("xabcd", {"abc"}), (Pieces{"x", "", "", "", "", ""}));
  EXPECT_TRUE(stopped_);
  EXPECT_EQ(all("one two three", {"three", "two"}), "one ");
  EXPECT_EQ(all("aab", {"ab"}), "a");
  EXPECT_EQ(all("ababac", {"abac"}), "ab");
  EXPECT_EQ(all("x\n\n", {"\n\n"}), "x");
  EXPECT_EQ(all("x\n\n", {"\n\n\n"}), "x\n\n");
}

TEST_F(TextOutputTest, TheEarliestOfSeveralInOneToken) {
  TextOutput output = output_for({.stop = {"b", "ab"}});
  EXPECT_EQ(output.push(token('x')), "x");
  EXPECT_EQ(output.push(256), "");  // "ab"
  EXPECT_TRUE(output.stopped());
  EXPECT_EQ(output.push(token('y')), "");
  EXPECT_EQ(output.finish(), "");
}

TEST_F(TextOutputTest, TokensThatMayNotStop) {
  TextOutput output = output_for({.stop = {"ab"}});
  EXPECT_EQ(output.push(256, false), "ab");
  EXPECT_EQ(output.push(token('a'), false), "a");
  EXPECT_EQ(output.push(token('b')), "b");
  EXPECT_EQ(output.push(256), "");
  EXPECT_TRUE(output.stopped());
}

TEST_F(TextOutputTest, SearchesAsFindDoes) {
  // Few letters, so that beginnings overlap in every way.
  Random random(3);
  const auto letters = [&](std::uint64_t count) {
    std::string text;
    for (std::uint64_t i = 0; i < count; ++i) text += static_cast<char>('a' + random.below(2));
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string text = letters(30), stop = letters(1 + random.below(7));
    const std::size_t found = text.find(stop);
    EXPECT_EQ(all(text, {stop}), text.substr(0, found)) << text << " " << stop;
    EXPECT_EQ(stopped_, found != std::string::npos);
  }
}

TEST_F(TextOutputTest, LongStopStringsTakeTimeInProportionToTheText) {
  // Trying every length at every token would be 16 * 20000 * 20000 comparisons, most of them long.
  std::vector<std::string> stops;
  for (int i = 0; i < 16; ++i) stops.push_back(std::string(20000, 'a') + static_cast<char>('b' + i));
  EXPECT_EQ(all(std::string(40000, 'a'), stops).size(), 40000U);
  EXPECT_FALSE(stopped_);
}

TEST_F(TextOutputTest, StopStringsThatAreIncludedNeedNoWaiting) {
  include_stop_ = true;
  EXPECT_EQ(pieces("xabcd", {"abc"}), (Pieces{"x", "a", "b", "c", "", ""}));
  EXPECT_TRUE(stopped_);
  EXPECT_EQ(pieces("xab", {"abc"}), (Pieces{"x", "a", "b", ""}));
  EXPECT_EQ(all("one two three", {"three", "two"}), "one two");
  EXPECT_EQ(all("xabcd", {"bcd", "abc"}), "xabc");  // the one that ends first
  TextOutput within = output_for({.stop = {"a"}, .include_stop = true});
  EXPECT_EQ(within.push(256), "a");  // of "ab"
  EXPECT_EQ(within.finish(), "");
}

TEST_F(TextOutputTest, ControlTokensGiveNothingUnlessTheyAreWanted) {
  TextOutput output = output_for({});
  EXPECT_EQ(output.push(259), "");
  EXPECT_EQ(output.finish(), "");
  TextOutput all_of_them = output_for({.skip_special = false});
  EXPECT_EQ(all_of_them.push(259), "</s>");
  TextOutput shown = output_for({.stop = {"</s>x"}, .shown_tokens = {259}});
  EXPECT_EQ(shown.push(258), "");
  EXPECT_EQ(shown.push(259), "");  // may become a stop string
  EXPECT_EQ(shown.finish(), "</s>");
}

}  // namespace
}  // namespace layerboost
