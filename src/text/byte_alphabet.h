// GPT-2's byte-to-Unicode alphabet: how vocabularies and merges spell arbitrary bytes as printable text (0x20 is "Ġ").
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace layerboost {

/// The character (as UTF-8) that stands for `byte`: printable Latin-1 stands for itself, the other 68 bytes for U+0100
/// and on.
std::string_view alphabet_char(unsigned char byte);

/// The bytes that `token` spells; nullopt: it has a character outside the alphabet.
std::optional<std::string> bytes_in_alphabet(std::string_view token);

/// The bytes that `token` spells. A token with any character outside the alphabet is taken as it is, as Hugging Face's
/// ByteLevel decoder does.
std::string alphabet_to_bytes(std::string_view token);

}  // namespace layerboost
