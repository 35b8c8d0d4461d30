// Names of requests, by which clients, logs and answers mean the same one.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// `asked`, where a client may choose that: 1 to 128 printable ASCII characters without spaces and quotes; else 32
/// hexadecimal digits that nobody else has.
std::string request_id(std::string_view asked);

}  // namespace layerboost
