// The "decoder" of a tokenizer.json whose BPE begins with characters.
#pragma once

#include <string_view>

#include "base/json.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Fills `space` and `leading_spaces` of `rules`: Replace of a mark by a space, ByteFallback, Fuse, Strip of spaces in
/// front, Metaspace, and sequences of them; without a decoder "▁" is a space. Throws Error, beginning with `where`, for
/// others, and for such that would need more than one `space` or take spaces away twice.
void read_decoder(const Json& decoder, CharacterRules& rules, std::string_view where);

/// What read_decoder() reads as that of `rules`.
SortedJson decoder_json(const CharacterRules& rules);

}  // namespace layerboost
