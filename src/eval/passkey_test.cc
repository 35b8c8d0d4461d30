#include "eval/passkey.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "base/error.h"
#include "eval/tokenizer_for_tests.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

constexpr std::array depths = {0.0, 0.5, 1.0};

TEST(Passkey, PromptsHaveExactlyTheLengthAndHoldTheKeyAtItsDepth) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  for (const int length : {700, 1001, 1013}) {
    const auto items = passkey_items(tokenizer, length, depths, 2, 1);
    ASSERT_EQ(items.size(), 6U);
    for (const PasskeyItem& item : items) {
      EXPECT_EQ(static_cast<int>(item.prompt.size()), length);
      const std::string prompt = tokenizer.decode(item.prompt), answer = tokenizer.decode(item.answer);
      ASSERT_EQ(answer.size(), 6U);
      const std::string key = "The pass key is" + answer + ". Remember it." + answer + " is the pass key.";
      const std::size_t place = prompt.find(key), question = prompt.rfind(" What is the pass key? The pass key is");
      ASSERT_NE(place, std::string::npos) << prompt;
      EXPECT_EQ(prompt.size() - question, 38U);
      EXPECT_TRUE(prompt.substr(0, place).ends_with(". "));
      const std::size_t before = place - prompt.find("there.") - 7, after = question - place - key.size();
      EXPECT_NEAR(static_cast<double>(before) / static_cast<double>(before + after), item.depth, 0.05 + 0.04);
    }
  }
}

TEST(Passkey, KeysComeFromTheSeed) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  const auto first = passkey_items(tokenizer, 700, depths, 2, 1), again = passkey_items(tokenizer, 700, depths, 2, 1);
  const auto other = passkey_items(tokenizer, 700, depths, 2, 2);
  EXPECT_EQ(first[3].prompt, again[3].prompt);
  EXPECT_NE(first[3].answer, other[3].answer);
  EXPECT_NE(first[0].answer, first[1].answer);
}

TEST(Passkey, KeysOfOneDepthStandAtDifferentPlaces) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  std::set<std::size_t> places;
  for (const PasskeyItem& item : passkey_items(tokenizer, 4000, std::array{0.5}, 10, 1))
    places.insert(tokenizer.decode(item.prompt).find("The pass key"));
  EXPECT_EQ(places.size(), 10U);
}

TEST(Passkey, BeginsWithBos) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  const auto items = passkey_items(tokenizer, 700, depths, 1, 1, tokenizer.bos());
  EXPECT_EQ(items[0].prompt.size(), 700U);
  EXPECT_EQ(items[0].prompt.front(), tokenizer.bos());
}

TEST(Passkey, LimitsOfTheLength) {
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  EXPECT_THROW(check_passkey(tokenizer, 200, -1, 0), Error);
  EXPECT_NO_THROW(check_passkey(tokenizer, 500, -1, 506));
  EXPECT_THROW(check_passkey(tokenizer, 500, -1, 505), Error);
}

TEST(Passkey, SummaryByDepth) {
  std::vector<PasskeyItem> items;
  for (const double depth : {0.2, 0.2, 0.8}) items.push_back({64, depth, {}, {}});
  const std::vector<Score> scores = {{-1, true, 6}, {-3, false, 6}, {-0.5, true, 6}};
  const PasskeyResult result = summarize_passkey(items, scores);
  EXPECT_EQ(result.length, 64);
  EXPECT_DOUBLE_EQ(result.acc.mean, 2.0 / 3);
  EXPECT_DOUBLE_EQ(result.log_prob.mean, -1.5);
  ASSERT_EQ(result.depths.size(), 2U);
  EXPECT_DOUBLE_EQ(result.depths[0].acc.mean, 0.5);
  EXPECT_DOUBLE_EQ(result.depths[1].log_prob.mean, -0.5);
}

TEST(Passkey, TheDefaultModelFindsThem) {
  LB_NEEDS_DEFAULT_MODEL();
  const auto model = load_model(default_model_path(), Precision::bf16);
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(native_specs(model->config)));
  const auto items = passkey_items(model->text(), 512, std::array{0.1, 0.5, 0.9}, 2, 0);
  std::vector<Request> requests;
  for (const PasskeyItem& item : items) requests.push_back({item.prompt, item.answer});
  const PasskeyResult result = summarize_passkey(items, score_requests(subject, requests));
  EXPECT_EQ(result.acc.mean, 1);
  EXPECT_GT(result.log_prob.mean, -1.5);
}

}  // namespace
}  // namespace layerboost
