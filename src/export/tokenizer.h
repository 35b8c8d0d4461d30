// The tokenizer's files of exported models.
#pragma once

#include "base/json.h"
#include "model/checkpoint.h"

namespace layerboost {

/// Writes tokenizer.json, tokenizer_config.json and generation_config.json into `directory`: those of `path` where the
/// checkpoint is a Hugging Face directory, else made from its tokenizer's data for texts of up to `positions` tokens.
/// Returns the ids of special tokens, {"bos_token_id", "eos_token_id", "pad_token_id"}, those that there are. Throws
/// Error; a model without a tokenizer gets none, with a warning.
Json export_tokenizer(const Checkpoint& checkpoint, const fs::path& path, int positions, const fs::path& directory);

/// tokenizer.json as Hugging Face's tokenizers read it: read_tokenizer_json() gives `data` back.
std::string tokenizer_json(const TokenizerData& data);

/// tokenizer_config.json as transformers reads it: special tokens by name, the chat templates. tokens: as
/// export_tokenizer() returns them.
Json tokenizer_config_json(const TokenizerData& data, const Json& tokens, int positions);

}  // namespace layerboost
