#include "text/normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error_for_tests.h"
#include "text/normalizer_json.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

TEST(Normalizer, StepByStep) {
  const Normalizer normalizer(true, {{"", "<"}, {" ", "__"}, {"__<", "!"}, {"", ">"}});
  EXPECT_EQ(normalizer("a b"), "><a__b");
  EXPECT_EQ(normalizer("a b", false), "a__b");
  EXPECT_EQ(normalizer(" <  <"), "><!__!");
  EXPECT_EQ(normalizer("e\u0301"), "><\u00E9");
  EXPECT_EQ(normalizer(""), "");
}

TEST(Normalizer, LeavesWhatDoesNotChangeWhereItIs) {
  const Normalizer normalizer(true, {{"x", "y"}});
  const std::string text = "abc";
  std::string buffer;
  EXPECT_EQ(normalizer.apply(text, true, buffer).data(), text.data());
}

TEST(NormalizerJson, ReadsAndWrites) {
  const auto read = [](const char* text) {
    TokenizerData data;
    read_normalizer(Json::parse(text), data, "file");
    return data;
  };
  const char* steps = R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Sequence", "normalizers":
    [{"type": "Prepend", "prepend": "_"}]}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]})";
  const TokenizerData data = read(steps);
  EXPECT_TRUE(data.nfc);
  EXPECT_EQ(data.rewriting, (std::vector<RewriteStep>{{"", "_"}, {" ", "_"}}));
  const TokenizerData again = read(normalizer_json(data).dump().c_str());
  EXPECT_TRUE(again.nfc);
  EXPECT_EQ(again.rewriting, data.rewriting);
  EXPECT_TRUE(normalizer_json(read("null")).is_null());
  const auto error = [&](const char* text) { return test::error_of([&] { read(text); }); };
  EXPECT_THAT(error(R"({"type": "Lowercase"})"), HasSubstr("file: normalizer \"Lowercase\" is not supported"));
  EXPECT_THAT(error(R"({"type": "Replace", "pattern": {"Regex": "a"}, "content": "b"})"), HasSubstr("\"String\""));
  EXPECT_THAT(error(R"({"type": "Replace", "pattern": {"String": ""}, "content": "b"})"), HasSubstr("empty"));
  EXPECT_THAT(error(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "a"}, {"type": "NFC"}]})"),
              HasSubstr("after other steps"));
  EXPECT_THAT(error(R"({"type": "Sequence"})"), HasSubstr("list of \"normalizers\""));
  EXPECT_THAT(
      error(("{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"" + std::string(65, 'b') + "\"}")
                .c_str()),
      HasSubstr("more than 64 times"));
  std::string deep = R"({"type": "NFC"})";
  for (int i = 0; i < 10; ++i) deep = R"({"type": "Sequence", "normalizers": [)" + deep + "]}";
  EXPECT_THAT(error(deep.c_str()), HasSubstr("list of \"normalizers\""));
  const auto long_text = [](const char* before, const char* after) { return before + std::string(1025, 'a') + after; };
  EXPECT_THAT(error(long_text(R"({"type": "Prepend", "prepend": ")", "\"}").c_str()), HasSubstr("1025 bytes in front"));
  EXPECT_THAT(error(long_text(R"({"type": "Replace", "content": "", "pattern": {"String": ")", "\"}}").c_str()),
              HasSubstr("looks for 1025 bytes"));
}

}  // namespace
}  // namespace layerboost
