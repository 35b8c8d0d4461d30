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

struct AnswerHead {
  int status = 200;
  std::string_view type = {};  // of the body
  const HttpHeaders& headers;
  std::string_view id = {};                // the request's
  std::optional<std::size_t> length = {};  // of the body; without it the body comes in chunks, or, where `chunked` is
  bool chunked = false;                    // false, ends with the connection
  bool keep_alive = true;
};

/// Status line and headers with the empty line that ends them. Line ends in headers' values become spaces.
std::string http_head(const AnswerHead& head);

/// What may come before an answer, any number of times: that the request is being seen to.
inline constexpr std::string_view http_continue = "HTTP/1.1 100 Continue\r\n\r\n";

/// One chunk (RFC 9112, section 7.1). Requires: `piece` isn't empty, because an empty chunk ends the body.
std::string http_chunk(std::string_view piece);

/// The chunk that ends a body.
inline constexpr std::string_view last_http_chunk = "0\r\n\r\n";

}  // namespace layerboost
