// GGUF files as models: what their metadata and tensor names mean.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/gguf_file.h"

namespace layerboost {

/// The model's shape from `{general.architecture}.*` and from which tensors there are. Throws Error for an architecture
/// other than llama, qwen2 and qwen3, for missing or wrong values, and for what isn't supported (experts, other RoPE
/// scalings).
Config gguf_config(const GgufFile& file);

/// The tokenizer from `tokenizer.*`. Throws Error unless it is byte-level BPE with a known pre-tokenizer.
TokenizerData gguf_tokenizer(const GgufFile& file);

/// A model in `bytes`; `where` begins every message. Requires: `bytes` outlive it.
std::unique_ptr<Checkpoint> read_gguf(std::span<const std::byte> bytes, const std::string& where);

/// A model in a mapped file.
std::unique_ptr<Checkpoint> open_gguf(const fs::path& path);

}  // namespace layerboost
