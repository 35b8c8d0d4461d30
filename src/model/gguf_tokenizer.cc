#include <array>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/gguf_checkpoint.h"

namespace layerboost {
namespace {

std::string pre_tokenizer(const GgufFile& file) {
  using Rule = std::pair<std::string_view, std::string_view>;
  constexpr std::array known = {
      Rule{"smollm", "smollm"}, Rule{"llama-bpe", "llama3"},       Rule{"llama3", "llama3"}, Rule{"llama-v3", "llama3"},
      Rule{"qwen2", "qwen2"},   Rule{"deepseek-r1-qwen", "qwen2"}, Rule{"gpt-2", "gpt2"},    Rule{"default", "gpt2"},
  };
  const std::string pre = file.text("tokenizer.ggml.pre", "default");
  for (const auto& [name, ours] : known) {
    if (pre == name) return std::string(ours);
  }
  fail("{}: the pre-tokenizer {} is not supported; gpt2, smollm, llama3 and qwen2 are", file.where(), in_quotes(pre));
}

TokenId token_id(const GgufFile& file, const char* key, std::size_t tokens) {
  if (!file.has(key)) return -1;
  const int id = file.integer(key);
  if (static_cast<std::size_t>(id) >= tokens)
    fail("{}: {} is {}, but there are {} tokens", file.where(), key, id, tokens);
  return id;
}

}  // namespace

TokenizerData gguf_tokenizer(const GgufFile& file) {
  constexpr int control = 3;  // llama.cpp's token types
  constexpr int user_defined = 4;
  const std::string model = file.text("tokenizer.ggml.model");
  if (model != "gpt2")
    fail("{}: a tokenizer of kind {}; only byte-level BPE (\"gpt2\") is supported", file.where(), in_quotes(model));
  TokenizerData data;
  data.pre_tokenizer = pre_tokenizer(file);
  data.nfc = file.text("tokenizer.ggml.pre", "default") == "qwen2";
  data.ignore_merges = data.pre_tokenizer == "llama3";
  data.tokens = file.texts("tokenizer.ggml.tokens");
  data.merges = file.texts("tokenizer.ggml.merges");
  if (file.has("tokenizer.ggml.token_type")) {
    const std::vector<int> types = file.integers("tokenizer.ggml.token_type");
    if (types.size() != data.tokens.size())
      fail("{}: {} token types for {} tokens", file.where(), types.size(), data.tokens.size());
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (types[i] != control && types[i] != user_defined) continue;
      data.added.push_back({static_cast<TokenId>(i), data.tokens[i], types[i] == control, false, false});
    }
  }
  data.bos = token_id(file, "tokenizer.ggml.bos_token_id", data.tokens.size());
  data.eos = token_id(file, "tokenizer.ggml.eos_token_id", data.tokens.size());
  data.add_bos = file.flag("tokenizer.ggml.add_bos_token", data.pre_tokenizer == "llama3" && data.bos >= 0);
  data.chat_template = file.text("tokenizer.chat_template", "");
  data.tool_template = file.text("tokenizer.chat_template.tool_use", "");
  return data;
}

}  // namespace layerboost
