// Text from files, made fit for a one-line message.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// `text` in double quotes, at most 80 bytes of it, with everything but printable ASCII as \xNN.
std::string in_quotes(std::string_view text);

}  // namespace layerboost
