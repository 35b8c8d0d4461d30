#include "model/gguf_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error_for_tests.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {
namespace {

using test::as_bytes;
using test::GgufWriter;
using testing::HasSubstr;
using testing::Not;

/// The message of the Error that `bytes` deserve.
std::string message_of_gguf(const std::string& bytes) {
  const std::string message = test::error_of([&] { const GgufFile file(as_bytes(bytes), "a.gguf"); });
  EXPECT_THAT(message, testing::AnyOf("no error", HasSubstr("a.gguf")));
  return message;
}

template <typename T>
void overwrite(std::string& bytes, std::size_t at, T value) {
  ASSERT_LE(at + sizeof value, bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

TEST(GgufFile, ReadsMetadataOfEveryUsedType) {
  GgufWriter writer;
  writer.text("text", "words");
  writer.u32("number", 7);
  writer.f32("real", 0.5F);
  writer.flag("yes", true);
  writer.texts("list", {"", "b"});
  writer.i32s("ids", {3, 1});
  writer.i32s("negative", {-1});
  const std::string bytes = writer.file();
  const GgufFile file(as_bytes(bytes), "a.gguf");
  EXPECT_EQ(file.text("text"), "words");
  EXPECT_EQ(file.text("absent", "other"), "other");
  EXPECT_EQ(file.integer("number"), 7);
  EXPECT_EQ(file.integer("absent", 3), 3);
  EXPECT_EQ(file.number("real", 0), 0.5);
  EXPECT_EQ(file.number("number", 0), 7);
  EXPECT_TRUE(file.flag("yes", false));
  EXPECT_EQ(file.texts("list"), (std::vector<std::string>{"", "b"}));
  EXPECT_EQ(file.integers("ids"), (std::vector<int>{3, 1}));
  EXPECT_THROW((void)file.integers("negative"), Error);
  EXPECT_THROW((void)file.integer("absent"), Error);
  EXPECT_THROW((void)file.integer("text"), Error);
  EXPECT_THROW((void)file.integer("ids"), Error);
  EXPECT_THROW((void)file.text("list"), Error);
  EXPECT_THROW((void)file.texts("ids"), Error);
  EXPECT_THROW((void)file.flag("number", false), Error);
}

TEST(GgufFile, EqualNumbersForEachLayerAreOne) {
  GgufWriter writer;
  writer.i32s("equal", {6, 6, 6});
  writer.i32s("other", {6, 6, 7});
  writer.i32s("none", {});
  const std::string bytes = writer.file();
  const GgufFile file(as_bytes(bytes), "a.gguf");
  EXPECT_EQ(file.integer("equal"), 6);
  for (const char* key : {"other", "none"})
    EXPECT_THAT(test::error_of([&] { (void)file.integer(key); }), HasSubstr("other values for each layer")) << key;
}

TEST(GgufFile, ATokenMayBeNone) {
  GgufWriter writer;
  writer.u32("some", 7);
  writer.u32("all ones", 0xffffffffU);
  writer.number<std::uint64_t>("wide", 10, 0xffffffffU);
  writer.number<std::uint64_t>("widest", 10, ~std::uint64_t{0});
  writer.number<std::int32_t>("minus one", 5, -1);
  writer.number<std::int64_t>("wide minus one", 11, -1);
  writer.number<std::int32_t>("minus two", 5, -2);
  writer.u32("large", 0xfffffffeU);
  const std::string bytes = writer.file();
  const GgufFile file(as_bytes(bytes), "a.gguf");
  EXPECT_EQ(file.token("some"), 7);
  for (const char* key : {"absent", "all ones", "wide", "widest", "minus one", "wide minus one"})
    EXPECT_EQ(file.token(key), std::nullopt) << key;
  EXPECT_THROW((void)file.token("minus two"), Error);
  EXPECT_THROW((void)file.token("large"), Error);
}

TEST(GgufFile, TensorsOfOtherTypesAreNamedAndLeftOut) {
  GgufWriter writer;
  writer.tensor("good", {2}, 0, "12345678");
  writer.tensor("integers", {2}, 26, "12345678");
  writer.tensor("of the future", {300}, 77, "12345678");
  const std::string bytes = writer.file();
  const GgufFile file(as_bytes(bytes), "a.gguf");
  EXPECT_EQ(file.tensors().size(), 1U);
  EXPECT_THAT(file.unreadable().at("integers"), HasSubstr("has the type I32, which is not supported; quantise"));
  EXPECT_THAT(file.unreadable().at("of the future"), HasSubstr("has the type 77 of ggml's"));
}

TEST(GgufFile, EveryTypeOfGgmlsHasAName) {
  const std::map<std::uint32_t, std::string> others = {
      {4, "Q4_2"},        {5, "Q4_3"},        {9, "Q8_1"},        {15, "Q8_K"},     {24, "I8"},       {25, "I16"},
      {26, "I32"},        {27, "I64"},        {28, "F64"},        {31, "Q4_0_4_4"}, {32, "Q4_0_4_8"}, {33, "Q4_0_8_8"},
      {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}, {40, "NVFP4"},    {41, "Q1_0"},     {42, "Q2_0"}};
  for (std::uint32_t type = 0; type <= 42; ++type) {
    GgufWriter writer;
    writer.tensor("a", {256}, type, std::string(1024, '\0'));
    const std::string bytes = writer.file();
    const GgufFile file(as_bytes(bytes), "a.gguf");
    if (const auto other = others.find(type); other == others.end())
      EXPECT_TRUE(file.tensors().contains("a")) << type;
    else
      EXPECT_THAT(file.unreadable().at("a"), HasSubstr("has the type " + other->second + ", which")) << type;
  }
}

TEST(GgufFile, TruncatedAnywhereIsAnError) {
  const std::string bytes = test::tiny_gguf("llama", DType::q4_0);
  ASSERT_EQ(message_of_gguf(bytes), "no error");
  for (std::size_t size = 5; size < 200; size += 7)
    EXPECT_THAT(message_of_gguf(bytes.substr(0, size)),
                testing::AnyOf(HasSubstr("are left"), HasSubstr("in a file of")))
        << size;
  // Everywhere in metadata and tensor descriptions, then in steps through the data (padding after the last tensor
  // aside).
  for (std::size_t size = 0; size + 32 < bytes.size(); size += size < 3000 ? 1 : 97)
    ASSERT_THAT(message_of_gguf(bytes.substr(0, size)), Not("no error")) << size << " of " << bytes.size();
}

TEST(GgufFile, RefusesOtherFilesAndVersions) {
  std::string bytes = test::tiny_gguf("llama", DType::f32);
  EXPECT_EQ(message_of_gguf(test::tiny_gguf("llama", DType::f32, 2)), "no error");
  EXPECT_THAT(message_of_gguf(test::tiny_gguf("llama", DType::f32, 1)), HasSubstr("GGUF version 1; versions 2 and 3"));
  EXPECT_THAT(message_of_gguf(test::tiny_gguf("llama", DType::f32, 0x03000000)), HasSubstr("big-endian"));
  bytes[0] = 'X';
  EXPECT_THAT(message_of_gguf(bytes), HasSubstr("not a GGUF file"));
}

TEST(GgufFile, RefusesImpossibleCountsAndLengths) {
  const std::string good = test::tiny_gguf("llama", DType::f32);
  const std::size_t first_length = 24;  // of the first key
  const std::size_t list = good.find("tokenizer.ggml.tokens") + 21 + 4 + 4;
  const std::size_t name = good.find("token_embd.weight");
  const std::size_t dimension = name + 17 + 4;
  for (const std::size_t at :
       {std::size_t{8}, std::size_t{16}, first_length, list, name - 8, dimension, dimension + 8}) {
    for (const std::uint64_t value :
         {~std::uint64_t{0}, std::uint64_t{1} << 63U, std::uint64_t{1} << 40U, std::uint64_t{1} << 62U}) {
      std::string bytes = good;
      overwrite(bytes, at, value);
      EXPECT_THAT(message_of_gguf(bytes), Not("no error")) << "byte " << at << " = " << value;
    }
  }
  std::string bytes = good;
  overwrite(bytes, dimension, std::uint64_t{0});
  EXPECT_THAT(message_of_gguf(bytes), HasSubstr("tensor \"token_embd.weight\" has a dimension of 0"));
}

TEST(GgufFile, RefusesBadTensors) {
  const std::string good = test::tiny_gguf("llama", DType::f32);
  const std::size_t name = good.find("token_embd.weight");
  const std::size_t dims = name + 17, type = dims + 4 + 16, offset = type + 4;
  const auto with = [&](std::size_t at, auto value) {
    std::string bytes = good;
    overwrite(bytes, at, value);
    return message_of_gguf(bytes);
  };
  EXPECT_THAT(with(dims, 5U), HasSubstr("5 dimensions"));
  EXPECT_THAT(with(dims, 0U), HasSubstr("0 dimensions"));
  EXPECT_THAT(with(offset, std::uint64_t{8}), HasSubstr("not aligned to 32"));
  EXPECT_THAT(with(offset, std::uint64_t{1} << 20U), HasSubstr("outside the file"));
  EXPECT_THAT(with(offset, ~std::uint64_t{31}), HasSubstr("outside the file"));
  EXPECT_THAT(with(offset, std::uint64_t{1024}), HasSubstr("overlaps"));

  GgufWriter writer;
  writer.tensor("odd", {2, 20}, test::ggml_type(DType::q4_0), std::string(64, '\0'));
  EXPECT_THAT(message_of_gguf(writer.file()),
              HasSubstr("tensor \"odd\" has rows of 20, not a multiple of 32 as Q4_0 needs"));
}

TEST(GgufFile, RefusesDuplicatesAndNestedArrays) {
  GgufWriter keys;
  keys.u32("key", 1);
  keys.u32("key", 2);
  EXPECT_THAT(message_of_gguf(keys.file()), HasSubstr("metadata \"key\" appears twice"));
  GgufWriter tensors;
  tensors.tensor("same\n", {1}, 0, "abcd");
  tensors.tensor("same\n", {1}, 0, "abcd");
  EXPECT_THAT(message_of_gguf(tensors.file()), HasSubstr("tensor \"same\\x0a\" appears twice"));
  GgufWriter nested;
  nested.i32s("list", {1, 2});
  std::string bytes = nested.file();
  overwrite(bytes, 24 + 8 + 4 + 4, std::uint32_t{9});
  EXPECT_THAT(message_of_gguf(bytes), HasSubstr("array of arrays"));
  overwrite(bytes, 24 + 8 + 4 + 4, std::uint32_t{13});
  EXPECT_THAT(message_of_gguf(bytes), HasSubstr("unknown type 13"));
}

TEST(GgufFile, RefusesBadAlignment) {
  for (const std::uint32_t alignment : {0U, 3U, 33U}) {
    GgufWriter writer;
    writer.u32("general.alignment", alignment);
    EXPECT_THAT(message_of_gguf(writer.file()), HasSubstr("power of two")) << alignment;
  }
}

}  // namespace
}  // namespace layerboost
