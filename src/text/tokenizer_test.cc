#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "text/character_bpe.h"
#include "text/testing.h"

namespace layerboost {
namespace {

using testing::ElementsAre;

constexpr TokenId he = 256, hel = 257, start = 259, end = 260, tag = 261;

TokenizerData small_data(const char* pre_tokenizer = "gpt2") {
  return small_tokenizer_data({"h e", "he l", "Ġ hel"}, pre_tokenizer);
}

TEST(Tokenizer, MergesWithinPieces) {
  const Tokenizer tokenizer(small_data());
  EXPECT_THAT(tokenizer.encode("hehel hel"), ElementsAre(he, hel, 258));
  EXPECT_THAT(tokenizer.encode(""), ElementsAre());
  EXPECT_EQ(tokenizer.size(), 262);
  EXPECT_EQ(tokenizer.bytes(258), " hel");
  EXPECT_EQ(tokenizer.bytes(-1), "");
  EXPECT_EQ(tokenizer.bytes(262), "");
}

TEST(Tokenizer, SpecialTokensAreTextWhereTheCallerSaysSo) {
  const Tokenizer tokenizer(small_data());
  EXPECT_THAT(tokenizer.encode("<|start|>he<tag><|end|>"), ElementsAre(start, he, tag, end));
  const auto plain = tokenizer.encode("<|start|>he<tag>", false);
  EXPECT_THAT(plain, testing::Not(testing::Contains(start)));
  EXPECT_EQ(plain.back(), tag);  // added, but not a control token
  EXPECT_EQ(tokenizer.decode(plain), "<|start|>he<tag>");
  EXPECT_TRUE(tokenizer.is_special(start));
  EXPECT_FALSE(tokenizer.is_special(tag));
  EXPECT_FALSE(tokenizer.is_special(he));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_FALSE(tokenizer.is_special(1 << 30));
}

TEST(Tokenizer, DecodeSkipsSpecialAndUnknown) {
  const Tokenizer tokenizer(small_data());
  const std::vector<TokenId> ids = {start, hel, -7, 9999, tag, end};
  EXPECT_EQ(tokenizer.decode(ids), "<|start|>hel<tag><|end|>");
  EXPECT_EQ(tokenizer.decode(ids, true), "hel<tag>");
}

TEST(Tokenizer, BytesThatAreNotUtf8GoThroughTheirTokens) {
  const Tokenizer tokenizer(small_data());
  EXPECT_THAT(tokenizer.encode("he\xFFhe\xF0\x9F\x98"), ElementsAre(he, 0xFF, he, 0xF0, 0x9F, 0x98));
}

TEST(Tokenizer, AnyBytesRoundTrip) {
  std::mt19937 random(5);
  for (const char* pre_tokenizer : {"gpt2", "smollm", "llama3", "qwen2"}) {
    const Tokenizer tokenizer(small_data(pre_tokenizer));
    for (int round = 0; round < 500; ++round) {
      std::string text(random() % 60, ' ');
      for (char& c : text)
        c = static_cast<char>(random() % 3 == 0 ? random() : "hel <|start|>\n1\xC3\xA9"[random() % 18]);
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << pre_tokenizer;
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, false)), text) << pre_tokenizer;
    }
  }
}

TEST(Tokenizer, NormalisesWhereTheModelDoesAndBetweenBrokenBytes) {
  TokenizerData with_nfc = small_data("qwen2");
  with_nfc.nfc = true;
  const Tokenizer tokenizer(with_nfc), plain(small_data("qwen2"));
  EXPECT_EQ(tokenizer.encode("e\u0301"), plain.encode("\u00E9"));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("e\u0301\xFF"
                                              "e\u0301<tag>")),
            "\u00E9\xFF\u00E9<tag>");
  EXPECT_EQ(plain.decode(plain.encode("e\u0301")), "e\u0301");
}

TEST(Tokenizer, NormalizedTokensAreFoundAfterNormalisationAndAfterTheOthers) {
  TokenizerData data = small_data("qwen2");
  data.nfc = true;
  const auto add = [&](const char* content, bool normalized) {
    data.added.push_back(
        {.id = static_cast<TokenId>(data.tokens.size()), .content = content, .normalized = normalized});
    data.tokens.emplace_back(content);
    return data.added.back().id;
  };
  const TokenId composed = add("\u00E9!", true), decomposed = add("o\u0301?", true), as_written = add("\u00E8!", false);
  const TokenId wide = add("ell el", true), narrow = add("l e", false);
  const Tokenizer tokenizer(data);
  EXPECT_THAT(tokenizer.encode("e\u0301!"), ElementsAre(composed));
  EXPECT_THAT(tokenizer.encode("\u00F3?"), ElementsAre(decomposed));
  EXPECT_THAT(tokenizer.encode("\u00E8!"), ElementsAre(as_written));
  EXPECT_THAT(tokenizer.encode("e\u0300!"), testing::Not(testing::Contains(as_written)));
  EXPECT_THAT(tokenizer.encode("ell el"),
              testing::AllOf(testing::Contains(narrow), testing::Not(testing::Contains(wide))));
}

