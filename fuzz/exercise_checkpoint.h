// What the fuzz targets do with an input, and what src/model/corpus_test.cc does with the seeds: everything that
// reading a model does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/gguf_checkpoint.h"
#include "model/hf_config.h"
#include "model/safetensors_checkpoint.h"
#include "model/tensor_names.h"

namespace layerboost::fuzz {

/// Errors are what bad input deserves, if they are one line of printable text; anything else is a finding.
template <typename Read>
void expect_result_or_error(const Read& read) {
  try {
    read();
  } catch (const Error& error) {
    LB_CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
}

inline void use(const Checkpoint& model) {
  const Config& config = model.config();
  for (const bool of_long_texts : {false, true})
    LB_CHECK(config.rope_frequencies(of_long_texts).size() % static_cast<std::size_t>(config.head_size / 2) == 0);
  LB_CHECK(model.hash().starts_with("sha256:"));
  std::vector<float> rows;
  for_each_tensor(config, [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    const Tensor& tensor = model.tensor(name, shape);
    const std::int64_t count = std::min<std::int64_t>(tensor.rows(), 2);
    rows.resize(static_cast<std::size_t>(count * tensor.cols()));
    read_rows(tensor, tensor.rows() - count, count, rows.data());
  });
  (void)model.tokenizer();
}

/// A GGUF file.
inline void exercise_gguf(std::span<const std::byte> input) {
  expect_result_or_error([&] { use(*read_gguf(input, "input")); });
}

/// config.json, a zero byte, a safetensors file.
inline void exercise_safetensors(std::span<const std::byte> input) {
  const auto zero = std::find(input.begin(), input.end(), std::byte{0});
  const auto length = static_cast<std::size_t>(zero - input.begin());
  const std::string_view config(reinterpret_cast<const char*>(input.data()), length);
  const auto rest = input.subspan(std::min(length + 1, input.size()));
  expect_result_or_error([&] { use(*read_safetensors(config, rest, "input")); });
}

/// config.json, which is also taken as generation_config.json.
inline void exercise_config(std::span<const std::byte> input) {
  const std::string_view json(reinterpret_cast<const char*>(input.data()), input.size());
  expect_result_or_error([&] {
    const Config config = read_hf_config(json, json, "input");
    if (config.head_size <= 4096) (void)config.rope_frequencies();
  });
}

}  // namespace layerboost::fuzz
