// Python's notions of white space and length, which lm-evaluation-harness's rules rest on.
#pragma once

#include <cstddef>
#include <string_view>

namespace layerboost {

/// UTF-8 `text` without the white space at its end, as str.rstrip() takes it: Unicode white space and U+001C-1F.
std::string_view rstrip(std::string_view text);

/// Code points of UTF-8 `text`, as len() counts them.
std::size_t code_points(std::string_view text);

}  // namespace layerboost
