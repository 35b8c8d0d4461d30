#include "text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace layerboost {
namespace {

using testing::ElementsAre;

std::vector<std::string> split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  const auto data = Regex::make_match_data();
  std::vector<std::string> pieces;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = pre_tokenizer.next(text, begin, data.get());
    pieces.emplace_back(text.substr(begin, end - begin));
  }
  return pieces;
}

std::vector<std::string> split(std::string_view name, std::string_view text) { return split(PreTokenizer(name), text); }

constexpr std::string_view names[] = {"gpt2", "smollm", "llama3", "qwen2"};

TEST(PreTokenizer, Digits) {
  EXPECT_THAT(split("gpt2", "a  1234 5"), ElementsAre("a", " ", " 1234", " 5"));
  EXPECT_THAT(split("smollm", "a  1234 5"), ElementsAre("a", "  ", "1", "2", "3", "4", " ", "5"));
  EXPECT_THAT(split("llama3", "a  1234 5"), ElementsAre("a", " ", " ", "123", "4", " ", "5"));
  EXPECT_THAT(split("qwen2", "a  1234 5"), ElementsAre("a", " ", " ", "1", "2", "3", "4", " ", "5"));
}

TEST(PreTokenizer, Contractions) {
  EXPECT_THAT(split("gpt2", "I'll WE'LL"), ElementsAre("I", "'ll", " WE", "'", "LL"));
  EXPECT_THAT(split("llama3", "I'll WE'LL"), ElementsAre("I", "'ll", " WE", "'LL"));
  EXPECT_THAT(split("llama3", "x'\u017F"), ElementsAre("x", "'\u017F"));  // the long s folds to s
}

TEST(PreTokenizer, WhiteSpaceAndLineBreaks) {
  EXPECT_THAT(split("gpt2", "a \n\n  b  "), ElementsAre("a", " \n\n ", " b", "  "));
  EXPECT_THAT(split("qwen2", "a \n\n  b.\n\n "), ElementsAre("a", " \n\n", " ", " b", ".\n\n", " "));
}

TEST(PreTokenizer, WhiteSpaceIsUnicodes) {
  const PreTokenizer pre_tokenizers[] = {PreTokenizer("gpt2"), PreTokenizer("llama3")};
  for (char32_t c = 1; c < 0x3100; ++c) {
    std::string text = "  ";
    append_utf8(c, text);
    if (c == '\n' || c == '\r') continue;  // pieces of their own in llama3
    for (const PreTokenizer& pre_tokenizer : pre_tokenizers)
      ASSERT_EQ(split(pre_tokenizer, text).size() == 1, is_white_space(c)) << static_cast<std::uint32_t>(c);
  }
}

TEST(PreTokenizer, MongolianVowelSeparatorIsNoWhiteSpace) {
  for (const auto name : names) EXPECT_THAT(split(name, "!\u180E!"), ElementsAre("!\u180E!")) << name;
  for (const auto name : names) EXPECT_THAT(split(name, "!\u0085"), ElementsAre("!", "\u0085")) << name;
}

TEST(PreTokenizer, LongRunsAreOnePiece) {
  constexpr std::size_t megabyte = 1U << 20U;
  for (const auto name : names) {
    for (const bool jit : {true, false}) {
      const PreTokenizer pre_tokenizer(name, jit);
      EXPECT_EQ(split(pre_tokenizer, std::string(megabyte, ' ')).size(), 1U) << name;
      EXPECT_EQ(split(pre_tokenizer, std::string(megabyte, ' ') + "x").size(), 2U) << name;
      EXPECT_EQ(split(pre_tokenizer, std::string(megabyte, 'x')).size(), 1U) << name;
      EXPECT_EQ(split(pre_tokenizer, std::string(megabyte, '.')).size(), 1U) << name;
      EXPECT_EQ(split(pre_tokenizer, std::string(megabyte, '\n')).size(), 1U) << name;
    }
  }
}

TEST(PreTokenizer, InterpretedAsCompiled) {
  std::mt19937 random(1);
  const std::u32string alphabet =
      U"aZs'lLtS 12\n\r\t.,!\u00A0\u0085\u00E9\u0301\u3000\u4E2D\u0967\u00B2\u2028\U0001F600\u180E\u017F";
  for (const auto name : names) {
    const PreTokenizer compiled(name, true), interpreted(name, false);
    for (int round = 0; round < 2000; ++round) {
      std::string text;
      for (int i = 0; i < 30; ++i) append_utf8(alphabet[random() % alphabet.size()], text);
      ASSERT_EQ(split(compiled, text), split(interpreted, text)) << name;
    }
  }
}

TEST(PreTokenizer, RefusesUnknownNames) { EXPECT_THROW(PreTokenizer("bert"), Error); }

}  // namespace
}  // namespace layerboost