TEST(Tokenizer, CutsBySteps) {
  TokenizerData data = small_data("");
  data.split_steps = {{.pattern = "(?<=h)e"}, {.pattern = "", .prefix_space = true, .byte_level = true}};
  const Tokenizer tokenizer(data);
  EXPECT_THAT(tokenizer.encode("helhe"), ElementsAre(' ', 'h', ' ', 'e', ' ', 'l', 'h', ' ', 'e'));
}

TEST(Tokenizer, IgnoreMergesTakesAWholePiece) {
  TokenizerData whole = small_data();
  whole.tokens.emplace_back("Ġworld");
  EXPECT_EQ(Tokenizer(whole).encode(" world").size(), 6U);
  whole.ignore_merges = true;
  EXPECT_THAT(Tokenizer(whole).encode("he world"), ElementsAre(he, 262));
}

/// A token for each byte and for "▁", "a" and "▁a"; every part of a text gets a space in front.
TokenizerData data_of_characters() {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) data.tokens.push_back(byte_token_text(static_cast<unsigned char>(byte)));
  data.tokens.insert(data.tokens.end(), {"▁", "a", "▁a", "<|start|>", "<one▁two>"});
  data.merges = {"▁ a"};
  data.added = {{.id = 259, .content = "<|start|>", .special = true}, {.id = 260, .content = "<one▁two>"}};
  data.rewriting = {{"", "▁"}, {" ", "▁"}};
  data.characters = CharacterRules{.scores = {}, .space = "▁", .leading_spaces = 1};
  return data;
}

TEST(Tokenizer, OfCharacters) {
  const Tokenizer tokenizer(data_of_characters());
  EXPECT_THAT(tokenizer.encode("a a"), ElementsAre(258, 258));
  EXPECT_THAT(tokenizer.encode("<|start|>a"), ElementsAre(259, 258));
  EXPECT_THAT(tokenizer.encode("a\xFF a"), ElementsAre(258, 0xFF, 258));  // broken bytes don't begin a new part
  EXPECT_THAT(tokenizer.encode_rest("a a"), ElementsAre(257, 258));
  EXPECT_THAT(tokenizer.encode_rest(" a<|start|>a"), ElementsAre(258, 259, 258));
  EXPECT_EQ(tokenizer.encode_rest("<|start|>", false).size(), 9U);
  EXPECT_EQ(tokenizer.bytes(258), " a");
  EXPECT_EQ(tokenizer.bytes(0xFF), "\xFF");
  EXPECT_EQ(tokenizer.bytes(260), "<one two>");
}

TEST(Tokenizer, OfCharactersGivesAnyBytesBack) {
  const Tokenizer tokenizer(data_of_characters());
  std::mt19937 random(6);
  for (int round = 0; round < 500; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = static_cast<char>(random() % 3 == 0 ? random() : "a b\n1\xC3\xA9"[random() % 7]);
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(Tokenizer, SeveralThreadsGetTheSame) {
  const Tokenizer tokenizer(small_data());
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "hel" + std::to_string(i * i) + " he\n";
  const auto expected = tokenizer.encode(text);
  std::vector<int> equal(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < equal.size(); ++t)
    threads.emplace_back([&, t] { equal[t] = tokenizer.encode(text) == expected ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(equal, testing::Each(1));
}

TEST(Tokenizer, KeepsWhatItWasGiven) {
  TokenizerData given = small_data();
  given.add_bos = true;
  given.chat_template = "{{ x }}";
  const Tokenizer tokenizer(given);
  EXPECT_EQ(tokenizer.bos(), start);
  EXPECT_EQ(tokenizer.eos(), end);
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_EQ(tokenizer.chat_template(), "{{ x }}");
}

TEST(Tokenizer, RefusesBadData) {
  const auto refused = [](auto change) {
    TokenizerData bad = small_data();
    change(bad);
    EXPECT_THROW(Tokenizer{bad}, Error);
  };
  refused([](auto& d) { d.tokens.clear(); });
  refused([](auto& d) { d.merges.emplace_back("x yz"); });
  refused([](auto& d) { d.pre_tokenizer = "wordpiece"; });
  refused([](auto& d) { d.added[0].id = 1000; });
  refused([](auto& d) { d.added[0].id = -1; });
  refused([](auto& d) { d.added[0].content = ""; });
  refused([](auto& d) {  // which would be found everywhere
    d.added[0].normalized = true;
    d.rewriting = {{d.added[0].content, ""}};
  });
  refused([](auto& d) { d.unknown = 262; });
  refused([](auto& d) { d.bos = 262; });
  refused([](auto& d) { d.eos = -2; });
}

}  // namespace
}  // namespace layerboost
