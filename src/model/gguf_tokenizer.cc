#include "base/error.h"
#include "base/in_quotes.h"
#include "model/gguf_architectures.h"
#include "model/gguf_checkpoint.h"
#include "model/gguf_pre_tokenizer.h"
#include "text/character_bpe.h"

namespace layerboost {
namespace {

/// `otherwise`: where the file doesn't say so, which isn't the same as saying that there is none.
TokenId token_id(const GgufFile& file, const char* key, std::size_t tokens, TokenId otherwise = -1) {
  if (!file.has(key)) return otherwise < static_cast<TokenId>(tokens) ? otherwise : -1;
  const std::optional<int> told = file.token(key);
  if (!told) return -1;
  const int id = *told;
  if (static_cast<std::size_t>(id) >= tokens)
    fail("{}: {} is {}, but there are {} tokens", file.where(), key, id, tokens);
  return id;
}

/// llama.cpp's types of tokens, as far as they matter.
enum TokenType { unknown_token = 2, control_token = 3, user_defined_token = 4 };

/// Whether added tokens take the white space behind them, as Phi-3's do: no key says so. llama.cpp goes by the model's
/// name; here that of its architecture counts as well.
bool tokens_take_space_behind(const GgufFile& file, const TokenizerData& data) {
  if (!data.characters) return false;
  std::string name = file.text("general.name", "");
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  const GgufArchitecture* const architecture = find_gguf_architecture(file.text("general.architecture"));
  return (architecture != nullptr && architecture->tokens_take_space) || has("phi-3") || has("phi3");
}

void read_added_tokens(const GgufFile& file, TokenizerData& data) {
  if (!file.has("tokenizer.ggml.token_type")) return;
  const std::vector<int> types = file.integers("tokenizer.ggml.token_type");
  if (types.size() != data.tokens.size())
    fail("{}: {} token types for {} tokens", file.where(), types.size(), data.tokens.size());
  const bool take_space = tokens_take_space_behind(file, data);
  for (std::size_t i = 0; i < types.size(); ++i) {
    const bool control = types[i] == control_token || (types[i] == unknown_token && data.characters);
    if (!control && types[i] != user_defined_token) continue;
    const std::string& token = data.tokens[i];
    const bool rstrip = take_space && token != "<unk>" && token != "<s>" && token != "<|endoftext|>";
    data.added.push_back({static_cast<TokenId>(i), token, control, false, rstrip});
  }
}

/// SentencePiece's BPE, as models after Llama 2 have it. What a file doesn't say is as llama.cpp has it.
void read_sentencepiece(const GgufFile& file, TokenizerData& data) {
  const bool prefix_space = file.flag("tokenizer.ggml.add_space_prefix", true);
  CharacterRules& characters = data.characters.emplace();
  data.unknown = token_id(file, "tokenizer.ggml.unknown_token_id", data.tokens.size(), 0);
  characters.scores = file.numbers("tokenizer.ggml.scores");
  if (characters.scores.size() != data.tokens.size())
    fail("{}: {} scores for {} tokens", file.where(), characters.scores.size(), data.tokens.size());
  characters.space = space_mark;
  characters.leading_spaces = prefix_space ? 1 : 0;
  if (prefix_space) data.rewriting.push_back({"", std::string(space_mark)});
  data.rewriting.push_back({" ", std::string(space_mark)});
  data.add_bos = true;
}

}  // namespace

TokenizerData gguf_tokenizer(const GgufFile& file) {
  const std::string model = file.text("tokenizer.ggml.model");
  TokenizerData data;
  if (model == "gpt2") {
    read_gguf_pre_tokenizer(file, data);
    data.tokens = file.texts("tokenizer.ggml.tokens");
    data.merges = file.texts("tokenizer.ggml.merges");
  } else if (model == "llama") {
    data.tokens = file.texts("tokenizer.ggml.tokens");
    read_sentencepiece(file, data);
  } else {
    fail("{}: a tokenizer of kind {}; only byte-level BPE (\"gpt2\") and SentencePiece's BPE (\"llama\") are supported",
         file.where(), in_quotes(model));
  }
  read_added_tokens(file, data);
  data.bos = token_id(file, "tokenizer.ggml.bos_token_id", data.tokens.size(), data.characters ? 1 : -1);
  data.eos = token_id(file, "tokenizer.ggml.eos_token_id", data.tokens.size(), data.characters ? 2 : -1);
  data.add_bos = file.flag("tokenizer.ggml.add_bos_token", data.add_bos && data.bos >= 0);
  data.chat_template = file.text("tokenizer.chat_template", "");
  data.tool_template = file.text("tokenizer.chat_template.tool_use", "");
  return data;
}

}  // namespace layerboost
