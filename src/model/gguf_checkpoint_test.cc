#include "model/gguf_checkpoint.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace layerboost {
namespace {

TEST(GgufCheckpoint, DefaultModelOpens) {
  const fs::path path = cache_dir() / "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(path)) GTEST_SKIP() << "the default model is not at " << path;
  const auto model = open_checkpoint(path);
  const Config& c = model->config();
  EXPECT_EQ(c.arch, "llama");
  EXPECT_EQ(c.layers, 30);
  EXPECT_EQ(c.hidden, 576);
  EXPECT_EQ(c.heads, 9);
  EXPECT_EQ(c.kv_heads, 3);
  EXPECT_EQ(c.head_size, 64);
  EXPECT_EQ(c.ffn, 1536);
  EXPECT_EQ(c.vocab, 49152);
  EXPECT_EQ(c.max_positions, 8192);
  EXPECT_EQ(c.rope.base, 100000);
  EXPECT_FLOAT_EQ(c.norm_eps, 1e-5F);
  EXPECT_TRUE(c.tied_embeddings);
  EXPECT_FALSE(c.qkv_bias || c.o_bias || c.mlp_bias || c.qk_norm);
  EXPECT_EQ(c.windows, std::vector<int>(30, 0));
  EXPECT_EQ(c.eos, std::vector<int>{2});
  EXPECT_EQ(model->tensor("model.layers.3.self_attn.q_proj.weight", {576, 576}).rope_heads, 9);
  EXPECT_EQ(model->tensor("model.layers.3.self_attn.k_proj.weight", {192, 576}).rope_heads, 3);
  EXPECT_EQ(model->tensor("model.layers.3.self_attn.v_proj.weight", {192, 576}).rope_heads, 0);
  EXPECT_THROW((void)model->tensor("lm_head.weight", {49152, 576}), Error);
  EXPECT_EQ(model->hash().size(), std::string("sha256:").size() + 64);

  const TokenizerData tokenizer = model->tokenizer();
  EXPECT_EQ(tokenizer.tokens.size(), 49152U);
  EXPECT_EQ(tokenizer.merges.size(), 48900U);
  EXPECT_EQ(tokenizer.added.size(), 17U);
  EXPECT_EQ(tokenizer.added[1].content, "<|im_start|>");
  EXPECT_TRUE(tokenizer.added[1].special);
  EXPECT_EQ(tokenizer.pre_tokenizer, "smollm");
  EXPECT_EQ(tokenizer.bos, 1);
  EXPECT_EQ(tokenizer.eos, 2);
  EXPECT_FALSE(tokenizer.add_bos);
  EXPECT_TRUE(tokenizer.chat_template.starts_with("{% for message in messages %}"));
}

}  // namespace
}  // namespace layerboost
