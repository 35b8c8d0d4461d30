#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace layerboost {

Utf8Char decode_utf8(std::string_view text) {
  using Kind = Utf8Char::Kind;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {Kind::valid, first, 1};

  std::size_t length = 0;
  char32_t code_point = 0;
  unsigned char low = 0x80,
                high = 0xBF;  // bounds of the second byte: they exclude overlong forms, surrogates and > U+10FFFF
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
    code_point = first & 0x1FU;
  } else if ((first & 0xF0U) == 0xE0) {
    length = 3;
    code_point = first & 0x0FU;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    code_point = first & 0x07U;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {Kind::invalid, 0, 1};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Kind::truncated, 0, i};
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < low || byte > high) return {Kind::invalid, 0, i};
    code_point = (code_point << 6U) | (byte & 0x3FU);
    low = 0x80;
    high = 0xBF;
  }
  return {Kind::valid, code_point, length};
}

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight = 0;
    if (at + sizeof eight <= text.size()) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & 0x8080808080808080U) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    const Utf8Char next = decode_utf8(text.substr(at));
    if (next.kind != Utf8Char::Kind::valid) break;
    at += next.length;
  }
  return at;
}

void append_utf8(char32_t code_point, std::string& out) {
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | ((code_point >> shift) & 0x3FU)); };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0U | (code_point >> 6U));
    tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0U | (code_point >> 12U));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0U | (code_point >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

bool is_white_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::size_t leading_white_space(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Char next = decode_utf8(text.substr(at));
    if (next.kind != Utf8Char::Kind::valid || !is_white_space(next.code_point)) break;
    at += next.length;
  }
  return at;
}

std::size_t trailing_white_space(std::string_view text) {
  std::size_t at = text.size();
  while (at > 0) {
    std::size_t begin = at - 1;
    while (begin > 0 && at - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80) --begin;
    const Utf8Char last = decode_utf8(text.substr(begin, at - begin));
    if (last.kind != Utf8Char::Kind::valid || last.length != at - begin || !is_white_space(last.code_point)) break;
    at = begin;
  }
  return text.size() - at;
}

}  // namespace layerboost
