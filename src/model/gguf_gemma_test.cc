// What GGUF files of gemma say, and what they leave to those who read them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "base/error_for_tests.h"
#include "model/gguf_checkpoint.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {
namespace {

using test::GgufWriter;

Config gemma_config(const std::string& arch, int layers, const std::function<void(GgufWriter&)>& more) {
  Config c = test::tiny_config(arch, DType::f32);
  c.layers = layers;
  c.max_positions = 8192;
  c.norms_after = true;
  GgufWriter writer;
  test::put_config(writer, c);
  test::put_tensors(writer, c, DType::f32);
  more(writer);
  return read_gguf(test::as_bytes(writer.file()), "a.gguf")->config();
}

TEST(GgufGemma, OfTheSecondGeneration) {
  const Config c = gemma_config("gemma2", 4, [](GgufWriter&) {});
  EXPECT_TRUE(c.norms_before && c.norms_after);
  EXPECT_FALSE(c.norms_plus_one || c.qk_norm_whole);
  EXPECT_EQ(c.gate, Gate::gelu_tanh);
  EXPECT_EQ(c.embedding_scale, std::sqrt(static_cast<float>(c.hidden)));
  EXPECT_EQ(c.score_scale(), 1 / std::sqrt(static_cast<float>(c.head_size)));
  EXPECT_EQ(c.windows, (std::vector<int>{4096, 0, 4096, 0}));
  EXPECT_TRUE(c.rope_layers.empty());
  EXPECT_EQ(c.attention_soft_cap, 50);
  EXPECT_EQ(c.logit_soft_cap, 30);
  const Config told = gemma_config("gemma2", 46, [](GgufWriter& w) {
    w.f32("gemma2.attn_logit_softcapping", 12);
    w.f32("gemma2.final_logit_softcapping", 34);
    w.u32("gemma2.attention.sliding_window", 8);
    w.u32("gemma2.attention.sliding_window_pattern", 3);
  });
  EXPECT_EQ(told.attention_soft_cap, 12);
  EXPECT_EQ(told.logit_soft_cap, 34);
  EXPECT_EQ((std::vector(told.windows.begin(), told.windows.begin() + 4)), (std::vector<int>{8, 8, 0, 8}));
  // The largest scales scores by another width.
  EXPECT_EQ(told.score_scale(), 1 / std::sqrt(static_cast<float>(told.hidden / told.heads)));
  EXPECT_THAT(test::error_of(
                  [] { gemma_config("gemma2", 1, [](GgufWriter& w) { w.f32("gemma2.rope.freq_base_swa", 1000); }); }),
              testing::HasSubstr("gemma2.rope.freq_base_swa is there, but"));
}

TEST(GgufGemma, OfTheThird) {
  const Config c = gemma_config("gemma3", 8, [](GgufWriter& w) {
    w.u32("gemma3.attention.sliding_window", 512);
    w.f32("gemma3.rope.freq_base", 1e6F);
    w.text("gemma3.rope.scaling.type", "linear");
    w.f32("gemma3.rope.scaling.factor", 8);
  });
  EXPECT_EQ(c.windows, (std::vector<int>{512, 512, 512, 512, 512, 0, 512, 512}));
  EXPECT_EQ(c.rope_of(4), LayerRope::local);
  EXPECT_EQ(c.rope_of(5), LayerRope::usual);
  EXPECT_EQ(c.rope.base, 1e6);
  EXPECT_EQ(c.rope.factor, 8);
  EXPECT_EQ(c.local_rope.base, 10000);
  EXPECT_EQ(c.local_rope.factor, 1);
  EXPECT_EQ(c.attention_soft_cap, 0);
  EXPECT_EQ(c.logit_soft_cap, 0);
  const Config with_caps = gemma_config("gemma3", 2, [](GgufWriter& w) {
    w.f32("gemma3.attn_logit_softcapping", 20);
    w.f32("gemma3.final_logit_softcapping", 30);
  });
  EXPECT_EQ(with_caps.attention_soft_cap, 0);
  EXPECT_EQ(with_caps.logit_soft_cap, 30);
  const Config whole = gemma_config("gemma3", 2, [](GgufWriter&) {});
  EXPECT_EQ(whole.windows, (std::vector<int>{0, 0}));
  EXPECT_TRUE(whole.rope_layers.empty());
}

// As llama.cpp reads it: a list says of each layer whether it has a window; one number is how often one has none.
TEST(GgufGemma, PatternsOfWindows) {
  const auto with = [](const std::function<void(GgufWriter&, const char*)>& put_pattern) {
    return gemma_config("gemma3", 3, [&](GgufWriter& w) {
      w.u32("gemma3.attention.sliding_window", 512);
      put_pattern(w, "gemma3.attention.sliding_window_pattern");
    });
  };
  constexpr auto usual = LayerRope::usual, local = LayerRope::local;
  for (const Config& c : {with([](GgufWriter&w, const char*key) {
                            w.flags(key, {false, true, true});
                          }),
                          with([](GgufWriter&w, const char*key) {
                            w.i32s(key, {0, 1, 1});
                          })}) {
    EXPECT_EQ(c.windows, (std::vector<int>{0, 512, 512}));
    EXPECT_EQ(c.rope_layers, (std::vector{usual, local, local}));
  }
  EXPECT_EQ(with([](GgufWriter& w, const char* key) { w.i32s(key, {1, 1, 1}); }).windows, std::vector<int>(3, 512));
  EXPECT_EQ(with([](GgufWriter& w, const char* key) { w.i32s(key, {0, 0, 0}); }).windows, std::vector<int>(3, 0));
  EXPECT_EQ(with([](GgufWriter& w, const char* key) { w.u32(key, 1); }).windows, std::vector<int>(3, 0));
  EXPECT_EQ(with([](GgufWriter& w, const char* key) { w.u32(key, 0); }).windows, std::vector<int>(3, 512));
  EXPECT_EQ(with([](GgufWriter& w, const char* key) { w.u32(key, 2); }).windows, (std::vector<int>{512, 0, 512}));
  EXPECT_THAT(test::error_of([&] { with([](GgufWriter& w, const char* key) {
                                     w.flags(key, {true, false});
                                   }); }),
              testing::HasSubstr("gemma3.attention.sliding_window_pattern has 2 entries for 3 layers"));
  EXPECT_THAT(test::error_of([&] { with([](GgufWriter& w, const char* key) {
                                     w.f32s(key, {1, 0, 1});
                                   }); }),
              testing::HasSubstr("should be an array of integers"));
}

}  // namespace
}  // namespace layerboost
