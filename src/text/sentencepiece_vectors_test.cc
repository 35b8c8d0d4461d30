// Small tokenizers in the style of SentencePiece, and their ids and texts from an independent implementation (the file
// says which).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace layerboost {
namespace {

/// The tokenizer.json of a variant: what it has in common with the others, and what it has of its own.
Json tokenizer_of(const Json& file, const Json& variant) {
  Json json = {{"added_tokens", file["added_tokens"]}, {"model", file["model"]}};
  for (const char* key : {"normalizer", "pre_tokenizer", "decoder"}) json[key] = variant[key];
  for (const char* key : {"fuse_unk", "ignore_merges"})
    if (variant.contains(key)) json["model"][key] = variant[key];
  Json& vocab = json["model"]["vocab"];
  for (const Json& token : variant.value("without", Json::array())) {
    vocab["no " + token.get<std::string>()] = Json(vocab[token.get<std::string>()]);
    vocab.erase(token.get<std::string>());
  }
  for (const Json& merge : variant.value("extra_merges", Json::array())) json["model"]["merges"].push_back(merge);
  return json;
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

TEST(SentencePieceVectors, SameIdsAndTexts) {
  const Json file = read_json(fs::path(LAYERBOOST_SOURCE_DIR) / "src/text/testdata/sentencepiece.json");
  ASSERT_GE(file["variants"].size(), 12U);
  for (const Json& variant : file["variants"]) {
    SCOPED_TRACE(variant["name"].get<std::string>());
    const Tokenizer tokenizer(parse_tokenizer_json(tokenizer_of(file, variant).dump()));
    ASSERT_GT(variant["cases"].size(), 30U);
    for (const Json& example : variant["cases"]) {
      const auto text = example["text"].get<std::string>();
      const std::vector<TokenId> ids = tokenizer.encode(text);
      EXPECT_EQ(Json(ids), example["ids"]) << example["text"];
      EXPECT_EQ(Json(tokenizer.encode(text, false)), example.value("plain_ids", example["ids"])) << example["text"];
      EXPECT_EQ(tokenizer.decode(ids, true), example["decoded"].get<std::string>()) << example["text"];
      EXPECT_EQ(streamed(tokenizer, ids), example["decoded"].get<std::string>()) << example["text"];
    }
  }
}

}  // namespace
}  // namespace layerboost
