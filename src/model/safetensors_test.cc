#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_for_tests.h"
#include "base/json.h"
#include "base/temporary_path_for_tests.h"
#include "model/safetensors_checkpoint.h"
#include "model/safetensors_file.h"
#include "model/tensor_table.h"
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

/// One tensor `name` of this description beside those of a tiny model, and its data.
std::string model_with(const std::string& name, const std::string& type_and_shape, const std::string& data) {
  const std::string bytes = test::tiny_safetensors(test::tiny_config("llama", DType::f32), DType::f32);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::size_t begin = bytes.size() - 8 - header;
  return safetensors_file(bytes.substr(8, header - 1) + fmt::format(R"(,"{}":{{{},"data_offsets":[{},{}]}}}})", name,
                                                                    type_and_shape, begin, begin + data.size()),
                          bytes.substr(8 + header) + data);
}

std::string message_of_model(const std::string& bytes) {
  const std::string config = test::config_json(test::tiny_config("llama", DType::f32));
  return test::error_of([&] { (void)read_safetensors(config, as_bytes(bytes), "a.safetensors"); });
}

TEST(Safetensors, TensorsThatAreNotNeededMayBeOfAnyType) {
  for (const auto& [description, size] : std::vector<std::pair<std::string, std::size_t>>{
           {R"("dtype":"I64","shape":[1,2])", 16},
           {R"("dtype":"BOOL","shape":[3])", 3},
           {R"("dtype":"F64","shape":[])", 8},
           {R"("dtype":"F8_E4M3","shape":[4])", 4},
           {R"("dtype":"U16","shape":[2])", 4},
           {R"("dtype":"F4","shape":[6])", 3},  // less than a byte each
           {R"("dtype":"of the future","shape":[7])", 5},
           {R"("dtype":"F32","shape":[0])", 0},
           {R"("dtype":"I32","shape":[2,0,3])", 0},
       }) {
    EXPECT_EQ(message_of_model(model_with("buffer", description, std::string(size, 'x'))), "no error") << description;
  }
  EXPECT_THAT(message_of_model(model_with("buffer", R"("dtype":"I64","shape":[3])", std::string(16, 'x'))),
              HasSubstr("ask for 24"));
  EXPECT_THAT(message_of_model(model_with("buffer", R"("dtype":"F4","shape":[4294967296,4294967296])", "x")),
              HasSubstr("larger than the file"));
  EXPECT_THAT(
      message_of_model(model_with("buffer", R"("dtype":"F4","shape":[0,4294967296,4294967296,4294967296])", "")),
      HasSubstr("larger than the file"));
}

TEST(Safetensors, TensorsThatAreNeededAreNamedWithTheirType) {
  std::string bytes = test::tiny_safetensors(test::tiny_config("llama", DType::f32), DType::f32);
  const std::string entry = R"("model.norm.weight":{"dtype":"F32")";
  const std::size_t at = bytes.find(entry);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, entry.size(), R"("model.norm.weight":{"dtype":"I32")");
  EXPECT_THAT(message_of_model(bytes),
              HasSubstr("tensor \"model.norm.weight\" has the type \"I32\"; F32, F16 and BF16"));
}

TEST(Safetensors, ALayerIsNotTakenForOneWithoutWhatCannotBeRead) {
  TensorTable table("a");
  EXPECT_EQ(table.attention_of(0), AttentionParts::none);
  table.add_unreadable("model.layers.0.input_layernorm.weight", "a", "has another type");
  EXPECT_EQ(table.attention_of(0), AttentionParts::norm);
  table.add_unreadable("model.layers.0.self_attn.q_proj.weight", "a", "has another type");
  EXPECT_EQ(table.attention_of(0), AttentionParts::all);
}

