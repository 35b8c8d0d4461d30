// The default model's tokenizer against an independent implementation's ids, and over a corpus.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "model/checkpoint.h"
#include "text/tokenizer.h"

namespace layerboost {
namespace {

const fs::path shared = fs::path(LAYERBOOST_SOURCE_DIR) / "../shared";

fs::path default_model() { return cache_dir() / "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"; }

TEST(TokenizerReference, SameIdsAndText) {
  const fs::path reference = shared / "reference/tokenizer.smollm2.jsonl";
  if (!fs::exists(reference)) GTEST_SKIP() << "no reference: " << reference;
  if (!fs::exists(default_model())) GTEST_SKIP() << "no default model: " << default_model();
  const Tokenizer tokenizer(open_checkpoint(default_model())->tokenizer());
  std::ifstream lines(reference);
  int cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    const Json expected = Json::parse(line);
    const auto ids = tokenizer.encode(expected["text"].get<std::string>());
    EXPECT_EQ(Json(ids), expected["ids"]) << line;
    EXPECT_EQ(tokenizer.decode(ids), expected["decoded"].get<std::string>()) << line;
  }
  EXPECT_GE(cases, 30);
}

TEST(TokenizerReference, AMegabyteOfTheCorpusRoundTrips) {
  const fs::path corpus = shared / "data/corpus/train.jsonl";
  if (!fs::exists(corpus)) GTEST_SKIP() << "no corpus: " << corpus;
  if (!fs::exists(default_model())) GTEST_SKIP() << "no default model: " << default_model();
  const Tokenizer tokenizer(open_checkpoint(default_model())->tokenizer());
  std::ifstream lines(corpus);
  std::size_t bytes = 0;
  for (std::string line; bytes < 1'000'000 && std::getline(lines, line);) {
    const auto text = Json::parse(line)["text"].get<std::string>();
    const auto ids = tokenizer.encode(text);
    ASSERT_TRUE(tokenizer.decode(ids) == text) << text.substr(0, 200);
    StreamDecoder decoder(tokenizer);
    std::string streamed;
    for (const TokenId id : ids) streamed += decoder.push(id);
    ASSERT_TRUE(streamed + decoder.finish() == text) << text.substr(0, 200);
    bytes += text.size();
  }
  EXPECT_GE(bytes, 1'000'000U);
}

}  // namespace
}  // namespace layerboost
