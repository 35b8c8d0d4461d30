#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/error_for_tests.h"
#include "eval/pair_encoding.h"
#include "eval/text_data.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

std::vector<TokenId> counting(int count) {
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

WindowOptions options_of(int context, int stride = 0, int limit = 0, TokenId bos = -1) {
  return {context, stride, limit, bos};
}

TEST(TextWindows, FullWindowsWithoutTheirFirstToken) {
  const auto windows = text_windows(counting(11), options_of(4), 0);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[1].context, (std::vector<TokenId>{4}));
  EXPECT_EQ(windows[1].continuation, (std::vector<TokenId>{5, 6, 7}));
  EXPECT_EQ(tokens_needed(options_of(4)), 0U);
}

TEST(TextWindows, BosTakesTheFirstPlace) {
  const auto windows = text_windows(counting(6), options_of(4, 0, 0, 99), 0);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[1].context, (std::vector<TokenId>{99}));
  EXPECT_EQ(windows[1].continuation, (std::vector<TokenId>{3, 4, 5}));
}

TEST(TextWindows, StridesScoreEachTokenOnce) {
  for (const TokenId bos : {-1, 99}) {
    const int context = bos < 0 ? 6 : 7;
    const auto windows = text_windows(counting(12), options_of(context, 2, 0, bos), 0);
    ASSERT_EQ(windows.size(), 4U);
    std::vector<TokenId> scored;
    for (const Request& window : windows) {
      EXPECT_EQ(window.context.size() + window.continuation.size(), static_cast<std::size_t>(context));
      scored.insert(scored.end(), window.continuation.begin(), window.continuation.end());
    }
    if (bos >= 0) scored.erase(scored.begin());
    std::vector<TokenId> expected = counting(12);
    expected.erase(expected.begin());
    EXPECT_EQ(scored, expected);
  }
}

TEST(TextWindows, LimitAndShortTexts) {
  EXPECT_EQ(text_windows(counting(100), options_of(10, 0, 3), 0).size(), 3U);
  EXPECT_EQ(tokens_needed(options_of(10, 0, 3)), 30U);
  EXPECT_EQ(tokens_needed(options_of(10, 4, 3)), 18U);
  EXPECT_EQ(tokens_needed(options_of(10, 0, 3, 1)), 27U);
  const auto windows = text_windows(counting(5), options_of(10), 0);
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0].continuation.size(), 4U);
}

TEST(TextWindows, Refusals) {
  EXPECT_THROW(text_windows(counting(1), options_of(10), 0), Error);
  EXPECT_THROW(text_windows({}, options_of(10, 0, 0, 3), 0), Error);
  EXPECT_THROW(text_windows(counting(50), options_of(1), 0), Error);
  EXPECT_THROW(text_windows(counting(50), options_of(33), 32), Error);
  EXPECT_THROW(text_windows(counting(50), options_of(10, 11), 0), Error);
  WindowOptions of_letters = options_of(10);
  of_letters.name = "letters.txt";
  EXPECT_EQ(test::error_of([&] { text_windows(counting(1), of_letters, 0); }),
            "letters.txt has 1 tokens: a window needs at least 2");
}

/// The first 100,000 characters of the text that the reference was made with.
std::string reference_text() {
  std::string text = read_text(shared_path() / "data/corpus/valid.jsonl").text;
  std::size_t end = 100000;  // as many bytes hold at most as many characters
  while (code_points(std::string_view(text).substr(0, end)) < 100000) ++end;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  text.resize(end);
  return text;
}

/// Relative error of the perplexity of the default model's reference text.
void expect_reference(Precision precision, double tolerance) {
  const Json expected = read_json(shared_path() / "reference/perplexity.smollm2.json");
  const auto model = load_model(default_model_path(), precision);
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(native_specs(model->config)));
  const std::vector<TokenId> tokens = model->text().encode(reference_text());
  EXPECT_EQ(tokens.size(), expected["tokens"].get<std::size_t>());
  const auto windows = text_windows(tokens, options_of(1024, 0, 8), model->config.max_positions);
  const Perplexity found = measure_perplexity(subject, windows);
  EXPECT_EQ(found.nll.tokens, 8 * 1023);
  EXPECT_EQ(found.nll.mean.n, 8);
  EXPECT_NEAR(found.ppl() / expected["ppl"].get<double>(), 1, tolerance);
}

TEST(PerplexityReference, F32) {
  LB_SKIP_WITHOUT(shared_path() / "reference");
  LB_NEEDS_DEFAULT_MODEL();
  expect_reference(Precision::f32, 1e-3);
}

TEST(PerplexityReference, Bf16) {
  LB_SKIP_WITHOUT(shared_path() / "reference");
  LB_NEEDS_DEFAULT_MODEL();
  expect_reference(Precision::bf16, 5e-3);
}

}  // namespace
}  // namespace layerboost
