#include "text/splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "text/pre_tokenizer.h"
#include "text/pre_tokenizer_json.h"

namespace layerboost {
namespace {

using testing::ElementsAre;

std::vector<std::string> pieces_of(const std::vector<SplitStep>& steps, std::string_view text) {
  const auto data = Regex::make_match_data();
  std::vector<std::string> pieces;
  Splitter(steps).split(text, data.get(), [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

std::vector<std::string> by_dashes(SplitBehaviour behaviour, bool invert = false) {
  return pieces_of({{.pattern = "-", .behaviour = behaviour, .invert = invert}}, "-a--b-c");
}

// The documentation of Hugging Face's tokenizers has such examples.
TEST(Splitter, Behaviours) {
  EXPECT_THAT(by_dashes(SplitBehaviour::isolated), ElementsAre("-", "a", "-", "-", "b", "-", "c"));
  EXPECT_THAT(by_dashes(SplitBehaviour::removed), ElementsAre("a", "b", "c"));
  EXPECT_THAT(by_dashes(SplitBehaviour::merged_with_previous), ElementsAre("-", "a-", "-", "b-", "c"));
  EXPECT_THAT(by_dashes(SplitBehaviour::merged_with_next), ElementsAre("-a", "-", "-b", "-c"));
  EXPECT_THAT(by_dashes(SplitBehaviour::contiguous), ElementsAre("-", "a", "--", "b", "-", "c"));
  EXPECT_THAT(by_dashes(SplitBehaviour::removed, true), ElementsAre("-", "-", "-", "-"));
  EXPECT_THAT(pieces_of({{.pattern = "-*", .behaviour = SplitBehaviour::merged_with_next}}, "a--b"),
              ElementsAre("a", "--b"));  // nothing right behind the dashes is no match
}

TEST(Splitter, EachStepSeesOnePieceOfTheOneBefore) {
  EXPECT_THAT(pieces_of({{.pattern = "\n"}, {.pattern = "\\s+$"}, {.pattern = "a|^b"}}, "ba  \nba"),
              ElementsAre("b", "a", "  ", "\n", "b", "a"));
  EXPECT_THAT(pieces_of({{.pattern = "(?=(\\d{3})+(?!\\d))"}}, "1234567"), ElementsAre("1", "234", "567"));
}

// The rule of "deepseek-llm" in GGUF is written in the second way, which takes linear time.
TEST(Splitter, WhiteSpaceAtTheEndIsFoundFromItsBeginningToo) {
  for (const char* text : {"", " ", "a", "a ", " a", "a  b   ", "  \t", "a \n b  \n\n", " \n \n x", "\u3000a\u3000 "})
    EXPECT_EQ(pieces_of({{.pattern = "\\s+$"}}, text), pieces_of({{.pattern = "(?<!\\s)\\s+$"}}, text)) << text;
}

TEST(Splitter, StepsAfterByteLevelSeeTheAlphabet) {
  // U+00B2 is the bytes C2 B2, which the alphabet spells as the letter U+00C2 and the digit U+00B2.
  const SplitStep bytes{.pattern = "", .byte_level = true}, digits{.pattern = "\\p{N}"};
  EXPECT_THAT(pieces_of({bytes, digits}, "x\u00B2"), ElementsAre("x\xC2", "\xB2"));
  EXPECT_THAT(pieces_of({digits, bytes}, "x\u00B2"), ElementsAre("x", "\u00B2"));
}

TEST(Splitter, PrefixSpace) {
  const SplitStep step{.pattern = std::string(gpt2_pattern), .prefix_space = true, .byte_level = true};
  EXPECT_THAT(pieces_of({step}, "ab cd"), ElementsAre(" ab", " cd"));
  EXPECT_THAT(pieces_of({step}, " ab"), ElementsAre(" ab"));
  EXPECT_THAT(pieces_of({{.pattern = "-"}, step}, "a-b"), ElementsAre(" a", " -", " b"));
}

TEST(Splitter, RulesWithNamesCutAsTheirSteps) {
  for (const char* name : {"gpt2", "smollm", "llama3", "qwen2"}) {
    TokenizerData data, read;
    data.pre_tokenizer = name;
    const Json json = Json(pre_tokenizer_json(data));
    read_pre_tokenizer(json, read, "test");
    EXPECT_EQ(read.pre_tokenizer, name);
  }
}

TEST(Splitter, OtherStepsAreReadBackFromTheirJson) {
  TokenizerData data, read;
  read_pre_tokenizer(Json::parse(R"({"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"String": "a.b"}, "behavior": "MergedWithNext", "invert": true},
      {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "Punctuation", "behavior": "Contiguous"}]},
      {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "ByteLevel", "use_regex": false}]})"),
                     data, "test");
  EXPECT_EQ(data.pre_tokenizer, "");
  ASSERT_EQ(data.split_steps.size(), 6U);
  EXPECT_EQ(data.split_steps[0].pattern, "a\\.b");
  EXPECT_EQ(data.split_steps[1].pattern, "\\p{N}+");
  EXPECT_EQ(data.split_steps[2].behaviour, SplitBehaviour::contiguous);
  EXPECT_TRUE(data.split_steps[5].prefix_space);
  read_pre_tokenizer(Json(pre_tokenizer_json(data)), read, "test");
  EXPECT_EQ(read.split_steps, data.split_steps);
}

TEST(Splitter, SpaceMarks) {
  const auto pieces = [](bool prefix, bool first_only, Begins begins) {
    const auto data = Regex::make_match_data();
    std::vector<std::string> found;
    Splitter({{.pattern = "b"},
              {.pattern = "_",
               .behaviour = SplitBehaviour::merged_with_next,
               .prefix_space = prefix,
               .first_only = first_only,
               .space_mark = "_"}})
        .split(
            "a  ab c", data.get(), [&](std::string_view piece) { found.emplace_back(piece); }, begins);
    return found;
  };
  EXPECT_THAT(pieces(true, false, Begins::text), ElementsAre("_a", "_", "_a", "_b", "_c"));
  EXPECT_THAT(pieces(true, false, Begins::part), ElementsAre("_a", "_", "_a", "_b", "_c"));
  EXPECT_THAT(pieces(true, false, Begins::nothing), ElementsAre("a", "_", "_a", "_b", "_c"));
  EXPECT_THAT(pieces(true, true, Begins::text), ElementsAre("_a", "_", "_a", "b", "_c"));
  EXPECT_THAT(pieces(true, true, Begins::part), ElementsAre("a", "_", "_a", "b", "_c"));
  EXPECT_THAT(pieces(false, false, Begins::text), ElementsAre("a", "_", "_a", "b", "_c"));
}

}  // namespace
}  // namespace layerboost
