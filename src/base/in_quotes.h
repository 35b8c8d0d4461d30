// Text from files and other machines, made fit for a one-line message.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// `text` as a terminal may show it on one line, in valid UTF-8: control characters, those that turn the direction of
/// writing, and bytes that aren't UTF-8 become \xNN. Of more than `longest` bytes the beginning and the end are left.
std::string printable(std::string_view text, std::size_t longest = 1000);

/// printable() in double quotes, at most 80 bytes of it.
std::string in_quotes(std::string_view text);

}  // namespace layerboost
