// GGUF models for tests: tiny ones with something more in them, and ones whose weights are fused.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "model/gguf_checkpoint.h"
#include "model/tiny_models_for_tests.h"

namespace layerboost::test {

/// A tiny model in F32 whose metadata `more` adds to.
inline std::string tiny_with(const std::string& arch, const std::function<void(GgufWriter&)>& more) {
  const Config c = tiny_config(arch, DType::f32);
  GgufWriter writer;
  put_config(writer, c);
  put_tensors(writer, c, DType::f32);
  more(writer);
  return writer.file();
}

inline std::string llama_with(const std::function<void(GgufWriter&)>& more) { return tiny_with("llama", more); }

inline Config config_of(const std::string& bytes) { return read_gguf(as_bytes(bytes), "a.gguf")->config(); }

inline std::vector<float> all_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  read_rows(tensor, 0, tensor.rows(), values.data());
  return values;
}

/// A model whose q, k and v are one tensor, and in phi3 gate and up another; `more` before these. Or, without `fuse`,
/// the same numbers with a tensor for each weight.
inline std::string fused_with(const std::string& arch, const std::function<void(GgufWriter&)>& more, bool fuse = true) {
  Config c = tiny_config(arch, DType::f32);
  c.qkv_bias = arch != "phi3";
  GgufWriter writer;
  put_config(writer, c);
  more(writer);
  std::pair<std::int64_t, std::string> parts[2];  // rows and bytes of a weight, and of a bias
  float next = 0;
  for_each_tensor(c, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    const std::int64_t columns = shape.size() == 2 ? shape[1] : 1;
    std::string data;
    for (std::int64_t i = 0; i < shape[0] * columns; ++i) put(data, next += 1);
    const auto is = [&](const char* part) { return name.find(part) != std::string::npos; };
    const bool qkv = is("q_proj") || is("k_proj") || is("v_proj");
    if (!fuse || (!qkv && !(arch == "phi3" && (is("gate_proj") || is("up_proj")))))
      return writer.tensor(gguf_name(name), shape, 0, data);
    auto& [rows, fused] = parts[name.ends_with("bias")];
    fused += data;
    rows += shape[0];
    if (!is("v_proj") && !is("up_proj")) return;
    std::string whole = gguf_name(name);
    if (qkv) whole.replace(whole.find("attn_v"), 6, "attn_qkv");
    std::vector<std::int64_t> whole_shape = shape;
    whole_shape[0] = std::exchange(rows, 0);
    writer.tensor(whole, whole_shape, 0, std::exchange(fused, {}));
  });
  return writer.file();
}

inline std::string phi3_with(const std::function<void(GgufWriter&)>& more) { return fused_with("phi3", more); }

}  // namespace layerboost::test
