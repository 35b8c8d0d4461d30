// Small tokenizers and their ids from an independent implementation (each file says which), awkward Unicode and added
// tokens.
#include <gtest/gtest.h>

#include "base/json.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace layerboost {
namespace {

class TokenizerVectors : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerVectors, SameIds) {
  const Json file =
      read_json(fs::path(LAYERBOOST_SOURCE_DIR) / "src/text/testdata" / (std::string(GetParam()) + ".json"));
  TokenizerData data = parse_tokenizer_json(file["tokenizer"].dump());
  EXPECT_EQ(data.pre_tokenizer, GetParam());
  const Tokenizer tokenizer(std::move(data));
  ASSERT_GT(file["cases"].size(), 20U);
  for (const Json& example : file["cases"]) {
    const auto text = example["text"].get<std::string>();
    EXPECT_EQ(Json(tokenizer.encode(text)), example["ids"]) << example["text"];
    EXPECT_EQ(Json(tokenizer.encode(text, false)), example["plain_ids"]) << example["text"];
  }
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerVectors, testing::Values("gpt2", "smollm", "llama3", "qwen2"),
                         [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace layerboost
