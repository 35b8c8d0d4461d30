#include "text/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

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
  ASSERT_EQ(data.added.size(), 2U);
  EXPECT_EQ(data.added[1].content, "ab");  // as EOS it is a special token, too
  EXPECT_EQ(data.added[1].id, 2);
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

Json template_beginning_with(const char* token) {
  Json processors =
      Json::parse(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "?", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}]})");
  processors["processors"][1]["single"][0]["SpecialToken"]["id"] = token;
  return processors;
}

TEST(TokenizerJson, TextsBeginWithWhatTheTemplateSaysWhateverTheConfigurationDoes) {
  Json json = gpt2_json();
  EXPECT_FALSE(parse_tokenizer_json(json.dump(), R"({"bos_token": "<bos>", "add_bos_token": true})").add_bos);
  json["post_processor"] = template_beginning_with("<bos>");
  for (const char* config : {R"({"bos_token": "<bos>"})", R"({"bos_token": "<bos>", "add_bos_token": false})", "{}"}) {
    const TokenizerData data = parse_tokenizer_json(json.dump(), config);
    EXPECT_TRUE(data.add_bos) << config;
    EXPECT_EQ(data.text_start, 3) << config;
  }
  json["post_processor"] = template_beginning_with("b");  // another token than BOS
  const Tokenizer tokenizer(parse_tokenizer_json(json.dump(), R"({"bos_token": "<bos>"})"));
  EXPECT_EQ(tokenizer.bos(), 3);
  EXPECT_EQ(tokenizer.text_start(), 1);
  json["post_processor"] = template_beginning_with("<nowhere>");
  EXPECT_THAT(error_of(json), HasSubstr("adds \"<nowhere>\", which is not in the vocabulary"));
}

TEST(TokenizerJson, SpecialTokensMapCountsWithoutAddedTokensDecoder) {
  const char* map = R"({"bos_token": {"content": "<bos>"}, "eos_token": "b"})";
  const TokenizerData data = parse_tokenizer_json(gpt2_json().dump(), R"({"bos_token": null, "eos_token": "a"})", map);
  EXPECT_EQ(data.bos, 3);
  EXPECT_EQ(data.eos, 1);
  const TokenizerData told =
      parse_tokenizer_json(gpt2_json().dump(), R"({"eos_token": "a", "added_tokens_decoder": {}})", map);
  EXPECT_EQ(told.bos, 3);  // nothing else says it
  EXPECT_EQ(told.eos, 0);
}

TEST(TokenizerJson, TokensThatOnlyTheSettingsTellFollowTheOthers) {
  const auto contents = [](const TokenizerFiles& files) {
    std::vector<std::string> found;
    for (const AddedToken& token : parse_tokenizer_files(files).added)
      found.push_back(fmt::format("{} {} {}", token.id, token.content, token.special));
    return found;
  };
  TokenizerFiles files{.tokenizer = gpt2_json().dump(), .config = "", .special_tokens = "", .added_tokens = ""};
  files.config = R"({"added_tokens_decoder": {"12": {"content": "<z>", "special": false}, "9": {"content": "<y>"}},
                     "pad_token": "<pad>", "additional_special_tokens": ["<q>", {"content": "<y>"}]})";
  EXPECT_THAT(contents(files), ElementsAre("3 <bos> true", "4 <y> true", "5 <z> false", "6 <pad> true", "7 <q> true"));
  files.config = R"({"eos_token": "<eos>", "extra_special_tokens": {"image_token": "<img>"}})";
  files.added_tokens = R"({"<late>": 9, "<early>": 7})";
  EXPECT_THAT(contents(files),
              ElementsAre("3 <bos> true", "4 <early> false", "5 <late> false", "6 <eos> true", "7 <img> true"));
  const TokenizerData data = parse_tokenizer_files(files);
  EXPECT_EQ(data.eos, 6);
  EXPECT_THAT(Tokenizer(data).encode("a<eos>b<img>"), ElementsAre(0, 6, 1, 7));
  files.config = R"({"added_tokens_decoder": {"x": {"content": "<z>"}}})";
  EXPECT_THAT(test::error_of([&] { contents(files); }), HasSubstr("\"x\" under \"added_tokens_decoder\""));
  files.config = R"({"eos_token": 5})";
  EXPECT_THAT(test::error_of([&] { contents(files); }), HasSubstr("should be a string or an object, not number"));
}

