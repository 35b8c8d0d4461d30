// The "normalizer" of a tokenizer.json.
#pragma once

#include <string_view>

#include "base/json.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Fills `data`'s `nfc` and `rewriting`: NFC first, Prepend, Replace of a text, and sequences of them. Throws Error,
/// beginning with `where`, for other kinds, and for steps that would take a text unreasonable time or make it more than
/// 64 times as long.
void read_normalizer(const Json& normalizer, TokenizerData& data, std::string_view where);

/// What read_normalizer() reads as that of `data`.
SortedJson normalizer_json(const TokenizerData& data);

}  // namespace layerboost
