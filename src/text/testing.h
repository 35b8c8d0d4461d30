// Small tokenizers for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace layerboost {

/// A token for each byte (its id is the byte), one for each of `merges` (ids from 256 on, in order), then the added
/// tokens
/// "<|start|>" and "<|end|>" (special) and "<tag>" (not special).
inline TokenizerData small_tokenizer_data(std::vector<std::string> merges, std::string pre_tokenizer = "gpt2") {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) data.tokens.emplace_back(alphabet_char(static_cast<unsigned char>(byte)));
  for (const std::string& merge : merges) {
    const auto space = merge.find(' ');
    data.tokens.push_back(merge.substr(0, space) + merge.substr(space + 1));
  }
  const auto add = [&](const char* content, bool special) {
    data.added.push_back({.id = static_cast<TokenId>(data.tokens.size()), .content = content, .special = special});
    data.tokens.emplace_back(content);
    return data.added.back().id;
  };
  data.bos = add("<|start|>", true);
  data.eos = add("<|end|>", true);
  add("<tag>", false);
  data.merges = std::move(merges);
  data.pre_tokenizer = std::move(pre_tokenizer);
  return data;
}

}  // namespace layerboost
