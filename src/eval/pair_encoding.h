// A context and its continuation as tokens, by lm-evaluation-harness's rules, which rest on Python's notions of white
// space and length.
#pragma once

#include <cstddef>
#include <string_view>

#include "generate/token_run.h"

namespace layerboost {

/// The request for log p(continuation | context). White space at the end of the context moves to the continuation; the
/// pair is encoded together and split after as many tokens as the context alone has; an empty context becomes
/// prefix_token(); of more than max_positions + 1 tokens the first are dropped (max_positions 0: 2048). `bos` as for
/// encode_with_one_bos(). Throws Error for an empty context when the model has neither BOS nor EOS.
Request encode_pair(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation, TokenId bos,
                    int max_positions);

/// UTF-8 `text` without the white space at its end, as str.rstrip() takes it: Unicode white space and U+001C-1F.
std::string_view rstrip(std::string_view text);

/// Code points of UTF-8 `text`, as len() counts them.
std::size_t code_points(std::string_view text);

}  // namespace layerboost
