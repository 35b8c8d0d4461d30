// What the pre-tokenizers that GGUF files name make of odd texts.
#include "model/gguf_pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "model/gguf_checkpoint.h"
#include "model/tiny_models_for_tests.h"
#include "text/splitter.h"

namespace layerboost {
namespace {

using test::GgufWriter;
using testing::HasSubstr;

// A null name: the file has none.
TokenizerData data_with(const char* name, const Json& tokens = {"a", "b", "ab"}, const Json& merges = Json::array()) {
  GgufWriter w;
  w.text("general.architecture", "llama");
  w.text("tokenizer.ggml.model", "gpt2");
  if (name != nullptr) w.text("tokenizer.ggml.pre", name);
  w.texts("tokenizer.ggml.tokens", tokens.get<std::vector<std::string>>());
  w.texts("tokenizer.ggml.merges", merges.get<std::vector<std::string>>());
  w.u32("tokenizer.ggml.bos_token_id", 0);
  const std::string bytes = w.file();
  return gguf_tokenizer(GgufFile(test::as_bytes(bytes), "a.gguf"));
}

Tokenizer tokenizer_with(const char* name, const Json& tokens, const Json& merges) {
  return Tokenizer(data_with(name, tokens, merges));
}

Json vectors() { return read_json(fs::path(LAYERBOOST_SOURCE_DIR) / "src/model/testdata/pre_tokenizers.json"); }

// The vocabulary is the same for all, with tokens that go over the borders of pieces.
TEST(GgufPreTokenizer, IdsOfEveryKindAreThoseOfTokenizers) {
  const Json file = vectors();
  ASSERT_GE(file["ids"].size(), 25U);
  for (const auto& [name, ids] : file["ids"].items()) {
    const Tokenizer tokenizer = tokenizer_with(name.c_str(), file["tokens"], file["merges"]);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto text = file["texts"][i].get<std::string>();
      EXPECT_EQ(Json(tokenizer.encode(text)), ids[i]) << name << ": " << file["texts"][i];
    }
  }
}

TEST(GgufPreTokenizer, NamesOfTheSameRule) {
  constexpr std::pair<const char*, const char*> same[] = {
      {"solar-open", "qwen2"},    {"mellum2", "smollm"},    {"kanana2", "gpt-4o"},
      {"talkie", "gpt-4o"},       {"minimax-m2", "gpt-4o"}, {"llama4", "gpt-4o"},
      {"cohere2moe", "tiny_aya"}, {"hy_v4", "deepseek-v3"}, {"joyai-llm", "deepseek-v3"}};
  const Json file = vectors();
  for (const auto& [name, of] : same) {
    const Tokenizer one = tokenizer_with(name, file["tokens"], file["merges"]);
    const Tokenizer other = tokenizer_with(of, file["tokens"], file["merges"]);
    // Marks that nothing is composed with: qwen2 itself normalises.
    for (const char* const text : {"it's 12345 x\u0301X \u4e00\u30a2 a/b//\n  c", "IT'S x 1234567"})
      EXPECT_EQ(one.encode(text), other.encode(text)) << name;
  }
}

// Theirs take quadratic time in such texts.
TEST(GgufPreTokenizer, LongNumbersAndWordsTakeLinearTime) {
  const Json file = vectors();
  for (const char* const name : {"tiny_aya", "afmoe", "superbpe", "exaone-moe", "deepseek-llm"}) {
    const Tokenizer tokenizer = tokenizer_with(name, file["tokens"], file["merges"]);
    for (const std::string text : {"7", "7a", "a ", " ", "7_"}) {
      std::string longest;
      while (longest.size() < 200'000) longest += text;
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(longest)), longest) << name << ": " << text;
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(std::string(200'000, '7') + text)), std::string(200'000, '7') + text);
    }
  }
}

TEST(GgufPreTokenizer, AGuessIsToldOf) {
  const auto warning_of = [](const char* name) {
    testing::internal::CaptureStderr();
    (void)tokenizer_with(name, Json::array({"a"}), Json::array());
    return testing::internal::GetCapturedStderr();
  };
  for (const char* const name : {static_cast<const char*>(nullptr), "default"})
    EXPECT_THAT(warning_of(name),
                HasSubstr("warning: a.gguf: tokenizer.ggml.pre doesn't say how text is cut into words; "
                          "it is cut as GPT-2 does"));
  EXPECT_EQ(warning_of("gpt-2"), "");
}

TEST(GgufPreTokenizer, KnowsManyNames) {
  struct Case {
    const char *pre, *rule;
    bool whole_tokens;
  };
  const Case cases[] = {{"falcon3", "llama3", true},    {"lfm2", "llama3", true}, {"smaug-bpe", "llama3", false},
                        {"kormo", "qwen2", false},      {"phi-2", "gpt2", false}, {"exaone4", "gpt2", false},
                        {"starcoder", "smollm", false}, {"tekken", "", true},     {"deepseek-v3", "", false}};
  for (const Case& expected : cases) {
    const TokenizerData data = data_with(expected.pre);
    EXPECT_EQ(data.pre_tokenizer, expected.rule) << expected.pre;
    EXPECT_EQ(data.ignore_merges, expected.whole_tokens) << expected.pre;
    EXPECT_EQ(data.add_bos, expected.whole_tokens) << expected.pre;
    EXPECT_EQ(data.split_steps.empty(), *expected.rule != '\0') << expected.pre;
  }
}

std::vector<std::string> pieces_of(const Splitter& splitter, std::string_view text) {
  std::vector<std::string> pieces;
  const auto match_data = Regex::make_match_data();
  splitter.split(text, match_data.get(), [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

TEST(GgufPreTokenizer, FalconsRule) {
  const Splitter splitter(data_with("falcon").split_steps);
  EXPECT_THAT(pieces_of(splitter, "it's 12345 a,,b"),
              testing::ElementsAre("it", "'", "s", " ", "123", "45", " a", ",,", "b"));
}

// SuperBPE's own expression, (?=(\\d{3})+(?!\\d)), takes quadratic time.
TEST(GgufPreTokenizer, NumbersAreCutFromTheRight) {
  const Splitter splitter(data_with("superbpe").split_steps);
  EXPECT_THAT(pieces_of(splitter, "ab1234567 12 123x1234"),
              testing::ElementsAre("ab", "1", "234", "567", " ", "12", " ", "123", "x", "1", "234"));
  EXPECT_EQ(pieces_of(splitter, std::string(100'000, '7')).size(), 33'334U);
}

}  // namespace
}  // namespace layerboost
