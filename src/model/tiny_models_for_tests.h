// Small model files, made in memory, for tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "model/dequantize.h"
#include "model/tensor_names.h"

namespace layerboost::test {

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Collects metadata and tensors and lays them out as a GGUF file.
class GgufWriter {
 public:
  void text(std::string_view key, std::string_view value) { put_string(begin(key, 8), value); }
  void u32(std::string_view key, std::uint32_t value) { put(begin(key, 4), value); }
  /// A value of GGUF's type `type`.
  template <typename T>
  void number(std::string_view key, std::uint32_t type, T value) {
    put(begin(key, type), value);
  }
  void f32(std::string_view key, float value) { put(begin(key, 6), value); }
  void flag(std::string_view key, bool value) { put(begin(key, 7), static_cast<char>(value)); }
  void texts(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, 8, values.size());
    for (const std::string& value : values) put_string(metadata_, value);
  }
  void i32s(std::string_view key, const std::vector<std::int32_t>& values) {
    begin_array(key, 5, values.size());
    for (const std::int32_t value : values) put(metadata_, value);
  }
  void flags(std::string_view key, const std::vector<bool>& values) {
    begin_array(key, 7, values.size());
    for (const bool value : values) put(metadata_, static_cast<char>(value));
  }
  void f32s(std::string_view key, const std::vector<float>& values) {
    begin_array(key, 6, values.size());
    for (const float value : values) put(metadata_, value);
  }
  /// Shape outermost first.
  void tensor(std::string_view name, std::vector<std::int64_t> shape, std::uint32_t ggml_type, std::string_view data) {
    put_string(infos_, name);
    put(infos_, static_cast<std::uint32_t>(shape.size()));
    std::reverse(shape.begin(), shape.end());
    for (const std::int64_t size : shape) put(infos_, size);
    put(infos_, ggml_type);
    put(infos_, static_cast<std::uint64_t>(data_.size()));
    data_ += data;
    pad(data_);
    ++tensors_;
  }
  [[nodiscard]] std::string file(std::uint32_t version = 3) const {
    std::string out = "GGUF";
    put(out, version);
    put(out, tensors_);
    put(out, values_);
    out += metadata_ + infos_;
    pad(out);
    return out + data_;
  }

 private:
  static void put_string(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint64_t>(text.size()));
    out += text;
  }
  static void pad(std::string& out) { out.resize((out.size() + 31) / 32 * 32, '\0'); }
  std::string& begin(std::string_view key, std::uint32_t type) {
    ++values_;
    put_string(metadata_, key);
    put(metadata_, type);
    return metadata_;
  }
  void begin_array(std::string_view key, std::uint32_t type, std::uint64_t count) {
    begin(key, 9);
    put(metadata_, type);
    put(metadata_, count);
  }

  std::string metadata_, infos_, data_;
  std::uint64_t tensors_ = 0, values_ = 0;
};

inline std::uint32_t ggml_type(DType dtype) {
  constexpr std::uint32_t types[] = {0,  1,  30, 2,  3,  6,  7,  8,  12, 13, 14, 10, 11,
                                     20, 23, 34, 35, 39, 16, 17, 22, 18, 21, 19, 29};  // in DType's order
  return types[static_cast<int>(dtype)];
}

/// Random bytes that are `count` finite numbers of `dtype`.
inline std::string random_weights(DType dtype, std::int64_t count, std::mt19937& random) {
  std::string data(static_cast<std::size_t>(stored_bytes(dtype, count)), '\0');
  for (char& c : data)
    c = static_cast<char>(random() & 0xbfU);  // without bit 6, no exponent of f32, f16 or bf16 is all ones
  return data;
}

