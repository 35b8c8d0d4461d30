// Cuts text into the pieces that BPE merges within: words with their leading space, numbers, punctuation, white space.
#pragma once

#include <cstddef>
#include <string_view>

#include "text/regex.h"

namespace layerboost {

/// The patterns as GPT-2's code, Llama 3's and Qwen 2's tokenizer.json give them.
inline constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// A character that tokenizers' step "Punctuation" cuts out: not what is punctuation in Unicode 16 and wasn't yet in
/// its older one.
inline constexpr std::string_view punctuation_pattern =
    R"([\p{P}!-/:-@\[-`{-~\x{166d}\x{111c9}](?<![)"
    R"(\x{61d}\x{9fd}\x{a76}\x{c77}\x{c84}\x{1b4e}\x{1b4f}\x{1b7d}-\x{1b7f}\x{2e43}-\x{2e4f}\x{2e52}-\x{2e5d}\x{10d6e})"
    R"(\x{10ead}\x{10f55}-\x{10f59}\x{10f86}-\x{10f89}\x{113d4}\x{113d5}\x{113d7}\x{113d8}\x{1144b}-\x{1144f}\x{1145a})"
    R"(\x{1145b}\x{1145d}\x{11660}-\x{1166c}\x{116b9}\x{1183b}\x{11944}-\x{11946}\x{119e2}\x{11a3f}-\x{11a46})"
    R"(\x{11a9a}-\x{11a9c}\x{11a9e}-\x{11aa2}\x{11b00}-\x{11b09}\x{11be1}\x{11c41}-\x{11c45}\x{11c70}\x{11c71})"
    R"(\x{11ef7}\x{11ef8}\x{11f43}-\x{11f4f}\x{11fff}\x{12ff1}\x{12ff2}\x{16d6d}-\x{16d6f}\x{16e97}-\x{16e9a}\x{16fe2})"
    R"(\x{1e5ff}\x{1e95e}\x{1e95f}]))";

/// One of the known patterns, compiled. Immutable; safe to use from several threads, each with its own match data.
class PreTokenizer {
 public:
  /// `name`: "gpt2", "smollm", "llama3" or "qwen2"; throws Error for any other. `jit`: compile to machine code where
  /// the system allows it (else the pattern is interpreted, several times slower).
  explicit PreTokenizer(std::string_view name, bool jit = true);

  /// The end of the piece of `text` (valid UTF-8) that begins at `start` (< text.size(), the end of the piece before it
  /// or 0). Every byte belongs to a piece. Takes time linear in the piece, or in the white space at `start`.
  /// `additions`: whether the text may have any of unicode_additions().
  [[nodiscard]] std::size_t next(std::string_view text, std::size_t start, pcre2_match_data* data,
                                 bool additions = true) const;

 private:
  Regex regex_;
};

}  // namespace layerboost
