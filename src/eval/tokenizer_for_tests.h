// A byte-level tokenizer made by hand, for tests.
#pragma once

#include <string>

#include "base/utf8.h"
#include "text/tokenizer.h"

namespace layerboost {

/// One token for each byte; the merges "a b" and "space a"; <s> is BOS, </s> EOS.
inline TokenizerData tokenizer_data_for_tests() {
  TokenizerData data;
  data.pre_tokenizer = "gpt2";
  char32_t next = 256;  // bytes that can't be seen are written as the characters from U+0100 on
  for (int byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    std::string name;
    append_utf8(visible ? static_cast<char32_t>(byte) : next++, name);
    data.tokens.push_back(name);
  }
  data.tokens.insert(data.tokens.end(), {"ab", "\u0120a", "<s>", "</s>"});
  data.merges = {"a b", "\u0120 a"};
  data.added = {{258, "<s>", true, false, false}, {259, "</s>", true, false, false}};
  data.bos = 258;
  data.eos = 259;
  return data;
}

/// The same with V 1200, more than one block of what looks through logits: 260 to 263 are control tokens that stand
/// around or before calls of tools, 264 is a call's JSON.
inline TokenizerData large_tokenizer_data_for_tests() {
  TokenizerData data = tokenizer_data_for_tests();
  for (const char* const tag : {"<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>"}) {
    data.added.push_back({static_cast<TokenId>(data.tokens.size()), tag, true, false, false});
    data.tokens.emplace_back(tag);
  }
  data.tokens.emplace_back(R"({"name": "f", "arguments": {}})");
  data.added.push_back({264, data.tokens.back(), false, false, false});
  for (const char* const tag : {"[CALL_ID]", "[ARGS]"}) {
    data.added.push_back({static_cast<TokenId>(data.tokens.size()), tag, true, false, false});
    data.tokens.emplace_back(tag);
  }
  while (data.tokens.size() < 1200) data.tokens.push_back("word" + std::to_string(data.tokens.size()));
  return data;
}

}  // namespace layerboost
