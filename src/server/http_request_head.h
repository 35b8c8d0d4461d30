// What the head of a request says, read from Beast's parser and checked beyond it. Only http_connection.cc includes
// this, for the sake of Beast's headers.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <optional>

#include "server/http.h"

namespace layerboost {

/// Reads heads alone: bodies are taken by BodyFraming.
using HeadParser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

struct RequestHead {
  HttpRequest request;  // without its body
  bool http11 = true;   // otherwise HTTP/1.0
  bool keep_alive = false;
  bool expects_continue = false;
  bool chunked = false;
  std::uint64_t length = 0;  // of the body, where it isn't in chunks
};

/// Reads what `parser` has parsed into `head`. Throws ApiError for what RFC 9112 wants refused: a body whose end isn't
/// clear, coded in a way not known here, a host that is missing or told twice, a target that isn't its method's. `head`
/// then has at least the request's id, method and path.
void read_request_head(const HeadParser& parser, RequestHead& head);

}  // namespace layerboost
