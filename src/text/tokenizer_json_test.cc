#include "text/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error_for_tests.h"
#include "base/json.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Json gpt2_json() {
  return Json::parse(R"({
    "added_tokens": [{"id": 3, "content": "<bos>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false, "special": true}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
    "post_processor": {"type": "ByteLevel", "trim_offsets": false},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
              "fuse_unk": false, "vocab": {"ab": 2, "a": 0, "b": 1}, "merges": ["a b"]}})");
}

std::string error_of(const Json& json, const char* config = "", const char* special = "") {
  return test::error_of([&] { parse_tokenizer_json(json.dump(), config, special, "dir"); });
}

TEST(TokenizerJson, ReadsGpt2) {
  const TokenizerData data =
      parse_tokenizer_json(gpt2_json().dump(), R"({"bos_token": "<bos>", "eos_token": {"content": "ab"}})");
  EXPECT_THAT(data.tokens, ElementsAre("a", "b", "ab", "<bos>"));
  EXPECT_THAT(data.merges, ElementsAre("a b"));
  ASSERT_EQ(data.added.size(), 1U);
  EXPECT_EQ(data.added[0].id, 3);
  EXPECT_TRUE(data.added[0].special);
  EXPECT_TRUE(data.added[0].rstrip);
  EXPECT_FALSE(data.added[0].lstrip);
  EXPECT_EQ(data.pre_tokenizer, "gpt2");
  EXPECT_EQ(data.bos, 3);
  EXPECT_EQ(data.eos, 2);
  EXPECT_FALSE(data.nfc);
  EXPECT_FALSE(data.add_bos);
  EXPECT_FALSE(data.ignore_merges);
}

TEST(TokenizerJson, ReadsMergesAsPairsNfcAndIgnoreMerges) {
  Json json = gpt2_json();
  json["model"]["merges"] = Json::parse(R"([["a", "b"]])");
  json["model"]["ignore_merges"] = true;
  json["normalizer"] = {{"type", "NFC"}};
  const TokenizerData data = parse_tokenizer_json(json.dump());
  EXPECT_THAT(data.merges, ElementsAre("a b"));
  EXPECT_TRUE(data.nfc);
  EXPECT_TRUE(data.ignore_merges);
  EXPECT_EQ(data.bos, -1);
}

TEST(TokenizerJson, BosIsAddedWhereTheConfigurationOrElseTheTemplateSaysSo) {
  Json json = gpt2_json();
  json["post_processor"] =
      Json::parse(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}]})");
  EXPECT_TRUE(parse_tokenizer_json(json.dump(), R"({"bos_token": "<bos>"})").add_bos);
  EXPECT_FALSE(parse_tokenizer_json(json.dump(), R"({"bos_token": "<bos>", "add_bos_token": false})").add_bos);
  EXPECT_FALSE(parse_tokenizer_json(json.dump(), R"({"bos_token": "a"})").add_bos);
  EXPECT_TRUE(parse_tokenizer_json(gpt2_json().dump(), R"({"bos_token": "<bos>", "add_bos_token": true})").add_bos);
}

TEST(TokenizerJson, SpecialTokensMapFillsWhatTheConfigurationLacks) {
  const TokenizerData data = parse_tokenizer_json(gpt2_json().dump(), R"({"bos_token": null, "eos_token": "a"})",
                                                  R"({"bos_token": {"content": "<bos>"}, "eos_token": "b"})");
  EXPECT_EQ(data.bos, 3);
  EXPECT_EQ(data.eos, 0);
}

TEST(TokenizerJson, ChatTemplates) {
  EXPECT_EQ(parse_tokenizer_json(gpt2_json().dump(), R"({"chat_template": "T"})").chat_template, "T");
  const char* several =
      R"({"chat_template": [{"name": "tool_use", "template": "U"}, {"name": "default", "template": "D"}]})";
  EXPECT_EQ(parse_tokenizer_json(gpt2_json().dump(), several).chat_template, "D");
}

TEST(TokenizerJson, NamesWhatIsWrong) {
  struct Case {
    const char *pointer, *value, *message;
  };
  const Case cases[] = {
      {"/model/type", R"("Unigram")", "dir/tokenizer.json: the model is of type \"Unigram\""},
      {"/model/byte_fallback", "true", "byte fallback"},
      {"/model/end_of_word_suffix", R"("</w>")", "end_of_word_suffix"},
      {"/model/vocab", "1", "model.vocab"},
      {"/model/vocab/a", R"("x")", "\"a\" is not an integer"},
      {"/model/vocab/a", "-1", "has id -1"},
      {"/model/vocab/a", "1099511627776", "ids go from 0"},
      {"/model/vocab/a", "1", "id 1 is both"},
      {"/model/merges/0", "5", "merge 0"},
      {"/added_tokens/0/single_word", "true", "single_word"},
      {"/normalizer", R"({"type": "NFKC"})", "\"NFKC\""},
      {"/pre_tokenizer", R"({"type": "Whitespace"})", "unknown pre-tokenizer {\"type\":\"Whitespace\"}"},
      {"/pre_tokenizer", "null", "unknown pre-tokenizer"},
      {"/pre_tokenizer/add_prefix_space", "true", "add_prefix_space"},
      {"/pre_tokenizer/use_regex", "false", "unknown pre-tokenizer"},
  };
  for (const Case& wrong : cases) {
    Json json = gpt2_json();
    json[Json::json_pointer(wrong.pointer)] = Json::parse(wrong.value);
    EXPECT_THAT(error_of(json), HasSubstr(wrong.message)) << wrong.pointer;
  }
  EXPECT_THAT(error_of(Json::array()), HasSubstr("missing \"model\""));
  EXPECT_THAT(error_of(gpt2_json(), "{"), HasSubstr("dir/tokenizer_config.json: not valid JSON"));
  EXPECT_THAT(error_of(gpt2_json(), R"({"bos_token": "<s>"})"), HasSubstr("\"bos_token\" is \"<s>\", which is not in"));
  EXPECT_THROW(parse_tokenizer_json(std::string(100'000, '[')), Error);
}

TEST(TokenizerJson, ReadsADirectory) {
  const fs::path directory = test::temporary_path("tokenizer_json_test");
  EXPECT_THROW(read_tokenizer_json(directory.string()), Error);
  write_json(directory / "tokenizer.json", gpt2_json());
  write_file(directory / "tokenizer_config.json", R"({"bos_token": "<bos>", "chat_template": "in the configuration"})");
  EXPECT_EQ(read_tokenizer_json(directory.string()).bos, 3);
  EXPECT_EQ(read_tokenizer_json(directory.string()).chat_template, "in the configuration");
  write_file(directory / "chat_template.jinja", "in its own file");
  EXPECT_EQ(read_tokenizer_json(directory.string()).chat_template, "in its own file");
  fs::remove_all(directory);
}

}  // namespace
}  // namespace layerboost
