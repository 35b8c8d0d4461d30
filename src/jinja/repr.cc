#include "jinja/repr.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <cmath>
#include <cstdint>

#include "base/utf8.h"
#include "jinja/text.h"

namespace layerboost::jinja {

bool is_printable(std::int32_t c) {
  if (c == ' ' || is_mark(c)) return true;
  if (c < 0) return false;
  const auto category = utf8proc_category(c);
  return category != UTF8PROC_CATEGORY_CN && !(category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_CO);
}

std::string repr_of(std::string_view text) {
  const bool apostrophes = text.find('\'') != std::string_view::npos;
  const char quote = apostrophes && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const std::string_view character : CodePoints(text)) {
    const std::int32_t c = code_point_of(character);
    if (c == quote || c == '\\')
      (out += '\\') += character;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (is_printable(c))
      out += character;
    else if (c < 0x100)
      out += fmt::format("\\x{:02x}", c < 0 ? static_cast<unsigned char>(character[0]) : static_cast<unsigned>(c));
    else
      out += c < 0x10000 ? fmt::format("\\u{:04x}", c) : fmt::format("\\U{:08x}", c);
  }
  return out + quote;
}

std::string number_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace layerboost::jinja
