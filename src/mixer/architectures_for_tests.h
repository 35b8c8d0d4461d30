// For tests: the tiny models that scripts/architecture-cases.py had transformers compute with.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mixer/model_for_tests.h"
#include "model/safetensors_writer.h"

namespace layerboost::test {

/// One of them, with what transformers say of it.
inline Json architecture_case(const std::string& name) {
  for (const Json& entry : read_json(LAYERBOOST_SOURCE_DIR "/src/mixer/testdata/architectures.json"))
    if (entry["name"] == name) return entry;
  fail("no architecture {}", name);
}

/// The names of all of them.
inline std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Json& entry : read_json(LAYERBOOST_SOURCE_DIR "/src/mixer/testdata/architectures.json"))
    names.push_back(entry["name"].get<std::string>());
  return names;
}

/// Their names as those of tests.
inline std::string architecture_in_letters(const testing::TestParamInfo<std::string>& param) {
  std::string name = param.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

/// Writes it as Hugging Face's folder, with the script's weights_of().
inline void write_architecture(const Json& entry, const fs::path& directory) {
  std::uint32_t state = 1;
  const bool without_one = entry["config"]["model_type"].get<std::string>().starts_with("gemma");
  SafetensorsWriter writer;
  const std::map<std::string, std::vector<std::int64_t>> tensors = entry["tensors"];
  for (const auto& [name, shape] : tensors) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    const bool norm = name.find("norm") != std::string::npos;
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) {
      state = state * 1664525U + 1013904223U;
      const float n = norm ? static_cast<float>(state >> 26U) - 32 : static_cast<float>(state >> 24U) - 128;
      values.push_back(!norm ? n / 256 : without_one ? 3 * n / 512 : 1 + n / 128);
    }
    writer.add(name, shape, values, DType::f32);
  }
  fs::create_directories(directory);
  writer.write(directory / "model.safetensors");
  write_file(directory / "config.json", entry["config"].dump());
}

/// The model.
inline std::unique_ptr<Model> load_architecture(const std::string& name, Precision precision) {
  const fs::path directory = temporary_path("architecture-" + name);
  write_architecture(architecture_case(name), directory);
  auto model = load_model(directory, precision);
  fs::remove_all(directory);  // the map stays
  return model;
}

/// What converters for llama.cpp make of one of gemma, which they call `arch`: the norms' weights have their 1.
inline std::string gemma_in_gguf(const Checkpoint& checkpoint, const std::string& arch) {
  Config config = checkpoint.config();
  config.arch = arch;
  GgufWriter writer;
  put_config(writer, config);
  writer.u32(arch + ".attention.sliding_window", 12);
  writer.u32(arch + ".attention.sliding_window_pattern", 2);
  writer.f32(arch + ".rope.freq_base", static_cast<float>(config.rope.base));
  writer.f32(arch + ".rope.scaling.factor", static_cast<float>(config.rope.factor));
  if (config.attention_soft_cap > 0) {
    writer.f32(arch + ".attn_logit_softcapping", config.attention_soft_cap);
    writer.f32(arch + ".final_logit_softcapping", config.logit_soft_cap);
  }
  for_each_tensor(config, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    const Tensor& tensor = checkpoint.tensor(name, shape);
    std::vector<float> values(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
    read_rows(tensor, 0, tensor.rows(), values.data());
    if (name.ends_with("norm.weight"))
      for (float& value : values) value += 1;
    writer.tensor(gguf_name(name), shape, ggml_type(DType::f32), f32_bytes(values));
  });
  return writer.file();
}

}  // namespace layerboost::test
