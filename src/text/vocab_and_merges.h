// Tokenizers saved as vocab.json and merges.txt, without a tokenizer.json: those that transformers had in Python.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// The tokenizer.json of a tokenizer whose vocab.json, merges.txt and tokenizer_config.json (empty: none) have these
/// contents. Throws Error, beginning with `where` (the directory), unless "tokenizer_class" is GPT-2's or Qwen 2's.
std::string tokenizer_json_of(std::string_view vocab_json, std::string_view merges_txt, std::string_view config_json,
                              std::string_view where);

}  // namespace layerboost
