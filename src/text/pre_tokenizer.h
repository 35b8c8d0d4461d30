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
