// Sets of characters, and the bytes that write them.
#pragma once

#include <utility>
#include <vector>

#include "grammar/grammar.h"

namespace layerboost {

/// First and last of each range, in order, without overlaps. Surrogates aren't characters.
using CodePoints = std::vector<std::pair<char32_t, char32_t>>;

inline constexpr char32_t last_code_point = 0x10FFFF;

/// Ranges in any order as a set.
CodePoints united(CodePoints ranges);
/// All characters that aren't in `set`.
CodePoints all_but(const CodePoints& set);
/// What an expression means by any character, or by any but those in `set`: NUL isn't among them, as few programs can
/// handle a text that has it, and nobody who writes "." thinks of it.
CodePoints any_but(const CodePoints& set);
CodePoints common(const CodePoints& a, const CodePoints& b);

/// Ways from `from` to `to` that spell each character of `set` in UTF-8.
void spell(Grammar& grammar, int from, const CodePoints& set, int to);

/// The same for a character within a JSON string: those that JSON wants escaped are spelt by their shortest escape.
void spell_in_json(Grammar& grammar, int from, const CodePoints& set, int to);
/// Whether JSON wants `c` escaped in a string.
bool needs_escape(char32_t c);

}  // namespace layerboost
