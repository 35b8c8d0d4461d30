#include "text/byte_alphabet.h"

#include <array>

#include "base/utf8.h"

namespace layerboost {

namespace {

constexpr char32_t alphabet_end = 0x144;  // 256 + 68

struct Alphabet {
  std::array<std::string, 256> char_of;        // by byte
  std::array<int, alphabet_end> byte_of = {};  // by code point; -1: outside

  Alphabet() {
    byte_of.fill(-1);
    char32_t next_spare = 256;
    for (char32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const char32_t code_point = printable ? byte : next_spare++;
      append_utf8(code_point, char_of[byte]);
      byte_of[code_point] = static_cast<int>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string_view alphabet_char(unsigned char byte) { return alphabet().char_of[byte]; }

std::optional<std::string> bytes_in_alphabet(std::string_view token) {
  std::string bytes;
  bytes.reserve(token.size());
  for (std::string_view rest = token; !rest.empty();) {
    const Utf8Char next = decode_utf8(rest);
    const bool known = next.kind == Utf8Char::Kind::valid && next.code_point < alphabet_end;
    const int byte = known ? alphabet().byte_of[next.code_point] : -1;
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
    rest.remove_prefix(next.length);
  }
  return bytes;
}

std::string alphabet_to_bytes(std::string_view token) { return bytes_in_alphabet(token).value_or(std::string(token)); }

}  // namespace layerboost
