// A Hugging Face checkpoint: a folder with config.json and safetensors files.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"
#include "model/checkpoint.h"

namespace layerboost {

/// A model of one safetensors file in `bytes`, with the text of its config.json; it has no tokenizer. `where` begins
/// every message. Requires: `bytes` outlive it.
std::unique_ptr<Checkpoint> read_safetensors(std::string_view config_json, std::span<const std::byte> bytes,
                                             const std::string& where);

/// A model in a folder: config.json, generation_config.json (may be missing), model.safetensors or
/// model.safetensors.index.json with the shards that it names, and the tokenizer's files (looked at only by
/// tokenizer()).
std::unique_ptr<Checkpoint> open_safetensors(const fs::path& folder);

}  // namespace layerboost
