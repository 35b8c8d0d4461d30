// GGUF files with tensors that hold several of a layer's weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_for_tests.h"
#include "model/gguf_models_for_tests.h"

namespace layerboost {
namespace {

using test::all_of;
using test::config_of;
using test::fused_with;
using test::GgufWriter;
using test::phi3_with;
using testing::HasSubstr;

// llama.cpp's converter puts q and k into one tensor in the order that they have as two.
TEST(GgufFusedTensors, FusedTensorsAreAsTheyAreAlone) {
  for (const std::string arch : {"granite", "llama", "qwen2", "smollm3"}) {
    SCOPED_TRACE(arch);
    const std::string fused = fused_with(arch, [](GgufWriter&) {}), alone = fused_with(
                                                                        arch, [](GgufWriter&) {}, false);
    ASSERT_NE(fused.find("blk.1.attn_qkv.bias"), std::string::npos);
    const auto got = read_gguf(test::as_bytes(fused), "a.gguf"), expected = read_gguf(test::as_bytes(alone), "a.gguf");
    for_each_tensor(expected->config(), [&](const std::string& name, const std::vector<std::int64_t>& shape) {
      EXPECT_EQ(all_of(got->tensor(name, shape)), all_of(expected->tensor(name, shape))) << name;
    });
    EXPECT_EQ(got->hash(), expected->hash());
  }
}

TEST(GgufFusedTensors, RopeOnAPartOfEachHead) {
  const auto with = [](std::uint32_t rotated) {
    const std::string bytes = phi3_with([&](GgufWriter& w) { w.u32("phi3.rope.dimension_count", rotated); });
    const auto model = read_gguf(test::as_bytes(bytes), "a.gguf");
    for (const auto& [part, heads] : {std::pair("q", 2), std::pair("k", 1)}) {
      const Tensor& tensor =
          model->tensor(fmt::format("model.layers.1.self_attn.{}_proj.weight", part), {4 * heads, 32});
      EXPECT_EQ(tensor.rope_heads, rotated < 4 ? heads : 0);
      EXPECT_EQ(tensor.rope_rotated, rotated < 4 ? rotated : 0);
    }
    return model->config().rope;
  };
  EXPECT_EQ(with(2).rotated, 2);
  EXPECT_EQ(with(2).frequencies(4), (std::vector<double>{1, 0}));
  EXPECT_EQ(with(4).rotated, 0);
}

TEST(GgufFusedTensors, VectorsOfBlocksAreNotTakenApart) {
  Config c = test::tiny_config("qwen3", DType::f32);
  c.head_size = 8;
  GgufWriter writer;
  test::put_config(writer, c);
  test::put_tensors(writer, c, DType::f32);
  std::mt19937 random(1);
  writer.tensor("blk.0.attn_qkv.bias", {32}, test::ggml_type(DType::q8_0),
                test::random_weights(DType::q8_0, 32, random));
  EXPECT_THAT(test::error_of([&] { config_of(writer.file()); }), HasSubstr("has the type Q8_0, which doesn't end"));
}

TEST(GgufFusedTensors, FusedTensorsAreTakenApart) {
  const std::string bytes = phi3_with([](GgufWriter&) {});
  const auto model = read_gguf(test::as_bytes(bytes), "a.gguf");
  float next = 0;
  for_each_tensor(model->config(), [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    const Tensor& tensor = model->tensor(name, shape);
    EXPECT_EQ(tensor.rope_heads, 0);
    for (const float value : all_of(tensor)) ASSERT_EQ(value, next += 1) << name;
  });
  std::string cut = bytes;
  const std::string key = "phi3.feed_forward_length";
  const std::uint32_t other = 7;
  std::memcpy(cut.data() + cut.find(key) + key.size() + 4, &other, sizeof other);
  EXPECT_THAT(
      test::error_of([&] { config_of(cut); }),
      HasSubstr("\"model.layers.0.mlp.gate_up_proj.weight\" has the shape [12, 32]; the configuration asks for 14"));
  std::string unreadable = bytes;
  const std::string name = "blk.1.attn_qkv.weight";
  const std::uint32_t integers = 26;
  std::memcpy(unreadable.data() + unreadable.find(name) + name.size() + 4 + 16, &integers, sizeof integers);
  EXPECT_THAT(test::error_of([&] { config_of(unreadable); }), HasSubstr("self_attn.q_proj.weight\" has the type"));
}

}  // namespace
}  // namespace layerboost
