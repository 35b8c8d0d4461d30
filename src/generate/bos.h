// Whether texts begin with the beginning-of-sequence token: the usual reason why two evaluations disagree.
#pragma once

#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

enum class BosMode { automatic, always, never };

/// "auto", "always" or "never".
std::string_view name_of(BosMode mode);
/// Throws Error naming what is allowed.
BosMode parse_bos_mode(std::string_view text);

/// The token that texts are to begin with, or -1 for none: under auto, BOS where the tokenizer itself adds it, or what
/// it adds in its place. Throws Error for `always` when the model has no BOS.
TokenId bos_token(const Tokenizer& tokenizer, BosMode mode);

/// The token that an empty context is replaced by: BOS, or else EOS (-1 when the model has neither).
TokenId prefix_token(const Tokenizer& tokenizer);

/// The tokens of `text` after `bos`, unless that is -1: as tokenizers give them, also where the text spells it already.
std::vector<TokenId> encode_with_bos(const Tokenizer& tokenizer, std::string_view text, TokenId bos);

/// The same, but a text that spells `bos` already gets no other: as lm-evaluation-harness has it.
std::vector<TokenId> encode_with_one_bos(const Tokenizer& tokenizer, std::string_view text, TokenId bos);

}  // namespace layerboost