/// A configuration with few small tensors; D is 256 for the types from Q4_K on, for most of them have blocks as long.
inline Config tiny_config(const std::string& arch, DType dtype) {
  Config c;
  c.arch = arch;
  c.layers = dtype >= DType::q4_k ? 1 : 2;
  c.hidden = dtype >= DType::q4_k ? 256 : 32;
  c.heads = 2;
  c.kv_heads = 1;
  c.head_size = 4;
  c.ffn = 6;
  c.vocab = 5;
  c.max_positions = 64;
  c.qkv_bias = arch == "qwen2";
  const bool gemma3 = arch == "gemma3" || arch == "gemma3_text";
  c.qk_norm = arch == "qwen3" || arch == "olmo2" || gemma3;
  c.norms_before = arch != "olmo2";
  c.norms_after = arch == "olmo2" || arch == "gemma2" || gemma3;
  c.qk_norm_whole = arch == "olmo2";
  c.tied_embeddings = arch == "qwen3";
  if (arch == "granite") c.logit_scale = 0.125F;
  c.windows.assign(static_cast<std::size_t>(c.layers), 0);
  return c;
}

/// A llama of 4 layers, D 48, H 6, G 2, d 8, F 64, 512 positions: small, but with several heads and layers of each
/// kind.
inline Config small_config(int vocab = 96) {
  Config c = tiny_config("llama", DType::f32);
  c.layers = 4;
  c.hidden = 48;
  c.heads = 6;
  c.kv_heads = 2;
  c.head_size = 8;
  c.ffn = 64;
  c.vocab = vocab;
  c.max_positions = 512;
  c.windows.assign(4, 0);
  return c;
}

/// Normal random numbers for a tensor: norm weights near one; matrices that keep the size of what they read.
inline std::vector<float> small_weights(const std::vector<std::int64_t>& shape, Random& random) {
  const bool matrix = shape.size() == 2;
  const double mean = matrix ? 0 : 1, spread = matrix ? 1.5 / std::sqrt(static_cast<double>(shape[1])) : 0.1;
  std::vector<float> values(static_cast<std::size_t>((matrix ? shape[0] : 1) * shape.back()));
  for (float& value : values) value = static_cast<float>(mean + spread * random.normal());
  return values;
}

