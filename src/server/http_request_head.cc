#include "server/http_request_head.h"

#include "server/api_error.h"
#include "server/ascii_case.h"
#include "server/percent_encoding.h"
#include "server/request_id.h"

namespace layerboost {
namespace {

using boost::beast::http::field;

std::string text_of(boost::beast::string_view view) { return {view.data(), view.size()}; }

/// The host that an absolute target ("http://host/path") names; the target loses all before its path. One with an empty
/// host is no such target (RFC 9110, section 4.2.1).
std::optional<std::string> take_host(std::string_view& target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_in_any_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::string host(rest.substr(0, rest.find_first_of("/?#")));
    if (host.empty() || host.starts_with(':')) break;
    target = rest.substr(host.size());
    return host;
  }
  return std::nullopt;
}

/// The value of a header that may be missing; of one that comes several times, which HTTP allows to put together, all.
std::optional<std::string> value_of(const HeadParser& parser, boost::beast::string_view name) {
  const auto [begin, end] = parser.get().equal_range(name);
  std::optional<std::string> value;
  for (auto header = begin; header != end; ++header) value = (value ? *value + ", " : "") + text_of(header->value());
  return value;
}

/// Reads a target in any of its forms (section 3.2), and gives its path as it is written. One that names a host and
/// nothing more is its root, or, of OPTIONS, the server as a whole.
std::string_view read_target(std::string_view target, HttpRequest& request) {
  const std::optional<std::string> host = take_host(target);
  if (host) request.host = *host;
  if (host && target.empty() && request.method == "OPTIONS") target = "*";
  std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (host && path.empty()) path = "/";
  request.path = percent_decoded(path);
  return path;
}

/// `path`: as it is written, where "%2F" is no "/".
void check_target(const HttpRequest& request, std::string_view path) {
  if (request.method == "CONNECT")
    throw ApiError(501, "invalid_request_error", "CONNECT is for proxies, and this server is none");
  if (path == "*" && request.method != "OPTIONS") refuse("", "only OPTIONS can ask for *");
  if (!path.starts_with('/') && path != "*")
    refuse("", "not a valid HTTP request: its target is neither a path nor an address with a host");
}

/// Whoever disagrees on where a body ends takes its bytes for a request (section 6.1).
void check_framing(const HeadParser& parser, const RequestHead& head) {
  const auto& message = parser.get();
  if (message.count(field::transfer_encoding) == 0) return;
  if (!head.http11) refuse("", "HTTP/1.0 has no Transfer-Encoding; send Content-Length");
  if (message.count(field::content_length) > 0)
    refuse("", "send either Transfer-Encoding or Content-Length: both together don't say where the body ends");
  if (!head.chunked)
    throw ApiError(501, "invalid_request_error", "of Transfer-Encoding only \"chunked\" is understood, and it alone");
}

void check_host(const HeadParser& parser, const RequestHead& head) {
  const std::size_t hosts = parser.get().count(field::host);
  if (hosts == 0 && head.http11) refuse("", "the Host header is missing, which HTTP/1.1 requires");
  if (hosts > 1) refuse("", "there is more than one Host header");
}

}  // namespace

void read_request_head(const HeadParser& parser, RequestHead& head) {
  const auto& message = parser.get();
  HttpRequest& request = head.request;
  request.id = request_id(text_of(message["X-Request-Id"]));
  request.method = text_of(message.method_string());
  request.host = text_of(message[field::host]);
  const std::string_view path = read_target({message.target().data(), message.target().size()}, request);
  request.origin = text_of(message[field::origin]);
  request.content_type = text_of(message[field::content_type]);
  request.content_encoding = value_of(parser, "Content-Encoding").value_or("");
  request.authorization = text_of(message[field::authorization]);
  request.level = value_of(parser, "X-Layerboost-Level");
  head.http11 = message.version() >= 11;
  head.keep_alive = message.keep_alive();
  head.expects_continue = head.http11 && equal_in_any_case(text_of(message[field::expect]), "100-continue");
  head.chunked = message.count(field::transfer_encoding) == 1 &&
                 equal_in_any_case(text_of(message[field::transfer_encoding]), "chunked");
  head.length = parser.content_length().value_or(0);
  check_framing(parser, head);
  check_host(parser, head);
  check_target(request, path);
}

}  // namespace layerboost
