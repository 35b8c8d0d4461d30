// Any bytes as a request of HTTP, after the number that they come in pieces of: its head is read or refused with an
// ApiError, and so is its body, the same in any pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.h"
#include "server/api_error.h"
#include "server/body_framing.h"
#include "server/http_request_head.h"
#include "server/percent_encoding.h"

namespace layerboost {
namespace {

constexpr std::size_t most_body = 4096, most_head = 1024;

/// The bytes up to the end of a head, fed as HttpConnection does; 0: there is no such end within most_head bytes, or
/// Beast refuses them.
std::size_t parse_head(HeadParser& parser, std::string_view bytes, std::size_t piece) {
  parser.header_limit(most_head);
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  std::size_t used = 0;
  for (std::size_t known = 0; known < bytes.size();) {
    known = std::min(known + piece, bytes.size());
    boost::beast::error_code error;
    used += parser.put(boost::asio::buffer(bytes.substr(used, known - used)), error);
    if (error && error != boost::beast::http::error::need_more) return 0;
    const bool complete = !error && parser.is_header_done();
    if ((complete ? used : known) > most_head) return 0;  // Beast's own limit depends on the pieces
    if (complete) return used;
  }
  return 0;
}

/// What is read of a body and what is left behind it; or that it is refused.
std::string body_of(const RequestHead& head, std::string_view bytes, std::size_t piece) {
  BodyFraming framing = head.chunked ? BodyFraming(most_body, most_head) : BodyFraming(head.length);
  std::string body;
  try {
    while (!framing.complete() && !bytes.empty()) {
      std::string_view some = bytes.substr(0, piece);
      const std::size_t given = some.size();
      for (std::string_view part; !(part = framing.next(some)).empty();) body += part;
      bytes.remove_prefix(given - some.size());
      LB_CHECK(some.empty() || framing.complete());
    }
  } catch (const ApiError& error) {
    LB_CHECK(error.answer().status >= 400);
    return "refused";
  }
  LB_CHECK(!head.chunked || body.size() <= most_body);
  LB_CHECK(head.chunked || body.size() <= head.length);
  return body + (framing.complete() ? " and " : " without its end and ") + std::string(bytes);
}

void read_request(std::string_view bytes, std::size_t piece) {
  HeadParser parser, in_pieces;
  const std::size_t size = parse_head(parser, bytes, bytes.size());
  LB_CHECK(parse_head(in_pieces, bytes, piece) == size);
  if (size == 0) return;
  RequestHead head;
  try {
    read_request_head(parser, head);
    LB_CHECK(head.request.path.starts_with('/') || head.request.path == "*");
  } catch (const ApiError& error) {
    LB_CHECK(error.answer().status >= 400 && !error.answer().body.empty());
    return;
  }
  LB_CHECK(!head.request.id.empty() && !head.request.method.empty());
  const std::string body = body_of(head, bytes.substr(size), bytes.size());
  LB_CHECK(body_of(head, bytes.substr(size), piece) == body);
}

}  // namespace
}  // namespace layerboost

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  LB_CHECK(layerboost::percent_decoded(bytes).size() <= bytes.size());
  layerboost::read_request(bytes, std::size_t{1} + data[0] % 64);
  return 0;
}
