// GGUF files as models: what their metadata and tensor names mean.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/gguf_file.h"
#include "model/tensor_table.h"

namespace layerboost {

/// The model's shape from `{general.architecture}.*` and from which tensors there are. Throws Error for an architecture
/// that gguf_architectures.cc doesn't have, for missing or wrong values, and for what isn't supported (experts, other
/// RoPE scalings).
Config gguf_config(const GgufFile& file);

/// The tokenizer from `tokenizer.*`. Throws Error unless it is byte-level BPE with a known pre-tokenizer, or
/// SentencePiece's BPE.
TokenizerData gguf_tokenizer(const GgufFile& file);

/// The tokens of the file that end a message or a text in all models that have them ("<|im_end|>"), those that
/// llama.cpp ends generation with, and those that don't end it beside others, even if the file names them. Files often
/// name only one as EOS, and chats end with another.
EndTokens known_end_tokens(const GgufFile& file);

/// A model in `bytes`, which must be all of it; `where` begins every message. Requires: `bytes` outlive it.
std::unique_ptr<Checkpoint> read_gguf(std::span<const std::byte> bytes, const std::string& where);

/// A model in a mapped file, or in several of which `path` is one (BEGINNING-00002-of-00005.gguf): a split model is
/// read as if it were one file, and has the same hash; its path is the first part's.
std::unique_ptr<Checkpoint> open_gguf(const fs::path& path);

}  // namespace layerboost
