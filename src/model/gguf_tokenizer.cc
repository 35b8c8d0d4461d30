#include "base/error.h"
#include "base/in_quotes.h"
#include "model/gguf_checkpoint.h"
#include "model/gguf_pre_tokenizer.h"

namespace layerboost {
namespace {

TokenId token_id(const GgufFile& file, const char* key, std::size_t tokens) {
  const std::optional<int> told = file.token(key);
  if (!told) return -1;
  const int id = *told;
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
  read_gguf_pre_tokenizer(file, data);
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
  data.add_bos = file.flag("tokenizer.ggml.add_bos_token", data.add_bos && data.bos >= 0);
  data.chat_template = file.text("tokenizer.chat_template", "");
  data.tool_template = file.text("tokenizer.chat_template.tool_use", "");
  return data;
}

}  // namespace layerboost
