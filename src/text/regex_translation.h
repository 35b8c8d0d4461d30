// Expressions written for Oniguruma, in the syntax of PCRE2.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace layerboost {

/// Bytes that an expression may have in PCRE2's syntax: each set of characters has up to a few kilobytes.
inline constexpr std::size_t most_translated = 1 << 20;

/// `pattern`, in Oniguruma's syntax, in PCRE2's: classes within classes and their intersections (`[\p{L}&&[^a-z]]`)
/// become lookaheads; white space, letters, digits and the other sets are those of Unicode 16, whichever tables the
/// PCRE2 in use has. Without `additions` those that only newer tables have are left out, which is faster to match.
/// Throws Error for a class that doesn't end, for a result that is too long, and for what Oniguruma would understand in
/// another way.
std::string to_pcre2(std::string_view pattern, bool additions = true);

}  // namespace layerboost
