// Tokens that tokenizer_config.json and its like tell, and tokenizer.json perhaps doesn't.
#pragma once

#include <string_view>

#include "base/json.h"
#include "text/tokenizer.h"

namespace layerboost {

/// The settings beside a tokenizer, each null where there is no such file.
struct TokenizerSettings {
  Json config;          // tokenizer_config.json
  Json special_tokens;  // special_tokens_map.json
  Json added_tokens;    // added_tokens.json: ids by text
};

/// A token as these files have it, but for its id; `special`: where it doesn't say so itself. Throws Error beginning
/// with `where` (the file).
AddedToken added_token_of(const Json& told, bool special, std::string_view where);

/// Adds to `data` the tokens that `settings` name and `data` lacks, and sets BOS and EOS, as transformers does: those
/// under "added_tokens_decoder", then bos_token, eos_token and so on. A text that the vocabulary has keeps its id,
/// others follow the last one, whatever id they are told with. Only where there is no "added_tokens_decoder" do the
/// other two files count, and then special_tokens_map.json comes before the configuration; but it always tells BOS and
/// EOS where the configuration has none. Throws Error beginning with
/// `where` (the directory).
void add_special_tokens(const TokenizerSettings& settings, TokenizerData& data, std::string_view where);

}  // namespace layerboost
