// The pre-tokenizers that GGUF files name under "tokenizer.ggml.pre".
#pragma once

#include "model/gguf_file.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Fills what the name stands for into `data`: how text is cut, and `ignore_merges`, `nfc` and `add_bos` of the models
/// that have it. Warns where the file has no name, or "default": the rule of GPT-2 is a guess then. Throws Error for a
/// name that isn't known.
void read_gguf_pre_tokenizer(const GgufFile& file, TokenizerData& data);

}  // namespace layerboost
