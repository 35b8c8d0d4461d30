#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "text/testing.h"
#include "text/tokenizer.h"

namespace layerboost {
namespace {

const Tokenizer& byte_tokenizer() {  // ids below 256 are bytes
  static const Tokenizer tokenizer(small_tokenizer_data({}));
  return tokenizer;
}

TokenId byte(char c) { return static_cast<unsigned char>(c); }

std::string streamed(std::string_view bytes) {
  StreamDecoder decoder(byte_tokenizer());
  std::string text;
  for (const char c : bytes) text += decoder.push(byte(c));
  return text + decoder.finish();
}

TEST(StreamDecoder, HoldsBackHalfACharacter) {
  StreamDecoder decoder(byte_tokenizer());
  EXPECT_EQ(decoder.push('a'), "a");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.push(0x9F), "");
  EXPECT_EQ(decoder.push(0x98), "");
  EXPECT_EQ(decoder.push(0x80), "😀");
  EXPECT_EQ(decoder.push(0xE4), "");
  EXPECT_EQ(decoder.push('b'), "\uFFFDb");
  EXPECT_EQ(decoder.push(0xC3), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, SkipsSpecialTokens) {
  const TokenId start = byte_tokenizer().bos();
  StreamDecoder skipping(byte_tokenizer()), showing(byte_tokenizer(), false);
  EXPECT_EQ(skipping.push(start), "");
  EXPECT_EQ(showing.push(start), "<|start|>");
  EXPECT_EQ(skipping.push(-1), "");
}

TEST(StreamDecoder, ReplacesMaximalSubparts) {  // Unicode Standard 15, tables 3-8 and 3-11
  const std::string r = "\uFFFD";
  EXPECT_EQ(streamed("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(streamed("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
}

TEST(StreamDecoder, AlwaysValidAndTextUnchanged) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string valid, broken;
    for (int i = 0; i < 10; ++i) {
      append_utf8(U"a\u00E9\u4E2D\U0001F600\uFFFD"[random() % 5], valid);
      broken += static_cast<char>(random());
    }
    EXPECT_EQ(streamed(valid), valid);
    StreamDecoder decoder(byte_tokenizer());
    for (const char c : broken + valid.substr(0, random() % valid.size())) {
      const std::string text = decoder.push(byte(c));
      ASSERT_EQ(valid_utf8_prefix(text), text.size());
    }
    const std::string rest = decoder.finish();
    ASSERT_EQ(valid_utf8_prefix(rest), rest.size());
  }
}

/// Its tokens: 0 "<s>" (control), 1 "▁", 2 "▁a", 3 "<0x20>", 4 "b".
TokenizerData spaces_data() {
  TokenizerData data;
  data.tokens = {"<s>", "▁", "▁a", "<0x20>", "b"};
  data.added = {{.id = 0, .content = "<s>", .special = true}};
  data.characters = CharacterRules{.scores = {}, .space = "▁", .leading_spaces = 1};
  return data;
}

TEST(StreamDecoder, ATextLosesTheSpaceThatItsBeginningGot) {
  using Tokens = std::vector<TokenId>;
  TokenizerData data = spaces_data();
  const Tokenizer first(data);
  EXPECT_EQ(text_of(first, Tokens{2, 2}), "a a");
  EXPECT_EQ(text_of(first, Tokens{0, 2, 2}), "a a");
  EXPECT_EQ(text_of(first, Tokens{1, 2}), " a");
  EXPECT_EQ(text_of(first, Tokens{3, 3, 4}), " b");
  EXPECT_EQ(first.decode(Tokens{0, 2}), "<s> a");
  EXPECT_EQ(text_of(first, Tokens{2}, Tokens{4}), " a");
  EXPECT_EQ(text_of(first, Tokens{2}, Tokens{0}), "a");
  EXPECT_EQ(text_of(first, Tokens{2}, Tokens{4, 0}), " a");
  data.rewriting = {{"", "▁"}};  // every part of a text gets one
  EXPECT_EQ(text_of(Tokenizer(data), Tokens{2}, Tokens{4, 0}), "a");
  data.characters->leading_spaces = 2;
  EXPECT_EQ(text_of(Tokenizer(data), Tokens{1, 2}), "a");
}

}  // namespace
}  // namespace layerboost
