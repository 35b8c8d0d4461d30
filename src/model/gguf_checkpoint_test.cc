#include "model/gguf_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"
#include "model/gguf_models_for_tests.h"

namespace layerboost {
namespace {

using test::config_of;
using test::GgufWriter;
using test::llama_with;
using test::phi3_with;
using test::tiny_with;
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
  EXPECT_EQ(c.eos,
            (std::vector<int>{2, 0, 4}));  // <|im_end|>, and <|endoftext|> and <reponame>, which the file doesn't name
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

class EveryType : public testing::TestWithParam<int> {};

TEST_P(EveryType, OpensInEveryArchitecture) {
  const auto dtype = static_cast<DType>(GetParam());
  for (const std::string arch :
       {"gemma2", "gemma3", "granite", "llama", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"}) {
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
    EXPECT_EQ(q.rope_heads, arch == "granite" || arch == "llama" || arch == "smollm3" ? 2 : 0);
    EXPECT_EQ(c.rope_layers.size(), arch == "smollm3" ? static_cast<std::size_t>(c.layers) : 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Gguf, EveryType, testing::Range(0, static_cast<int>(DType::iq1_m) + 1),
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

TEST(GgufCheckpoint, Scales) {
  const auto granite_with = [](const std::function<void(GgufWriter&)>& more) {
    return config_of(tiny_with("granite", more));
  };
  const Config c = granite_with([](GgufWriter& w) {
    w.f32("granite.embedding_scale", 12);
    w.f32("granite.residual_scale", 0.25);
    w.f32("granite.attention.scale", 0.125);
  });
  EXPECT_EQ(c.embedding_scale, 12);
  EXPECT_EQ(c.residual_scale, 0.25F);
  EXPECT_EQ(c.score_scale(), 0.125F);
  EXPECT_EQ(c.logit_scale, 0.125F);
  std::string bytes = tiny_with("granite", [](GgufWriter&) {});
  const std::string key = "granite.logit_scale";
  const float none = 0;
  std::memcpy(bytes.data() + bytes.find(key) + key.size() + 4, &none, sizeof none);
  const Config plain = config_of(bytes);
  EXPECT_EQ(plain.score_scale(), 0.5F);
  EXPECT_EQ(plain.logit_scale, 1);
  bytes[bytes.find(key)] = 'x';
  EXPECT_THAT(test::error_of([&] { config_of(bytes); }), HasSubstr("missing metadata \"granite.logit_scale\""));
}

TEST(GgufCheckpoint, Longrope) {
  const auto factors = [](float first, float second) {
    std::string data;
    test::put(data, first);
    test::put(data, second);
    return data;
  };
  const RopeConfig rope = config_of(phi3_with([&](GgufWriter& w) {
                            w.tensor("rope_factors_short.weight", {2}, 0, factors(1, 1.5));
                            w.tensor("rope_factors_long.weight", {2}, 0, factors(2, 8));
                            w.u32("phi3.rope.scaling.original_context_length", 16);
                            w.f32("phi3.rope.scaling.attn_factor", 1.25);
                          })).rope;
  EXPECT_EQ(rope.divisors, (std::vector<double>{1, 1.5}));
  EXPECT_EQ(rope.long_divisors, (std::vector<double>{2, 8}));
  EXPECT_EQ(rope.longest_short, 16);
  EXPECT_EQ(rope.attention_factor, 1.25);
  EXPECT_THAT(
      test::error_of([&] {
        config_of(phi3_with([&](GgufWriter& w) { w.tensor("rope_factors_long.weight", {2}, 0, factors(2, 8)); }));
      }),
      HasSubstr("should both be there"));
  const auto message_with = [&](const char* type, float factor) {
    return test::error_of([&] {
      config_of(phi3_with([&](GgufWriter& w) {
        w.tensor("rope_factors_short.weight", {2}, 0, factors(1, 1.5));
        w.tensor("rope_factors_long.weight", {2}, 0, factors(2, 8));
        if (type != nullptr) w.text("phi3.rope.scaling.type", type);
        w.f32("phi3.rope.scaling.factor", factor);
      }));
    });
  };
  EXPECT_EQ(message_with("longrope", 1), "no error");
  EXPECT_EQ(message_with("none", 4), "no error");
  EXPECT_EQ(message_with(nullptr, 1), "no error");
  for (const char* type : {"longrope", "linear", "yarn"})
    EXPECT_THAT(message_with(type, 4), HasSubstr("with the factor 4, beside longrope's tensors"));
  EXPECT_THAT(message_with("yarn", 1), HasSubstr("beside longrope's tensors"));
  EXPECT_THAT(message_with(nullptr, 4), HasSubstr("\"linear\", with the factor 4, beside longrope's tensors"));
}

TEST(GgufCheckpoint, OnlyTensorsThatAreNeededMustBeOfSupportedTypes) {
  EXPECT_EQ(config_of(llama_with([](GgufWriter& w) { w.tensor("blk.0.unused", {2}, 26, "12345678"); })).layers, 2);
  std::string bytes = llama_with([](GgufWriter&) {});
  const std::string name = "output_norm.weight";
  const std::uint32_t integers = 26;
  std::memcpy(bytes.data() + bytes.find(name) + name.size() + 4 + 8, &integers, sizeof integers);
  EXPECT_THAT(test::error_of([&] { config_of(bytes); }),
              HasSubstr("tensor \"model.norm.weight\" has the type I32, which is not supported"));
}

TEST(GgufCheckpoint, AModelIsNotTakenForOneWithoutWhatCannotBeRead) {
  for (const char* name : {"rope_freqs.weight", "output.weight", "blk.0.attn_q.bias", "blk.0.attn_output.bias",
                           "blk.0.attn_q_norm.weight"}) {
    Config c = test::tiny_config("llama", DType::f32);
    c.tied_embeddings = true;
    GgufWriter writer;
    test::put_config(writer, c);
    test::put_tensors(writer, c, DType::f32);
    ASSERT_EQ(test::error_of([&] { config_of(writer.file()); }), "no error");
    writer.tensor(name, {2}, 26, "12345678");
    EXPECT_THAT(test::error_of([&] { config_of(writer.file()); }),
                HasSubstr("has the type I32, which is not supported"))
        << name;
  }
}

TEST(GgufCheckpoint, WhatAnArchitectureAlwaysHasMustBeThere) {
  for (const char* part : {"attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm"}) {
    std::string bytes = tiny_with("olmo2", [](GgufWriter&) {});
    for (const int layer : {0, 1}) bytes[bytes.find(fmt::format("blk.{}.{}", layer, part))] = 'x';
    EXPECT_THAT(test::error_of([&] { config_of(bytes); }), HasSubstr("missing tensor \"model.layers.0.")) << part;
  }
}

TEST(GgufCheckpoint, NoEndToken) {
  EXPECT_EQ(config_of(llama_with([](GgufWriter& w) {
              w.u32("tokenizer.ggml.eos_token_id", 0xffffffffU);
              w.number<std::int32_t>("tokenizer.ggml.eot_token_id", 5, -1);
              w.u32("tokenizer.ggml.eom_token_id", 4);
            })).eos,
            std::vector<int>{4});
}

/// A tiny model in three files in a folder: metadata in the first, tensors in all.
class SplitGguf : public testing::Test {
 protected:
  void SetUp() override { write(3); }
  void TearDown() override { fs::remove_all(folder_); }

  void write(int parts) {
    fs::remove_all(folder_);
    const Config c = test::tiny_config("llama", DType::f32);
    std::vector<GgufWriter> files(static_cast<std::size_t>(parts));
    test::put_config(files[0], c);
    std::size_t next = 0;
    for_each_tensor(c, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
      const std::size_t count = static_cast<std::size_t>((shape.size() > 1 ? shape[0] : 1) * shape.back());
      std::string data;
      for (std::size_t i = 0; i < count; ++i) test::put(data, static_cast<float>(next + i) / 256);
      files[next++ % files.size()].tensor(test::gguf_name(name), shape, 0, data);
    });
    for (int i = 0; i < parts; ++i) {
      GgufWriter& file = files[static_cast<std::size_t>(i)];
      file.number<std::uint16_t>("split.no", 2, static_cast<std::uint16_t>(i));
      file.number<std::uint16_t>("split.count", 2, static_cast<std::uint16_t>(parts));
      file.number<std::int32_t>("split.tensors.count", 5, static_cast<std::int32_t>(next));
      write_file(part(i, parts), file.file());
    }
  }
  [[nodiscard]] fs::path part(int i, int parts = 3) const {
    return folder_ / fmt::format("tiny-{:05}-of-{:05}.gguf", i + 1, parts);
  }
  [[nodiscard]] static std::string message_of(const fs::path& path) {
    return test::error_of([&] { (void)open_checkpoint(path); });
  }

  const fs::path folder_ = test::temporary_path("split_gguf");
};

TEST_F(SplitGguf, IsTheSameModelWhicheverPartIsGivenAndHoweverManyThereAre) {
  const std::string hash = open_checkpoint(part(0))->hash();
  EXPECT_EQ(open_checkpoint(part(1))->hash(), hash);
  EXPECT_EQ(open_checkpoint(part(2))->hash(), hash);
  EXPECT_EQ(open_checkpoint(part(2))->path(), part(0));
  write(1);
  EXPECT_EQ(open_checkpoint(part(0, 1))->hash(), hash);
}

TEST_F(SplitGguf, WhatIsMissingIsNamed) {
  fs::remove(part(1));
  EXPECT_THAT(message_of(part(2)),
              testing::AllOf(HasSubstr("part 2 of 3 of the model is missing"), HasSubstr("tiny-00002-of-00003.gguf")));
  write(3);
  fs::rename(part(0), folder_ / "first.gguf");
  EXPECT_THAT(message_of(folder_ / "first.gguf"), HasSubstr("should end in -00001-of-00003.gguf"));
}

TEST_F(SplitGguf, WhatDoesNotBelongTogetherIsRefused) {
  fs::copy_file(part(0), part(1), fs::copy_options::overwrite_existing);
  EXPECT_THAT(message_of(part(0)), HasSubstr("00002-of-00003.gguf: is part 1 of 3; by its name it should be part 2"));
  write(3);
  GgufWriter other;
  other.number<std::uint16_t>("split.no", 2, 2);
  other.number<std::uint16_t>("split.count", 2, 3);
  write_file(part(2), other.file());
  EXPECT_THAT(message_of(part(0)), HasSubstr("tensors, not"));
  other.tensor("token_embd.weight", {1}, 0, "1234");
  write_file(part(2), other.file());
  EXPECT_THAT(message_of(part(0)), HasSubstr("\"token_embd.weight\" is in another part of the model, too"));
  std::string bytes = read_file(part(1));
  write_file(part(1), bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(message_of(part(0)), HasSubstr("00002-of-00003.gguf: "));
}

TEST_F(SplitGguf, APartBeyondTheLastIsRefused) {
  GgufWriter beyond;
  beyond.u32("split.no", 0x7fffffffU);
  beyond.u32("split.count", 3);
  write_file(part(2), beyond.file());
  for (const int given : {0, 2}) {
    EXPECT_THAT(message_of(part(given)),
                HasSubstr("00003-of-00003.gguf: metadata \"split.no\" is 2147483647 in a model of 3 parts"));
  }
}

TEST(GgufCheckpoint, SlidingWindow) {
  const Config c = config_of(llama_with([](GgufWriter& w) { w.u32("llama.attention.sliding_window", 24); }));
  EXPECT_EQ(c.windows, (std::vector<int>{24, 24}));
  EXPECT_EQ(config_of(llama_with([](GgufWriter& w) { w.u32("llama.attention.sliding_window", 64); })).windows,
            (std::vector<int>{0, 0}));
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
  EXPECT_THAT(message([](GgufWriter& w) { w.u32("split.count", 2); }), HasSubstr("one part of 2 of a split model"));
  EXPECT_THAT(message([](GgufWriter& w) { w.u32("llama.rope.dimension_count", 2); }),
              HasSubstr("only the head size, 4"));
  const auto message_of = [](const std::string& arch, const std::function<void(GgufWriter&)>& more) {
    return test::error_of([&] { config_of(tiny_with(arch, more)); });
  };
  EXPECT_THAT(message([](GgufWriter& w) { w.flag("llama.attention.causal", false); }),
              HasSubstr("llama.attention.causal is false: attention to what follows"));
  EXPECT_EQ(config_of(llama_with([](GgufWriter& w) { w.flag("llama.attention.causal", true); })).layers, 2);
  EXPECT_THAT(message_of("olmo2", [](GgufWriter& w) { w.u32("olmo2.attention.sliding_window", 4096); }),
              HasSubstr("olmo2.attention.sliding_window is 4096, but windows in some layers are not supported"));
  EXPECT_THAT(message_of("olmo2",
                         [](GgufWriter& w) {
                           w.i32s("olmo2.attention.sliding_window_pattern", {1, 0});
                         }),
              HasSubstr("olmo2.attention.sliding_window_pattern is there"));
  EXPECT_EQ(message_of("granite", [](GgufWriter& w) { w.flag("granite.rope.scaling.finetuned", true); }), "no error");
  EXPECT_EQ(message_of("llama", [](GgufWriter& w) { w.flag("llama.rope.scaling.finetuned", false); }), "no error");
  EXPECT_THAT(message_of("granite", [](GgufWriter& w) { w.flag("granite.rope.scaling.finetuned", false); }),
              HasSubstr("models without RoPE are not supported"));
  GgufWriter other;
  other.text("general.architecture", "gemma\n");
  EXPECT_THAT(
      test::error_of([&] { config_of(other.file()); }),
      HasSubstr("architecture \"gemma\\x0a\" is not supported; llama (and mistral), gemma2, gemma3, granite, olmo2, "
                "phi3, qwen2, qwen3 and smollm3 are"));
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
  EXPECT_THAT(message([](GgufWriter& w) { w.text("tokenizer.ggml.model", "t5"); }),
              HasSubstr("a tokenizer of kind \"t5\""));
  EXPECT_THAT(message([](GgufWriter& w) {
                w.text("tokenizer.ggml.model", "gpt2");
                w.text("tokenizer.ggml.pre", "unheard-of");
              }),
              HasSubstr("the pre-tokenizer \"unheard-of\" is not known"));
  const auto with_tokens = [](std::size_t tokens, std::uint32_t eos) {
    return [=](GgufWriter& w) {
      w.text("tokenizer.ggml.model", "gpt2");
      w.texts("tokenizer.ggml.tokens", std::vector<std::string>(tokens, "t"));
      w.texts("tokenizer.ggml.merges", {});
      w.u32("tokenizer.ggml.eos_token_id", eos);
    };
  };
  EXPECT_THAT(message(with_tokens(5, 5)), HasSubstr("eos_token_id is 5, but there are 5 tokens"));
  EXPECT_EQ(tokenizer_of(with_tokens(6, 0)).tokens.size(), 6U);  // one more than there are embeddings
}

/// "<unk>", "<s>", "</s>", "<0x21>", "▁", "a", "b", "ab", "▁a", "<tag>"
void put_sentencepiece(GgufWriter& w) {
  w.text("tokenizer.ggml.model", "llama");
  w.texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0x21>", "▁", "a", "b", "ab", "▁a", "<tag>"});
  w.i32s("tokenizer.ggml.token_type", {2, 3, 3, 6, 1, 1, 1, 1, 1, 4});
  w.u32("tokenizer.ggml.bos_token_id", 1);
  w.u32("tokenizer.ggml.eos_token_id", 2);
  w.u32("tokenizer.ggml.unknown_token_id", 0);
}

TEST(GgufCheckpoint, SentencePiece) {
  const auto read = [](const std::function<void(GgufWriter&)>& fields) {
    return Tokenizer(tokenizer_of([&](GgufWriter& w) {
      put_sentencepiece(w);
      w.f32s("tokenizer.ggml.scores", {0, 0, 0, 0, -4, -4, -4, -1, -2, 0});
      fields(w);
    }));
  };
  using testing::ElementsAre;
  const Tokenizer tokenizer = read([](GgufWriter&) {});
  EXPECT_THAT(tokenizer.encode("ab a!"), ElementsAre(4, 7, 8, 3));  // ab has a better score than ▁a
  EXPECT_THAT(tokenizer.encode("<s>a<tag>a<unk>?"), ElementsAre(1, 8, 9, 8, 0, 4, 0));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("ab  a!"), true), "ab  a!");
  EXPECT_TRUE(tokenizer.add_bos());
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_FALSE(tokenizer.is_special(9));
  const Tokenizer bare = read([](GgufWriter& w) {
    w.flag("tokenizer.ggml.add_space_prefix", false);
    w.flag("tokenizer.ggml.add_bos_token", false);
  });
  EXPECT_THAT(bare.encode("a a"), ElementsAre(5, 8));
  EXPECT_EQ(bare.decode(bare.encode(" a")), " a");
  EXPECT_FALSE(bare.add_bos());
}

TEST(GgufCheckpoint, TokensOfPhi3TakeTheSpaceBehindThem) {
  const auto ids_of = [](const std::string& bytes) {
    return Tokenizer(read_gguf(test::as_bytes(bytes), "a.gguf")->tokenizer()).encode("<tag>\n a</s> a<s> a<unk> a");
  };
  const auto put = [](GgufWriter& w) {
    put_sentencepiece(w);
    w.f32s("tokenizer.ggml.scores", {0, 0, 0, 0, -4, -4, -4, -1, -2, 0});
  };
  using testing::ElementsAre;
  EXPECT_THAT(ids_of(phi3_with(put)), ElementsAre(9, 8, 2, 8, 1, 4, 8, 0, 4, 8));
  EXPECT_THAT(ids_of(llama_with(put)), ElementsAre(9, 4, 0, 8, 2, 4, 8, 1, 4, 8, 0, 4, 8));
  const auto named = [&](const char* name) {
    return ids_of(llama_with([&](GgufWriter& w) {
      put(w);
      w.text("general.name", name);
    }));
  };
  EXPECT_EQ(named("Microsoft Phi 3"), ids_of(llama_with(put)));
  EXPECT_EQ(named("My Phi-3 Mini"), ids_of(phi3_with(put)));
  EXPECT_EQ(named("PHI3"), ids_of(phi3_with(put)));
}

TEST(GgufCheckpoint, RefusesSentencePieceWithoutScores) {
  const auto message = [](const std::function<void(GgufWriter&)>& fields) {
    return test::error_of([&] {
      (void)tokenizer_of([&](GgufWriter& w) {
        put_sentencepiece(w);
        fields(w);
      });
    });
  };
  EXPECT_THAT(message([](GgufWriter&) {}), HasSubstr("missing metadata \"tokenizer.ggml.scores\""));
  EXPECT_THAT(message([](GgufWriter& w) { w.f32s("tokenizer.ggml.scores", {0}); }),
              HasSubstr("1 scores for 10 tokens"));
  EXPECT_THAT(message([](GgufWriter& w) { w.i32s("tokenizer.ggml.scores", {0}); }), HasSubstr("numbers in F32"));
}

TEST(GgufCheckpoint, EndTokensThatTheFileDoesNotName) {
  const auto ends_of = [](const std::vector<std::string>& tokens) {
    return config_of(llama_with([&](GgufWriter& w) {
             w.texts("tokenizer.ggml.tokens", tokens);
             w.u32("tokenizer.ggml.eos_token_id", 0);
           }))
        .eos;
  };
  EXPECT_EQ(ends_of({"<|eot_id|>", "a", "<|im_end|>", "<end_of_turn>", "<|start|>"}), (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(ends_of({"</s>", "<|end|>", "<|return|>"}), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(ends_of({"</s>", "<|end|>", "<|return|>", "<|call|>"}), (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(ends_of({"a", "<|end|>", "<|flush|>", "<|calls|>"}), (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(ends_of({"a", "<|end|>", "<|return|>", "<|flush|>"}), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(ends_of({"a", "<eos>", "</s>"}), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(ends_of({"a", "<eos>", "</s>", "<|tool_response>"}), (std::vector<int>{0, 1, 3}));
  for (const char* end : {"[EOT]", "[EOS]", "<turn|>", "[e~[", "<|fim_pad|>", "[PAD]", "<reponame>", "<|file_sep|>"})
    EXPECT_EQ(ends_of({"a", "b", end, ""}), (std::vector<int>{0, 2})) << end;
  // What the file names counts with what is known, and so do the exceptions.
  for (const char* key : {"eos", "eot", "eom", "fim_pad"}) {
    const auto named_end = [&](const std::vector<std::string>& tokens) {
      return config_of(llama_with([&](GgufWriter& w) {
        w.texts("tokenizer.ggml.tokens", tokens);
        w.u32(fmt::format("tokenizer.ggml.{}_token_id", key), 1);
      }));
    };
    const Config parts = named_end({"a", "<|end|>", "<|return|>", "<|call|>"});
    EXPECT_EQ(parts.eos, (std::vector<int>{2, 3})) << key;
    EXPECT_EQ(parts.not_eos, std::vector<int>{1}) << key;
    const Config response = named_end({"a", "</s>", "<|tool_response>", "<turn|>"});
    EXPECT_EQ(response.eos, (std::vector<int>{2, 3})) << key;
    EXPECT_EQ(response.not_eos, std::vector<int>{1}) << key;
    EXPECT_EQ(named_end({"a", "</s>", "<|end|>", "<|call|>"}).eos, (std::vector<int>{1, 2, 3})) << key;
  }
  const auto with_padding = [](std::uint32_t id) {
    return config_of(llama_with([&](GgufWriter& w) {
             w.texts("tokenizer.ggml.tokens", {"a", "<|fim_pad|>", "b"});
             w.u32("tokenizer.ggml.fim_pad_token_id", id);
           }))
        .eos;
  };
  EXPECT_EQ(with_padding(2), std::vector<int>{2});
  EXPECT_EQ(with_padding(3), std::vector<int>{1});
  const auto hash_of = [](const char* token) {
    const std::string bytes = llama_with([&](GgufWriter& w) { w.texts("tokenizer.ggml.tokens", {token}); });
    return read_gguf(test::as_bytes(bytes), "a.gguf")->hash();
  };
  EXPECT_EQ(hash_of("<|eot_id|>"), hash_of("a"));  // plans and adapters that were made go on to fit
}

}  // namespace
}  // namespace layerboost
