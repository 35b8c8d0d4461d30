// Hugging Face's tokenizer files.
#pragma once

#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace layerboost {

/// The contents of a tokenizer's files; empty where there is no such file.
struct TokenizerFiles {
  std::string tokenizer;       // tokenizer.json: required
  std::string config;          // tokenizer_config.json
  std::string special_tokens;  // special_tokens_map.json
  std::string added_tokens;    // added_tokens.json
};

/// What read_tokenizer_json() does, from the files' contents. `where` (the directory) begins the messages of the Errors
/// thrown.
///
/// Which tokens there are besides tokenizer.json's is in text/special_tokens.h. Texts begin with what the
/// post-processor's template puts before them, whatever "add_bos_token" says: so do transformers from version 5 on.
TokenizerData parse_tokenizer_files(const TokenizerFiles& files, std::string_view where = "tokenizer");

/// The same of the first three.
TokenizerData parse_tokenizer_json(std::string_view tokenizer_json, std::string_view config_json = {},
                                   std::string_view special_tokens_json = {}, std::string_view where = "tokenizer");

}  // namespace layerboost
