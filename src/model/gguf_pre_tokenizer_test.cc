// What the pre-tokenizers that GGUF files name make of odd texts.
#include "model/gguf_pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "model/gguf_checkpoint.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {
namespace {

using test::GgufWriter;
using testing::HasSubstr;

// A null name: the file has none.
Tokenizer tokenizer_with(const char* name, const Json& tokens, const Json& merges) {
  GgufWriter w;
  w.text("general.architecture", "llama");
  w.text("tokenizer.ggml.model", "gpt2");
  if (name != nullptr) w.text("tokenizer.ggml.pre", name);
  w.texts("tokenizer.ggml.tokens", tokens.get<std::vector<std::string>>());
  w.texts("tokenizer.ggml.merges", merges.get<std::vector<std::string>>());
  const std::string bytes = w.file();
  return Tokenizer(gguf_tokenizer(GgufFile(test::as_bytes(bytes), "a.gguf")));
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
      {"solar-open", "qwen2"},      {"mellum2", "smollm"},
      {"kanana2", "gpt-4o"},        {"talkie", "gpt-4o"},
      {"minimax-m2", "gpt-4o"},     {"llama4", "gpt-4o"},
      {"cohere2moe", "tiny_aya"},   {"hy_v4", "deepseek-v3"},
      {"joyai-llm", "deepseek-v3"}, {"granite-embed-multi-97m", "gpt-4o"}};
  const Json file = vectors();
  for (const auto& [name, of] : same) {
    const Tokenizer one = tokenizer_with(name, file["tokens"], file["merges"]);
    const Tokenizer other = tokenizer_with(of, file["tokens"], file["merges"]);
    for (const char* const text : {"it's 12345 e\u0301X \u4e00\u30a2 a/b//\n  c", "IT'S x 1234567"})
      EXPECT_EQ(one.encode(text).size(), other.encode(text).size()) << name;
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

}  // namespace
}  // namespace layerboost
