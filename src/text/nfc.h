// Unicode normalisation form C: what Qwen's tokenizers do to text first.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// Whether NFC could change `valid_utf8`: false for text of characters below U+0300 only, which NFC leaves as it is.
bool may_change_under_nfc(std::string_view valid_utf8);

/// `valid_utf8` in normalisation form C (Unicode Standard Annex 15).
std::string to_nfc(std::string_view valid_utf8);

}  // namespace layerboost
