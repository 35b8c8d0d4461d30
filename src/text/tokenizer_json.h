// Hugging Face's tokenizer files.
#pragma once

#include <string_view>

#include "text/tokenizer.h"

namespace layerboost {

/// What read_tokenizer_json() does, from the files' contents: `tokenizer_json` (required), `config_json`
/// (tokenizer_config.json) and `special_tokens_json` (special_tokens_map.json), both empty where there is no such file.
/// `where` (the directory) begins the messages of the Errors thrown.
///
/// BOS and EOS are the configuration's `bos_token` and `eos_token`, else the special tokens map's. `add_bos` is the
/// configuration's `add_bos_token`, else whether the post-processor's template begins with BOS.
TokenizerData parse_tokenizer_json(std::string_view tokenizer_json, std::string_view config_json = {},
                                   std::string_view special_tokens_json = {}, std::string_view where = "tokenizer");

}  // namespace layerboost