TEST(Safetensors, ABaseModelsNamesLackThePrefix) {
  Config c = test::tiny_config("qwen3", DType::f32);  // tied
  const std::string with_prefix = test::tiny_safetensors(c, DType::f32);
  std::uint64_t size = 0;
  std::memcpy(&size, with_prefix.data(), sizeof size);
  std::string header = with_prefix.substr(8, size);
  const std::string prefix = "\"model.";
  for (std::size_t at = header.find(prefix); at != std::string::npos; at = header.find(prefix))
    header.replace(at, prefix.size(), "\"");
  const std::string without = safetensors_file(header, with_prefix.substr(8 + size));
  const auto a = read_safetensors(test::config_json(c), as_bytes(with_prefix), "a");
  const auto b = read_safetensors(test::config_json(c), as_bytes(without), "b");
  EXPECT_EQ(a->hash(), b->hash());
  EXPECT_TRUE(std::ranges::equal(a->tensor("model.layers.1.mlp.up_proj.weight", {c.ffn, c.hidden}).data,
                                 b->tensor("model.layers.1.mlp.up_proj.weight", {c.ffn, c.hidden}).data));
  c.tied_embeddings = false;  // a base model has no head
  EXPECT_THAT(test::error_of([&] { (void)read_safetensors(test::config_json(c), as_bytes(without), "b"); }),
              HasSubstr("missing tensor \"lm_head.weight\""));
}

TEST(Safetensors, OfAModelWithAVisionTowerTheTextModelIsRead) {
  Config c = test::tiny_config("gemma3_text", DType::f32);
  const std::string plain = test::tiny_safetensors(c, DType::f32);
  const auto expected = read_safetensors(test::config_json(c), as_bytes(plain), "a");
  const std::string config =
      fmt::format(R"({{"model_type":"gemma3","tie_word_embeddings":false,"text_config":{}}})", test::config_json(c));
  std::uint64_t size = 0;
  std::memcpy(&size, plain.data(), sizeof size);
  // As transformers write them now, and as they did before.
  for (const auto& [prefix, head] : {std::pair("model.language_model.", "lm_head."),
                                     std::pair("language_model.model.", "language_model.lm_head.")}) {
    std::string header = plain.substr(8, size);
    const auto replace = [&](const std::string& from, const std::string& to) {
      for (auto at = header.find(from); at != std::string::npos; at = header.find(from, at + to.size()))
        header.replace(at, from.size(), to);
    };
    replace("\"model.", std::string("\"") + prefix);
    replace("\"lm_head.", std::string("\"") + head);
    const std::string data = plain.substr(8 + size);
    header.insert(1,
                  fmt::format(R"("vision_tower.a":{{"dtype":"F32","shape":[1],"data_offsets":[{},{}]}},)"
                              R"("model.multi_modal_projector.b":{{"dtype":"I32","shape":[0],"data_offsets":[0,0]}},)",
                              data.size(), data.size() + 4));
    const std::string bytes = safetensors_file(header, data + "1234");
    const auto found = read_safetensors(config, as_bytes(bytes), "b");
    for_each_tensor(c, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
      EXPECT_TRUE(std::ranges::equal(found->tensor(name, shape).data, expected->tensor(name, shape).data)) << name;
    });
    EXPECT_THAT(test::error_of([&] { (void)found->tensor("vision_tower.a", {1}); }), HasSubstr("missing tensor"));
  }
}

TEST(Safetensors, TheHashTellsLongTextsRopeApart) {
  const Config c = test::tiny_config("llama", DType::f32);
  const std::string weights = test::tiny_safetensors(c, DType::f32);
  const auto hash_with = [&](int last_factor, int positions) {
    std::string config = test::config_json(c);
    config.back() = ',';
    config += fmt::format(R"("rope_scaling":{{"type":"longrope","attention_factor":1,"short_factor":[1,2],)"
                          R"("long_factor":[3,{}],"original_max_position_embeddings":{}}}}})",
                          last_factor, positions);
    return read_safetensors(config, as_bytes(weights), "a")->hash();
  };
  EXPECT_EQ(hash_with(4, 16), hash_with(4, 16));
  EXPECT_NE(hash_with(4, 16), hash_with(5, 16));
  EXPECT_NE(hash_with(4, 16), hash_with(4, 17));
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