TEST(TokenizerJson, ReadsVocabAndMergesWithoutTokenizerJson) {
  const fs::path directory = test::temporary_path("vocab_and_merges_test");
  write_file(directory / "vocab.json", R"({"a": 0, "b": 1, "ab": 2, "\u0120": 3})");
  write_file(directory / "merges.txt", "#version: 0.2\r\na b\r\n\n");
  const auto with_class = [&](const char* name) {
    write_file(directory / "tokenizer_config.json", fmt::format(R"({{"tokenizer_class": "{}"}})", name));
    return read_tokenizer_json(directory.string());
  };
  const TokenizerData gpt2 = with_class("GPT2Tokenizer"), qwen2 = with_class("Qwen2TokenizerFast");
  EXPECT_EQ(gpt2.pre_tokenizer, "gpt2");
  EXPECT_FALSE(gpt2.nfc);
  EXPECT_EQ(qwen2.pre_tokenizer, "qwen2");
  EXPECT_TRUE(qwen2.nfc);
  EXPECT_THAT(Tokenizer(gpt2).encode("ab a"), ElementsAre(2, 3, 0));
  EXPECT_THAT(test::error_of([&] { with_class("BartTokenizer"); }), HasSubstr("of class \"BartTokenizer\""));
  fs::remove_all(directory);
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
  std::string parts = R"({"type": "TemplateProcessing", "single": [{"Sequence": {}})";
  for (int i = 0; i < 64; ++i) parts += R"(, {"SpecialToken": {"id": "b"}})";
  parts += R"(], "special_tokens": {"b": {"ids": []}}})";
  const Case cases[] = {
      {"/post_processor", parts.c_str(), "\"single\" of the post-processor has more than 64 parts"},
      {"/model/type", R"("Unigram")", "dir/tokenizer.json: the model is of type \"Unigram\""},
      {"/model/byte_fallback", "true", "byte fallback"},
      {"/model/dropout", "0.1", "\"model.dropout\", which makes a text's tokens a matter of chance"},
      {"/model/unk_token", R"("<none>")", "\"unk_token\" is \"<none>\", which is not in the vocabulary"},
      {"/post_processor", R"({"type": "X"})", "the post-processor \"X\" is not supported"},
      {"/post_processor", R"({"type": "BertProcessing", "cls": "a"})", "\"cls\" of the post-processor should be"},
      {"/post_processor", R"({"type": "BertProcessing", "cls": ["a", 4]})", "puts token 4 before a text"},
      {"/post_processor", R"({"type": "TemplateProcessing"})", "\"single\" of the post-processor must be a list"},
      {"/post_processor", R"({"type": "TemplateProcessing", "single": []})", "has the text 0 times"},
      {"/post_processor", R"({"type": "TemplateProcessing", "single": [5]})", "neither a text nor a token"},
      {"/post_processor", R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "b"}}, {"Sequence": {}}],
                              "special_tokens": {"b": {"ids": [0, 1]}}})",
       "puts several tokens before a text; only one"},
      {"/post_processor", R"({"type": "Sequence", "processors": [{"type": "BertProcessing", "cls": ["a", 0]},
                              {"type": "BertProcessing", "cls": ["a", 0]}]})",
       "several post-processors that add tokens"},
      {"/pre_tokenizer", R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"},
                             {"type": "Metaspace", "replacement": "_", "prepend_scheme": "never"}]})",
       "a \"Metaspace\" behind \"ByteLevel\""},
      {"/model/end_of_word_suffix", R"("</w>")", "end_of_word_suffix"},
      {"/model/vocab", "1", "model.vocab"},
      {"/model/vocab/a", R"("x")", "\"a\" is not an integer"},
      {"/model/vocab/a", "-1", "has id -1"},
      {"/model/vocab/a", "1099511627776", "ids go from 0"},
      {"/model/vocab/a", "1", "id 1 is both"},
      {"/model/merges/0", "5", "merge 0"},
      {"/normalizer", R"({"type": "NFKC"})", "\"NFKC\""},
      {"/pre_tokenizer", R"({"type": "BertPreTokenizer"})", "the pre-tokenizer \"BertPreTokenizer\" is not supported"},
      {"/pre_tokenizer", R"({"type": "Metaspace", "replacement": "_"})", "0 steps of the pre-tokenizer"},
      {"/pre_tokenizer", R"({"type": "Whitespace"})", "0 steps of the pre-tokenizer are \"ByteLevel\""},
      {"/pre_tokenizer", R"({"type": "Sequence"})", "a list of \"pretokenizers\""},
      {"/pre_tokenizer", R"({"type": "Split", "pattern": {}})", "has no \"pattern\""},
      {"/pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Eaten"})", "\"Eaten\"; known"},
      {"/pre_tokenizer", "null", "0 steps"},
  };
  for (const Case& wrong : cases) {
    Json json = gpt2_json();
    json[Json::json_pointer(wrong.pointer)] = Json::parse(wrong.value);
    EXPECT_THAT(error_of(json), HasSubstr(wrong.message)) << wrong.pointer;
  }
  Json many = gpt2_json();
  many["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", std::vector<Json>(65, many["pre_tokenizer"])}};
  EXPECT_THAT(error_of(many), HasSubstr("more than 64 steps"));
  EXPECT_THAT(error_of(Json::array()), HasSubstr("missing \"model\""));
  EXPECT_THAT(error_of(gpt2_json(), "{"), HasSubstr("dir/tokenizer_config.json: not valid JSON"));
  EXPECT_THROW(parse_tokenizer_json(std::string(100'000, '[')), Error);
}

Json sentencepiece_json() {
  return Json::parse(R"({
    "added_tokens": [{"id": 0, "content": "<unk>", "special": true}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                                       {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "pre_tokenizer": null,
    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                                 {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
              "vocab": {"<unk>": 0, "<0x21>": 1, "▁": 2, "a": 3, "▁a": 4}, "merges": [["▁", "a"]]}})");
}

TEST(TokenizerJson, ReadsByteFallback) {
  const TokenizerData data = parse_tokenizer_json(sentencepiece_json().dump());
  ASSERT_TRUE(data.characters);
  EXPECT_TRUE(data.fuse_unknown);
  EXPECT_EQ(data.unknown, 0);
  EXPECT_EQ(data.characters->space, "▁");
  EXPECT_EQ(data.characters->leading_spaces, 1);
  EXPECT_TRUE(data.split_steps.empty());
  const Tokenizer tokenizer(data);
  EXPECT_THAT(tokenizer.encode("a a!"), ElementsAre(4, 4, 1));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a a!")), "a a!");
}

TEST(TokenizerJson, ReadsMetaspaceAsPreTokenizerAndDecoder) {
  Json json = sentencepiece_json();
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"add_prefix_space", false}};
  json["decoder"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}};
  const TokenizerData data = parse_tokenizer_json(json.dump());
  ASSERT_EQ(data.split_steps.size(), 1U);
  EXPECT_FALSE(data.split_steps[0].prefix_space);
  EXPECT_EQ(data.split_steps[0].pattern, "▁");
  EXPECT_EQ(data.characters->leading_spaces, 1);
  json["decoder"] = nullptr;
  EXPECT_EQ(parse_tokenizer_json(json.dump()).characters->space, "▁");
}

TEST(TokenizerJson, NamesWhatIsWrongWithByteFallback) {
  struct Case {
    const char *pointer, *value, *message;
  };
  const Case cases[] = {
      {"/model/unk_token", R"("<none>")", "\"unk_token\" is \"<none>\", which is not in the vocabulary"},
      {"/pre_tokenizer", R"({"type": "ByteLevel"})", "byte fallback beside the pre-tokenizer \"ByteLevel\""},
      {"/pre_tokenizer", R"({"type": "Metaspace", "replacement": "ab"})", "it must be one character"},
      {"/pre_tokenizer", R"({"type": "Metaspace", "replacement": "a", "prepend_scheme": "x"})", "known: first"},
      {"/decoder", R"({"type": "CTC"})", "the decoder \"CTC\" is not supported"},
      {"/decoder", R"({"type": "Sequence"})", "a list of \"decoders\""},
      {"/decoder", R"({"type": "Strip", "content": " ", "start": 1, "stop": 0})", "behind \"Fuse\""},
      {"/decoder", R"({"type": "Replace", "pattern": {"String": "a"}, "content": "b"})", "makes a text a space"},
      {"/decoder", R"({"type": "Sequence", "decoders": [{"type": "Metaspace", "replacement": "▁"},
                       {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})",
       "only once"},
      {"/decoder", R"({"type": "Sequence", "decoders": [{"type": "Fuse"},
                       {"type": "Strip", "content": " ", "start": 1, "stop": 0},
                       {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}]})",
       "before it makes spaces"},
  };
  for (const Case& wrong : cases) {
    Json json = sentencepiece_json();
    json[Json::json_pointer(wrong.pointer)] = Json::parse(wrong.value);
    EXPECT_THAT(error_of(json), HasSubstr(wrong.message)) << wrong.pointer;
  }
}

