#include "eval/pair_encoding.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "eval/tokenizer_for_tests.h"
#include "generate/bos.h"

namespace layerboost {
namespace {

using Tokens = std::vector<TokenId>;
constexpr TokenId ab = 256, space_a = 257, bos_id = 258, eos_id = 259;

class PairEncodingTest : public ::testing::Test {
 protected:
  Request encode(std::string_view context, std::string_view continuation, TokenId first = -1, int most = 100) {
    return encode_pair(tokenizer_, context, continuation, first, most);
  }
  Tokenizer tokenizer_{tokenizer_data_for_tests()};
};

TEST_F(PairEncodingTest, SplitsAfterTheContext) {
  const Request request = encode("x.", " ac");
  EXPECT_EQ(request.context, (Tokens{'x', '.'}));
  EXPECT_EQ(request.continuation, (Tokens{space_a, 'c'}));
}

TEST_F(PairEncodingTest, WhiteSpaceMovesToTheContinuation) {
  const Request request = encode("x. ", "ac");
  EXPECT_EQ(request.context, (Tokens{'x', '.'}));
  EXPECT_EQ(request.continuation, (Tokens{space_a, 'c'}));
}

TEST_F(PairEncodingTest, MergesAcrossTheBorderFollowTheContextsLength) {
  const Request request = encode("xa", "bc");  // together: x ab c; the context alone: x a
  EXPECT_EQ(request.context, (Tokens{'x', ab}));
  EXPECT_EQ(request.continuation, (Tokens{'c'}));
}

TEST_F(PairEncodingTest, AnEmptyContextIsThePrefix) {
  for (const std::string_view context : {"", "  "}) {
    const Request request = encode(context, "xy");
    EXPECT_EQ(request.context, (Tokens{bos_id}));
    EXPECT_EQ(request.continuation.back(), 'y');
  }
  const Request request = encode("", "<s>xy");
  EXPECT_EQ(request.context, (Tokens{bos_id}));
  EXPECT_EQ(request.continuation, (Tokens{'x', 'y'}));

  TokenizerData data = tokenizer_data_for_tests();
  data.bos = -1;
  EXPECT_EQ(encode_pair(Tokenizer(data), "", "x", -1, 0).context, (Tokens{eos_id}));
  data.eos = -1;
  EXPECT_THROW(encode_pair(Tokenizer(data), "", "x", -1, 0), Error);
}

TEST_F(PairEncodingTest, BosOnce) {
  EXPECT_EQ(encode("x", "y", bos_id).context, (Tokens{bos_id, 'x'}));
  EXPECT_EQ(encode("<s>x", "y", bos_id).context, (Tokens{bos_id, 'x'}));
  EXPECT_EQ(encode("x", "y", bos_id).continuation, (Tokens{'y'}));
}

TEST_F(PairEncodingTest, KeepsTheEndOfWhatIsTooLong) {
  Request request = encode("rstuv", "wx", -1, 4);  // 5 tokens are kept, the last of them only predicted
  EXPECT_EQ(request.context, (Tokens{'t', 'u', 'v'}));
  EXPECT_EQ(request.continuation, (Tokens{'w', 'x'}));
  request = encode("rs", "tuvwx", -1, 3);
  EXPECT_EQ(request.context, (Tokens{'u'}));
  EXPECT_EQ(request.continuation, (Tokens{'v', 'w', 'x'}));
}

TEST(Bos, ATextThatSpellsItGetsOneMoreUnlessItIsToBeOne) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  EXPECT_EQ(encode_with_bos(tokenizer, "<s>x", bos_id), (Tokens{bos_id, bos_id, 'x'}));
  EXPECT_EQ(encode_with_one_bos(tokenizer, "<s>x", bos_id), (Tokens{bos_id, 'x'}));
  for (const auto encode : {encode_with_bos, encode_with_one_bos}) {
    EXPECT_EQ(encode(tokenizer, "", bos_id), (Tokens{bos_id}));
    EXPECT_EQ(encode(tokenizer, "x<s>", bos_id), (Tokens{bos_id, 'x', bos_id}));
    EXPECT_EQ(encode(tokenizer, "<s>x", -1), (Tokens{bos_id, 'x'}));
  }
}

TEST(Bos, Modes) {
  TokenizerData data = tokenizer_data_for_tests();
  EXPECT_EQ(bos_token(Tokenizer(data), BosMode::automatic), -1);
  EXPECT_EQ(bos_token(Tokenizer(data), BosMode::always), bos_id);
  data.add_bos = true;
  EXPECT_EQ(bos_token(Tokenizer(data), BosMode::automatic), bos_id);
  EXPECT_EQ(bos_token(Tokenizer(data), BosMode::never), -1);
  data.bos = -1;
  data.add_bos = false;
  EXPECT_THROW(bos_token(Tokenizer(data), BosMode::always), Error);
  EXPECT_EQ(parse_bos_mode("never"), BosMode::never);
  EXPECT_THROW(parse_bos_mode("sometimes"), Error);
}

TEST(PythonStrings, Rstrip) {
  EXPECT_EQ(std::string_view("").size() - rstrip("").size(), 0U);
  EXPECT_EQ(std::string_view("a").size() - rstrip("a").size(), 0U);
  EXPECT_EQ(std::string_view("a \n\t").size() - rstrip("a \n\t").size(), 3U);
  EXPECT_EQ(std::string_view("  ").size() - rstrip("  ").size(), 2U);
  EXPECT_EQ(std::string_view("a\u00A0\u2003\u3000 \x1F").size() - rstrip("a\u00A0\u2003\u3000 \x1F").size(), 10U);
  EXPECT_EQ(std::string_view("a\u200B").size() - rstrip("a\u200B").size(), 0U);  // a zero-width space is none
  EXPECT_EQ(std::string_view("\u00E9").size() - rstrip("\u00E9").size(), 0U);
  EXPECT_EQ(std::string_view("\xA0").size() - rstrip("\xA0").size(), 0U);  // half a character
}

TEST(PythonStrings, CodePoints) {
  EXPECT_EQ(code_points(""), 0U);
  EXPECT_EQ(code_points("abc"), 3U);
  EXPECT_EQ(code_points("\u00E9\u4E16\U0001F600"), 3U);
}

}  // namespace
}  // namespace layerboost
