#include "generate/bos.h"

#include "base/error.h"

namespace layerboost {

std::string_view name_of(BosMode mode) {
  switch (mode) {
    case BosMode::automatic:
      return "auto";
    case BosMode::always:
      return "always";
    case BosMode::never:
      return "never";
  }
  return "";
}

BosMode parse_bos_mode(std::string_view text) {
  for (const BosMode mode : {BosMode::automatic, BosMode::always, BosMode::never}) {
    if (text == name_of(mode)) return mode;
  }
  fail("`bos` {}: must be auto, always or never", text);
}

TokenId bos_token(const Tokenizer& tokenizer, BosMode mode) {
  if (mode == BosMode::never) return -1;
  if (mode == BosMode::automatic) return tokenizer.add_bos() ? tokenizer.text_start() : -1;
  if (tokenizer.bos() < 0) fail("`bos` always: the model's tokenizer has no BOS token");
  return tokenizer.bos();
}

TokenId prefix_token(const Tokenizer& tokenizer) { return tokenizer.bos() >= 0 ? tokenizer.bos() : tokenizer.eos(); }

std::vector<TokenId> encode_with_bos(const Tokenizer& tokenizer, std::string_view text, TokenId bos) {
  std::vector<TokenId> tokens = tokenizer.encode(text);
  if (bos >= 0) tokens.insert(tokens.begin(), bos);
  return tokens;
}

std::vector<TokenId> encode_with_one_bos(const Tokenizer& tokenizer, std::string_view text, TokenId bos) {
  std::vector<TokenId> tokens = encode_with_bos(tokenizer, text, bos);
  if (bos >= 0 && tokens.size() > 1 && tokens[1] == bos) tokens.erase(tokens.begin());
  return tokens;
}

}  // namespace layerboost
