#include "base/in_quotes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace layerboost {
namespace {

bool is_fit(char32_t c) {
  const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
  const bool turns_writing =
      c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  return !control && !turns_writing;
}

std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Utf8Char next = decode_utf8(text);
    const std::string_view bytes = text.substr(0, next.length);
    if (next.kind == Utf8Char::Kind::valid && is_fit(next.code_point)) {
      result += bytes;
    } else {
      for (const char c : bytes) result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    text.remove_prefix(bytes.size());
  }
  return result;
}

bool inside_character(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
}

}  // namespace

std::string printable(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) {
    std::string whole = escaped(text);
    if (whole.size() <= longest) return whole;
  }
  const std::size_t last = longest / 4;
  const std::string beginning = escaped(text.substr(0, longest));
  const std::string end = escaped(text.substr(text.size() - std::min(text.size(), last)));
  std::size_t stop = longest - last - 3, start = end.size() - last;
  while (inside_character(beginning, stop)) --stop;
  while (inside_character(end, start)) ++start;
  return beginning.substr(0, stop) + "..." + end.substr(start);
}

std::string in_quotes(std::string_view text) { return '"' + printable(text, 80) + '"'; }

}  // namespace layerboost
