#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_for_tests.h"
#include "base/json.h"
#include "base/temporary_path_for_tests.h"
#include "model/safetensors_checkpoint.h"
#include "model/safetensors_file.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {
namespace {

using test::as_bytes;
using test::safetensors_file;
using testing::HasSubstr;
using testing::Not;

std::string message_of_safetensors(const std::string& bytes) {
  const std::string message = test::error_of([&] { (void)parse_safetensors(as_bytes(bytes), "a.safetensors"); });
  EXPECT_THAT(message, testing::AnyOf("no error", HasSubstr("a.safetensors")));
  return message;
}

/// The message for one tensor of this description and eight bytes of data.
std::string message_of_tensor(const std::string& description) {
  return message_of_safetensors(safetensors_file("{\"t\":" + description + "}", "12345678"));
}

TEST(Safetensors, ReadsTensors) {
  const std::string bytes =
      safetensors_file(R"({"b":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"__metadata__":{"x":"y"},)"
                       R"("a":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}  )",
                       "12345678abcd");
  const auto tensors = parse_safetensors(as_bytes(bytes), "a.safetensors");
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors.at("a").dtype, DType::bf16);
  EXPECT_EQ(tensors.at("a").shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(static_cast<char>(tensors.at("b").data[0]), 'a');
}

TEST(Safetensors, RefusesBadHeaders) {
  EXPECT_THAT(message_of_safetensors(""), HasSubstr("truncated"));
  EXPECT_THAT(message_of_safetensors("1234567"), HasSubstr("truncated"));
  EXPECT_THAT(message_of_safetensors("{\"model_type\": 1}"), HasSubstr("not a safetensors file"));
  std::string bytes = safetensors_file("{}", "");
  for (const std::uint64_t size :
       {std::uint64_t{3}, std::uint64_t{200'000'000}, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    std::memcpy(bytes.data(), &size, sizeof size);
    EXPECT_THAT(message_of_safetensors(bytes), HasSubstr("truncated or not")) << size;
  }
  EXPECT_THAT(message_of_safetensors(safetensors_file("{", "")), HasSubstr("not valid JSON"));
  EXPECT_THAT(message_of_safetensors(safetensors_file("[]", "")), HasSubstr("should be a JSON object"));
  const std::string t = R"("t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_THAT(message_of_safetensors(safetensors_file("{" + t + "," + t + "}", "1234")),
              HasSubstr("\"t\" appears twice"));
}

TEST(Safetensors, RefusesBadTensors) {
  EXPECT_EQ(message_of_tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "no error");
  EXPECT_THAT(message_of_tensor("7"), HasSubstr("described by an object"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"I64","shape":[1],"data_offsets":[0,8]})"),
              HasSubstr("the type \"I64\"; F32, F16 and BF16"));
  EXPECT_THAT(message_of_tensor(R"({"shape":[2],"data_offsets":[0,8]})"), HasSubstr("missing \"dtype\""));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), HasSubstr("ask for 12"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"),
              HasSubstr("\"shape\" should be"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})"), HasSubstr("\"shape\" should be"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})"), HasSubstr("is empty"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})"),
              HasSubstr("larger than the file"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,9]})"),
              HasSubstr("\"data_offsets\" should be"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), HasSubstr("outside the file"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})"), HasSubstr("outside the file"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), HasSubstr("leave a gap"));
  EXPECT_THAT(message_of_tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})"),
              HasSubstr("4 bytes after the last"));
}

TEST(Safetensors, TruncatedAnywhereIsAnError) {
  const std::string bytes = test::tiny_safetensors(test::tiny_config("llama", DType::f16), DType::f16);
  ASSERT_EQ(message_of_safetensors(bytes), "no error");
  for (std::size_t size = 0; size < bytes.size(); size += 13)
    ASSERT_THAT(message_of_safetensors(bytes.substr(0, size)), Not("no error")) << size;
}

/// A folder with a tiny model in two shards.
class Sharded : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    config_ = test::tiny_config("llama", DType::f32);
    write_file(folder_ / "config.json", test::config_json(config_));
    write_file(folder_ / "one.safetensors", test::tiny_safetensors(config_, DType::f32));
    write_file(folder_ / "two.safetensors",
               safetensors_file(R"({"extra":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "1234"));
    for_each_tensor(config_, [&](const std::string& name, const auto&) { map_[name] = "one.safetensors"; });
    map_["extra"] = "two.safetensors";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string open() {
    write_json(folder_ / "model.safetensors.index.json", {{"weight_map", map_}});
    return test::error_of([&] { (void)open_checkpoint(folder_); });
  }

  const fs::path folder_ = test::temporary_path("sharded_model");
  Config config_;
  Json map_;
};

TEST_F(Sharded, Opens) { EXPECT_EQ(open(), "no error"); }

TEST_F(Sharded, RefusesShardsElsewhere) {
  for (const char* shard : {"../one.safetensors", "/etc/passwd", "sub/one.safetensors", "..", "one.bin"}) {
    map_["extra"] = shard;
    EXPECT_THAT(open(), HasSubstr("should be the name of a .safetensors file in the same folder")) << shard;
  }
}

TEST_F(Sharded, NamesMissingShardsAndTensors) {
  map_["extra"] = "three.safetensors";
  EXPECT_THAT(open(), HasSubstr("cannot open"));
  map_["extra"] = "one.safetensors";
  EXPECT_THAT(open(), HasSubstr("one.safetensors: missing tensor \"extra\", which the index says is there"));
  map_.erase("extra");
  map_.erase("model.norm.weight");
  EXPECT_THAT(open(), HasSubstr("sharded_model: missing tensor \"model.norm.weight\""));
  fs::remove(folder_ / "model.safetensors.index.json");
  map_ = 7;
  EXPECT_THAT(open(), HasSubstr("missing \"weight_map\""));
}

TEST_F(Sharded, NamesTheFileOfAMisshapenTensor) {
  config_.vocab = 6;
  write_file(folder_ / "config.json", test::config_json(config_));
  EXPECT_THAT(open(), HasSubstr("one.safetensors: tensor \"model.embed_tokens.weight\" has the shape [5, 32]; the "
                                "configuration asks for [6, 32]"));
}

}  // namespace
}  // namespace layerboost
