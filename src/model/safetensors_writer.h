// Writing safetensors files. Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/checkpoint.h"

namespace layerboost {

/// Collects tensors in memory and writes them as one file, in the order in which they were added.
class SafetensorsWriter {
 public:
  /// Adds `values`, stored as `dtype` (bf16 rounds to nearest even). Requires: the name is new, dtype is f32 or bf16,
  /// and there are as many values as `shape` asks for.
  void add(const std::string& name, const std::vector<std::int64_t>& shape, std::span<const float> values, DType dtype);

  /// The file's "__metadata__": texts by key.
  void set_metadata(std::map<std::string, std::string> metadata) { metadata_ = std::move(metadata); }

  /// Bytes of the tensors so far.
  [[nodiscard]] std::size_t size() const { return data_.size(); }

  /// The whole file.
  [[nodiscard]] std::string file() const;

  /// Writes it, complete or not at all. Throws Error.
  void write(const std::filesystem::path& path) const;

 private:
  std::map<std::string, std::string> metadata_;
  Json tensors_ = Json::object();
  std::string data_;
};

}  // namespace layerboost
