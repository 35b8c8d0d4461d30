// Python's notions of white space and length, which lm-evaluation-harness's rules rest on.
#pragma once

#include <cstddef>
#include <string_view>

namespace layerboost {

/// Bytes of white space at the end of UTF-8 `text`, as str.rstrip() takes them: Unicode white space and U+001C-1F.
std::size_t trailing_white_space(std::string_view text);

/// Code points of UTF-8 `text`, as len() counts them.
std::size_t code_points(std::string_view text);

}  // namespace layerboost
