#include "model/gguf_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/error_for_tests.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost {
namespace {

using test::GgufWriter;
using testing::HasSubstr;

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

/// A tiny llama in F32 whose metadata `more` adds to.
std::string llama_with(const std::function<void(GgufWriter&)>& more) {
  const Config c = test::tiny_config("llama", DType::f32);
  GgufWriter writer;
  test::put_config(writer, c);
  test::put_tensors(writer, c, DType::f32);
  more(writer);
  return writer.file();
}

Config config_of(const std::string& bytes) { return read_gguf(test::as_bytes(bytes), "a.gguf")->config(); }

class EveryType : public testing::TestWithParam<int> {};

TEST_P(EveryType, OpensInEveryArchitecture) {
  const auto dtype = static_cast<DType>(GetParam());
  for (const std::string arch : {"llama", "qwen2", "qwen3"}) {
    SCOPED_TRACE(arch);
    const std::string bytes = test::tiny_gguf(arch, dtype);
    const auto model = read_gguf(test::as_bytes(bytes), "a.gguf");
    const Config expected = test::tiny_config(arch, dtype);
    const Config& c = model->config();
    EXPECT_EQ(c.arch, arch);
    EXPECT_EQ(c.vocab, expected.vocab);
    EXPECT_EQ(c.tied_embeddings, expected.tied_embeddings);
    EXPECT_EQ(c.qkv_bias, expected.qkv_bias);
    EXPECT_EQ(c.qk_norm, expected.qk_norm);
    EXPECT_EQ(c.eos, std::vector<int>{3});
    for_each_tensor(
        c, [&](const std::string& name, const std::vector<std::int64_t>& shape) { (void)model->tensor(name, shape); });
    const Tensor& q = model->tensor("model.layers.0.self_attn.q_proj.weight", {c.q_size(), c.hidden});
    EXPECT_EQ(q.dtype, dtype);
    EXPECT_EQ(q.rope_heads, arch == "llama" ? 2 : 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Gguf, EveryType, testing::Range(0, 11),
                         [](const auto& param) { return std::string(name_of(static_cast<DType>(param.param))); });

TEST(GgufCheckpoint, RopeScalings) {
  using Scaling = RopeConfig::Scaling;
  const RopeConfig plain = config_of(llama_with([](GgufWriter& w) { w.text("llama.rope.scaling.type", "none"); })).rope;
  EXPECT_EQ(plain.scaling, Scaling::none);
  EXPECT_EQ(plain.base, 10000);
  const RopeConfig linear = config_of(llama_with([](GgufWriter& w) { w.f32("llama.rope.scale_linear", 4); })).rope;
  EXPECT_EQ(linear.scaling, Scaling::linear);
  EXPECT_EQ(linear.factor, 4);
  const RopeConfig yarn = config_of(llama_with([](GgufWriter& w) {
                            w.text("llama.rope.scaling.type", "yarn");
                            w.f32("llama.rope.scaling.factor", 4);
                            w.u32("llama.rope.scaling.original_context_length", 32);
                          })).rope;
  EXPECT_EQ(yarn.scaling, Scaling::yarn);
  EXPECT_EQ(yarn.original_positions, 32);
  EXPECT_NEAR(yarn.attention_factor, 0.1 * std::log(4) + 1, 1e-12);
  const RopeConfig llama3 = config_of(llama_with([](GgufWriter& w) {
                              std::string divisors;
                              test::put(divisors, 1.0F);
                              test::put(divisors, 8.0F);
                              w.tensor("rope_freqs.weight", {2}, 0, divisors);
                            })).rope;
  EXPECT_EQ(llama3.divisors, (std::vector<double>{1, 8}));
  EXPECT_THAT(test::error_of(
                  [] { config_of(llama_with([](GgufWriter& w) { w.text("llama.rope.scaling.type", "longrope"); })); }),
              HasSubstr("\"longrope\"; none, linear and yarn are supported"));
}

TEST(GgufCheckpoint, SlidingWindow) {
  const Config c = config_of(llama_with([](GgufWriter& w) { w.u32("llama.attention.sliding_window", 24); }));
  EXPECT_EQ(c.windows, (std::vector<int>{24, 24}));
}

TEST(GgufCheckpoint, Licence) {
  EXPECT_EQ(config_of(llama_with([](GgufWriter&) {})).license, "");
  EXPECT_EQ(config_of(llama_with([](GgufWriter& w) { w.text("general.license", "mit"); })).license, "mit");
}

TEST(GgufCheckpoint, SamplingOfTheModelsMakers) {
  EXPECT_FALSE(config_of(llama_with([](GgufWriter&) {})).sampling.any());
  const SamplingDefaults sampling = config_of(llama_with([](GgufWriter& w) {
                                      w.f32("general.sampling.temp", 0.5F);
                                      w.u32("general.sampling.top_k", 20);
                                      w.f32("general.sampling.penalty_repeat", 1.25F);
                                    })).sampling;
  EXPECT_EQ(sampling.temperature, 0.5);
  EXPECT_EQ(sampling.top_k, 20);
  EXPECT_EQ(sampling.repetition_penalty, 1.25);
  EXPECT_FALSE(sampling.top_p || sampling.min_p);
}

TEST(GgufCheckpoint, RefusesWhatItCannotCompute) {
  const auto message = [](const std::function<void(GgufWriter&)>& more) {
    return test::error_of([&] { config_of(llama_with(more)); });
  };
  EXPECT_THAT(message([](GgufWriter& w) { w.u32("llama.expert_count", 8); }), HasSubstr("mixtures of experts"));
  EXPECT_THAT(message([](GgufWriter& w) { w.u32("split.count", 2); }), HasSubstr("merge the parts first"));
  EXPECT_THAT(message([](GgufWriter& w) { w.u32("llama.rope.dimension_count", 2); }),
              HasSubstr("only the head size, 4"));
  GgufWriter other;
  other.text("general.architecture", "gemma\n");
  EXPECT_THAT(test::error_of([&] { config_of(other.file()); }),
              HasSubstr("architecture \"gemma\\x0a\" is not supported; llama (and mistral), qwen2 and qwen3 are"));
}

TEST(GgufCheckpoint, NamesMissingAndMisshapenTensors) {
  Config c = test::tiny_config("llama", DType::f32);
  GgufWriter wrong;
  test::put_config(wrong, c);
  c.ffn = 7;
  test::put_tensors(wrong, c, DType::f32);
  EXPECT_THAT(
      test::error_of([&] { config_of(wrong.file()); }),
      HasSubstr(
          "tensor \"model.layers.0.mlp.gate_proj.weight\" has the shape [7, 32]; the configuration asks for [6, 32]"));
  c.ffn = 6;
  GgufWriter missing;
  test::put_config(missing, c);
  c.layers = 1;
  test::put_tensors(missing, c, DType::f32);
  EXPECT_THAT(test::error_of([&] { config_of(missing.file()); }),
              HasSubstr("a.gguf: missing tensor \"model.layers.1.input_layernorm.weight\""));
  GgufWriter twice;
  c.layers = 2;
  test::put_config(twice, c);
  test::put_tensors(twice, c, DType::f32);
  twice.tensor("model.norm.weight", {1}, 0, "abcd");
  EXPECT_THAT(test::error_of([&] { config_of(twice.file()); }), HasSubstr("\"model.norm.weight\" appears twice"));
}

TokenizerData tokenizer_of(const std::function<void(GgufWriter&)>& fields) {
  const std::string bytes = llama_with(fields);
  return read_gguf(test::as_bytes(bytes), "a.gguf")->tokenizer();
}

TEST(GgufCheckpoint, Tokenizer) {
  const TokenizerData data = tokenizer_of([](GgufWriter& w) { test::put_tokenizer(w); });
  EXPECT_EQ(data.pre_tokenizer, "qwen2");
  EXPECT_EQ(data.tokens.size(), 5U);
  EXPECT_EQ(data.merges, std::vector<std::string>{"a b"});
  ASSERT_EQ(data.added.size(), 2U);
  EXPECT_EQ(data.added[0].content, "<|end|>");
  EXPECT_EQ(data.added[0].id, 3);
  EXPECT_TRUE(data.added[0].special);
  EXPECT_FALSE(data.added[1].special);
  EXPECT_EQ(data.bos, -1);
  EXPECT_EQ(data.eos, 3);
  EXPECT_EQ(data.chat_template, "{{ messages }}");
  EXPECT_FALSE(data.ignore_merges);
}

TEST(GgufCheckpoint, RefusesOtherTokenizers) {
  const auto message = [](const std::function<void(GgufWriter&)>& fields) {
    return test::error_of([&] { (void)tokenizer_of(fields); });
  };
  EXPECT_THAT(message([](GgufWriter&) {}), HasSubstr("missing metadata \"tokenizer.ggml.model\""));
  EXPECT_THAT(message([](GgufWriter& w) { w.text("tokenizer.ggml.model", "llama"); }),
              HasSubstr("only byte-level BPE"));
  EXPECT_THAT(message([](GgufWriter& w) {
                w.text("tokenizer.ggml.model", "gpt2");
                w.text("tokenizer.ggml.pre", "tekken");
              }),
              HasSubstr("\"tekken\" is not supported; gpt2, smollm, llama3 and qwen2 are"));
  const auto with_tokens = [](std::size_t tokens, std::uint32_t eos) {
    return [=](GgufWriter& w) {
      w.text("tokenizer.ggml.model", "gpt2");
      w.texts("tokenizer.ggml.tokens", std::vector<std::string>(tokens, "t"));
      w.texts("tokenizer.ggml.merges", {});
      w.u32("tokenizer.ggml.eos_token_id", eos);
    };
  };
  EXPECT_THAT(message(with_tokens(5, 5)), HasSubstr("eos_token_id is 5, but there are 5 tokens"));
  EXPECT_THAT(message(with_tokens(6, 0)), HasSubstr("the tokenizer has 6 tokens, the model 5 embeddings"));
}

}  // namespace
}  // namespace layerboost