TEST(TokenizerJson, RefusesMetaspaceWhereATextsBeginningIsLost) {
  const auto refuses = [](const char* normalizer, const char* steps_before) {
    Json json = sentencepiece_json();
    json["normalizer"] = Json::parse(normalizer);
    Json steps = Json::parse(steps_before);
    steps.push_back({{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}});
    json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", steps}};
    try {
      parse_tokenizer_json(json.dump());
      return false;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("of a \"Metaspace\" is not supported behind"));
      return true;
    }
  };
  const auto replace = [](const char* pattern, const char* content) {
    return Json{{"type", "Replace"}, {"pattern", {{"String", pattern}}}, {"content", content}}.dump();
  };
  const char* prepend = R"({"type": "Prepend", "prepend": "_"})";
  const char* digits = R"([{"type": "Digits"}])";
  const char* spaced = R"([{"type": "Metaspace", "replacement": "_"}])";
  EXPECT_TRUE(refuses(replace("a", "").c_str(), "[]"));
  EXPECT_TRUE(refuses(replace("ab", "é").c_str(), "[]"));
  EXPECT_TRUE(refuses(replace("a", "bc").c_str(), digits));
  EXPECT_TRUE(refuses(prepend, digits));
  EXPECT_TRUE(refuses("null", spaced));
  EXPECT_FALSE(refuses("null", "[]"));
  EXPECT_FALSE(refuses("null", digits));
  EXPECT_FALSE(refuses(prepend, "[]"));
  EXPECT_FALSE(refuses(replace("a", "bc").c_str(), "[]"));
  EXPECT_FALSE(refuses(replace(" ", "▁").c_str(), digits));
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
