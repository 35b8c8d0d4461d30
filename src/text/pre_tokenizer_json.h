// The "pre_tokenizer" of a tokenizer.json.
#pragma once

#include <string_view>

#include "base/json.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Fills `data`'s `pre_tokenizer` where it is a rule known by name, else its `split_steps`: Split, Digits, Punctuation,
/// the splits at white space, ByteLevel, Metaspace, and sequences of them. Throws Error, beginning with `where`, for
/// other kinds, unless ByteLevel is there once, or not at all where `data.characters`, and where a Metaspace has the
/// scheme "first" behind steps that leave open what a text begins with. Requires: `data` has its `rewriting` and
/// `characters` already.
void read_pre_tokenizer(const Json& pre_tokenizer, TokenizerData& data, std::string_view where);

/// Whether ByteLevel is among the steps of `pre_tokenizer`.
bool has_byte_level(const Json& pre_tokenizer);

/// A "Metaspace", be it a pre-tokenizer or a decoder.
SplitStep metaspace_step(const Json& part, std::string_view where);

/// What read_pre_tokenizer() reads as that of `data`.
SortedJson pre_tokenizer_json(const TokenizerData& data);

}  // namespace layerboost
