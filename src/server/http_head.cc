#include "server/http_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace layerboost {
namespace {

std::string one_line(std::string value) {
  std::replace_if(
      value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return value;
}

/// Writes a time as headers have it: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
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
    case 403:
      return "Forbidden";
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
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "";
  }
}

std::string http_head(const AnswerHead& head) {
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\nServer: layerboost\r\nDate: {}\r\nX-Request-Id: {}\r\nContent-Type: {}\r\n",
                  head.status, reason_of(head.status), http_date(std::time(nullptr)), head.id, head.type);
  for (const auto& [name, value] : head.headers) text += fmt::format("{}: {}\r\n", name, one_line(value));
  if (head.length) {
    text += fmt::format("Content-Length: {}\r\n", *head.length);
  } else if (head.chunked) {
    text += "Transfer-Encoding: chunked\r\n";
  }
  return text + (head.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

std::string http_chunk(std::string_view piece) { return fmt::format("{:x}\r\n{}\r\n", piece.size(), piece); }

}  // namespace layerboost
