// The head of an answer and the frames of a body sent in pieces, as HTTP/1.1 has them on the wire.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "server/http.h"

namespace layerboost {

/// "Not Found"; for a status that this server doesn't use, "".
std::string_view reason_of(int status);

/// Status line and headers with the empty line that ends them. `length`: of the body; without it the body comes in
/// chunks (or, where `chunked` is false, ends with the connection). Line ends in headers' values become spaces.
std::string http_head(int status, std::string_view type, const HttpHeaders& headers, std::optional<std::size_t> length,
                      bool chunked, bool keep_alive);

/// One chunk (RFC 9112, section 7.1); `piece` must not be empty, because an empty chunk ends the body.
std::string http_chunk(std::string_view piece);

/// The chunk that ends a body.
inline constexpr std::string_view last_http_chunk = "0\r\n\r\n";

}  // namespace layerboost
