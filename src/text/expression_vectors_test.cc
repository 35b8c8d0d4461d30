// What expressions of tokenizer.json match, against an independent implementation (the file says which).
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "text/pre_tokenizer_json.h"
#include "text/splitter.h"

namespace layerboost {
namespace {

Json vectors() { return read_json(fs::path(LAYERBOOST_SOURCE_DIR) / "src/text/testdata/expressions.json"); }

std::vector<SplitStep> steps_of(const Json& step) {
  TokenizerData data;
  data.characters.emplace();  // which needs no ByteLevel
  read_pre_tokenizer(step, data, "test");
  return data.split_steps;
}

/// All characters of the planes that Unicode uses.
std::string every_character() {
  std::string text;
  const auto append = [&](char32_t first, char32_t end) {
    for (char32_t c = first; c < end; ++c) append_utf8(c, text);
  };
  append(1, 0xD800);
  append(0xE000, 0x32400);
  append(0xE0000, 0xE0200);
  return text;
}

TEST(ExpressionVectors, EverySetHasTheSameCharacters) {
  const std::string text = every_character();
  const auto data = Regex::make_match_data();
  const Json file = vectors();
  ASSERT_GT(file["sets"].size(), 50U);
  for (const Json& set : file["sets"]) {
    std::size_t pieces = 0;
    std::uint64_t digest = 0xCBF29CE484222325;
    Splitter(steps_of(set["step"])).split(text, data.get(), [&](std::string_view piece) {
      ++pieces;
      digest = (digest ^ piece.size()) * 0x100000001B3;
    });
    EXPECT_EQ(pieces, set["pieces"]) << set["step"];
    EXPECT_EQ(fmt::format("{:016x}", digest), set["lengths"]) << set["step"];
  }
}

TEST(ExpressionVectors, EveryTextIsCutAtTheSamePlaces) {
  const auto data = Regex::make_match_data();
  const Json file = vectors();
  ASSERT_GT(file["cuts"].size(), 20U);
  for (const Json& example : file["cuts"]) {
    std::vector<std::string> pieces;
    Splitter({{.pattern = example[0].get<std::string>()}})
        .split(example[1].get<std::string>(), data.get(), [&](std::string_view piece) { pieces.emplace_back(piece); });
    EXPECT_EQ(Json(pieces), example[2]) << example[0];
  }
}

}  // namespace
}  // namespace layerboost
