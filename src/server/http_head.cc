#include "server/http_head.h"

#include <fmt/format.h>

#include <algorithm>

namespace layerboost {
namespace {

std::string one_line(std::string value) {
  std::replace_if(
      value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return value;
}

}  // namespace

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "";
  }
}

std::string http_head(int status, std::string_view type, const HttpHeaders& headers, std::optional<std::size_t> length,
                      bool chunked, bool keep_alive) {
  std::string head =
      fmt::format("HTTP/1.1 {} {}\r\nServer: layerboost\r\nContent-Type: {}\r\n", status, reason_of(status), type);
  for (const auto& [name, value] : headers) head += fmt::format("{}: {}\r\n", name, one_line(value));
  if (length) {
    head += fmt::format("Content-Length: {}\r\n", *length);
  } else if (chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  }
  return head + (keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

std::string http_chunk(std::string_view piece) { return fmt::format("{:x}\r\n{}\r\n", piece.size(), piece); }

}  // namespace layerboost