/// Numbers as the bytes of a tensor in F32.
inline std::string f32_bytes(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

/// GGUF's name of a tensor.
inline std::string gguf_name(std::string name) {
  const std::pair<const char*, const char*> parts[] = {
      {"model.embed_tokens", "token_embd"},
      {"model.norm", "output_norm"},
      {"lm_head", "output"},
      {"model.layers", "blk"},
      {"input_layernorm", "attn_norm"},
      {"post_attention_layernorm", "ffn_norm"},
      {"self_attn.q_proj", "attn_q"},
      {"self_attn.k_proj", "attn_k"},
      {"self_attn.v_proj", "attn_v"},
      {"self_attn.qkv_proj", "attn_qkv"},
      {"self_attn.o_proj", "attn_output"},
      {"self_attn.q_norm", "attn_q_norm"},
      {"self_attn.k_norm", "attn_k_norm"},
      {"mlp.gate_proj", "ffn_gate"},
      {"mlp.up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"},
      {"self_attn.output_norm", "post_attention_norm"},
      {"mlp.output_norm", "post_ffw_norm"},
  };
  for (const auto& [hf, gguf] : parts) {
    if (const auto at = name.find(hf); at != std::string::npos) name.replace(at, std::strlen(hf), gguf);
  }
  return name;
}

inline void put_tokenizer(GgufWriter& writer) {
  writer.text("tokenizer.ggml.model", "gpt2");
  writer.text("tokenizer.ggml.pre", "qwen2");
  writer.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<|end|>", "<tool>"});
  writer.texts("tokenizer.ggml.merges", {"a b"});
  writer.i32s("tokenizer.ggml.token_type", {1, 1, 1, 3, 4});
  writer.u32("tokenizer.ggml.eos_token_id", 3);
  writer.flag("tokenizer.ggml.add_bos_token", false);
  writer.text("tokenizer.chat_template", "{{ messages }}");
}

/// The metadata of tiny_config().
inline void put_config(GgufWriter& writer, const Config& c) {
  writer.text("general.architecture", c.arch);
  writer.u32(c.arch + ".block_count", static_cast<std::uint32_t>(c.layers));
  writer.u32(c.arch + ".embedding_length", static_cast<std::uint32_t>(c.hidden));
  writer.u32(c.arch + ".attention.head_count", static_cast<std::uint32_t>(c.heads));
  writer.u32(c.arch + ".attention.head_count_kv", static_cast<std::uint32_t>(c.kv_heads));
  writer.u32(c.arch + ".attention.key_length", static_cast<std::uint32_t>(c.head_size));
  writer.u32(c.arch + ".feed_forward_length", static_cast<std::uint32_t>(c.ffn));
  writer.u32(c.arch + ".context_length", static_cast<std::uint32_t>(c.max_positions));
  writer.f32(c.arch + ".attention.layer_norm_rms_epsilon", 1e-6F);
  if (c.logit_scale != 1) writer.f32(c.arch + ".logit_scale", 1 / c.logit_scale);
}

/// All the tensors of `c`: matrices in `dtype` where their rows allow it, the rest in F32; those of phi3 in one that
/// lie in one there.
inline void put_tensors(GgufWriter& writer, const Config& c, DType dtype) {
  std::mt19937 random(1);
  for_each_tensor(c, [&](std::string name, std::vector<std::int64_t> shape) {
    const auto is = [&](const char* part) { return name.find(part) != std::string::npos; };
    if (c.arch == "phi3") {
      if (is("k_proj") || is("v_proj") || is("gate_proj")) return;
      if (is("q_proj")) {
        name.replace(name.find("q_proj"), 6, "qkv_proj");
        shape[0] += 2 * c.kv_size();
      } else if (is("up_proj")) {
        shape[0] *= 2;
      }
    }
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    const bool fits = shape.size() == 2 && shape[1] % block_size(dtype).elements == 0;
    const DType type = fits ? dtype : DType::f32;
    writer.tensor(gguf_name(name), shape, ggml_type(type), random_weights(type, count, random));
  });
}

inline std::string tiny_gguf(const std::string& arch, DType dtype, std::uint32_t version = 3) {
  const Config c = tiny_config(arch, dtype);
  GgufWriter writer;
  put_config(writer, c);
  put_tokenizer(writer);
  put_tensors(writer, c, dtype);
  return writer.file(version);
}

/// A safetensors file of `header` and data.
inline std::string safetensors_file(std::string_view header, std::string_view data) {
  std::string out;
  put(out, static_cast<std::uint64_t>(header.size()));
  return out.append(header).append(data);
}

/// Hugging Face's name of a tensor: where there are norms of outputs, "post_attention_layernorm" is one.
inline std::string hugging_face_name(const Config& c, std::string name) {
  if (!c.norms_after) return name;
  for (const auto& [here, there] : {std::pair("post_attention_layernorm", "pre_feedforward_layernorm"),
                                    std::pair("self_attn.output_norm", "post_attention_layernorm"),
                                    std::pair("mlp.output_norm", "post_feedforward_layernorm")}) {
    if (const auto at = name.find(here); at != std::string::npos) return name.replace(at, std::strlen(here), there);
  }
  return name;
}

/// All the tensors of `c` in one safetensors file.
inline std::string tiny_safetensors(const Config& c, DType dtype) {
  std::mt19937 random(1);
  std::string header, data;
  for_each_tensor(c, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    const std::size_t begin = data.size();
    data += random_weights(dtype, count, random);
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", header.empty() ? "{" : ",",
                          hugging_face_name(c, name), name_of(dtype), fmt::join(shape, ","), begin, data.size());
  });
  return safetensors_file(header + "}", data);
}

/// The config.json of `c`.
inline std::string config_json(const Config& c) {
  return fmt::format(
      R"({{"model_type":"{}","num_hidden_layers":{},"hidden_size":{},"num_attention_heads":{},)"
      R"("num_key_value_heads":{},"head_dim":{},"intermediate_size":{},"vocab_size":{},)"
      R"("max_position_embeddings":{},"rms_norm_eps":1e-6,"tie_word_embeddings":{},"eos_token_id":[3,4]}})",
      c.arch, c.layers, c.hidden, c.heads, c.kv_heads, c.head_size, c.ffn, c.vocab, c.max_positions, c.tied_embeddings);
}

}  // namespace layerboost::test
