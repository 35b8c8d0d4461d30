#include "jinja/format_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/utf8.h"
#include "jinja/big_integer.h"
#include "jinja/dump.h"
#include "jinja/repr.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

constexpr std::size_t max_width = 1 << 16;
constexpr int max_precision = 1000;

constexpr std::string_view aligns = "<>^=";

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

/// A number in the pieces that a field puts together: "-", "0x", "1234", ".5e+10".
struct NumberPieces {
  std::string sign, prefix, digits, rest;
};

std::string sign_of(bool negative, char sign) {
  if (negative) return "-";
  return sign == '-' ? std::string() : std::string(1, sign);
}

/// Puts `separator` between groups of digits, as many zeros before them as make `width` characters of it.
std::string grouped(const std::string& digits, char separator, std::size_t size, std::size_t width) {
  charge(width);
  std::string out;  // from the right
  std::size_t count = 0;
  for (std::size_t i = 0; i < digits.size() || out.size() < width; ++i) {
    if (count == size) {
      out += separator;
      count = 0;
    }
    out += i < digits.size() ? digits[digits.size() - 1 - i] : '0';
    ++count;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string printed(const char* format, int precision, double value) {
  const int length = std::snprintf(nullptr, 0, format, precision, value);
  std::string text(static_cast<std::size_t>(std::max(length, 0)) + 1, '\0');
  charge(text.size());
  std::snprintf(text.data(), text.size(), format, precision, value);
  text.pop_back();
  return text;
}

/// The amount of a float without sign.
std::string amount_text(double amount, const FormatSpec& spec) {
  const bool capital = spec.type == 'E' || spec.type == 'F' || spec.type == 'G';
  if (!std::isfinite(amount)) {
    const std::string word = std::isnan(amount) ? "nan" : "inf";
    return (capital ? with_case(word, LetterCase::upper) : word) + (spec.type == '%' ? "%" : "");
  }
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  switch (spec.type) {
    case 'f':
    case 'F':
      return printed(spec.alternate ? "%#.*f" : "%.*f", precision, amount);
    case '%':
      return printed("%.*f", precision, 100 * amount) + "%";
    case 'e':
      return printed(spec.alternate ? "%#.*e" : "%.*e", precision, amount);
    case 'E':
      return printed(spec.alternate ? "%#.*E" : "%.*E", precision, amount);
    case 'G':
      return printed(spec.alternate ? "%#.*G" : "%.*G", precision, amount);
    case '\0': {
      if (spec.precision < 0) return number_text(amount);
      // As "g", but with one digit at least after the point, and so with an exponent from one digit less on.
      const int digits = std::max(spec.precision, 1);
      std::string text = printed(spec.alternate ? "%#.*g" : "%.*g", digits, amount);
      if (text.find('e') != std::string::npos) return text;
      const std::string whole = text.substr(0, text.find('.'));
      if (static_cast<int>(whole.size()) < digits || (whole == "0" && amount != 0))
        return whole.size() < text.size() ? text : text + ".0";
      std::string mantissa = whole;
      while (!spec.alternate && mantissa.size() > 1 && mantissa.back() == '0') mantissa.pop_back();
      if (mantissa.size() > 1 || spec.alternate) mantissa.insert(1, ".");
      return fmt::format("{}e+{:02}", mantissa, digits - 1);
    }
    default:
      return printed(spec.alternate ? "%#.*g" : "%.*g", precision, amount);
  }
}

NumberPieces real_pieces(double value, const FormatSpec& spec) {
  const std::string text = amount_text(std::abs(value), spec);
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  return {sign_of(std::signbit(value) && !std::isnan(value), spec.sign), "", text.substr(0, end), text.substr(end)};
}

NumberPieces integer_pieces(const Value& value, const FormatSpec& spec) {
  const unsigned base = spec.type == 'b' ? 2 : spec.type == 'o' ? 8 : spec.type == 'x' || spec.type == 'X' ? 16 : 10;
  std::string digits = digits_of(value, base);
  std::string prefix = spec.alternate && base != 10 ? std::string("0") + spec.type : std::string();
  if (spec.type == 'X') digits = with_case(digits, LetterCase::upper);
  return {sign_of(less(value, Value::integer(0)), spec.sign), std::move(prefix), std::move(digits), ""};
}

std::string filled(const std::string& fill, std::size_t times) {
  charge(fill.size() * times);
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += fill;
  return text;
}

std::string aligned(const std::string& text, const FormatSpec& spec, char own) {
  const std::size_t length = length_of(text);
  if (length >= spec.width) return text;
  const std::size_t missing = spec.width - length;
  const char align = spec.align == '\0' ? own : spec.align;
  const std::size_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  return filled(spec.fill, left) + text + filled(spec.fill, missing - left);
}

std::string number_field(NumberPieces pieces, const FormatSpec& spec, bool decimal) {
  const std::string before = pieces.sign + pieces.prefix;
  const bool inside = spec.align == '=';
  if (spec.grouping != '\0') {
    const std::size_t taken = before.size() + pieces.rest.size();
    const bool zeros = inside && spec.fill == "0" && spec.width > taken;
    if (!pieces.digits.empty())
      pieces.digits = grouped(pieces.digits, spec.grouping, decimal ? 3 : 4, zeros ? spec.width - taken : 0);
  }
  const std::string after = pieces.digits + pieces.rest;
  if (!inside) return aligned(before + after, spec, '>');
  const std::size_t length = before.size() + after.size();
  return before + filled(spec.fill, spec.width > length ? spec.width - length : 0) + after;
}

[[noreturn]] void reject_type(const FormatSpec& spec, const Value& value) {
  reject("format: the type \"{}\" isn't for a {}", spec.type, name_of(value.kind()));
}

std::string text_field(std::string text, const FormatSpec& spec) {
  if (spec.align == '=' || spec.sign != '-' || spec.grouping != '\0' || spec.alternate)
    reject("format: \"=\", signs, \"#\" and thousands are for numbers, not for a string");
  if (spec.precision >= 0) {
    std::string cut;
    int count = 0;
    for (const std::string_view character : CodePoints(text)) {
      if (count++ == spec.precision) break;
      cut += character;
    }
    text = std::move(cut);
  }
  return aligned(text, spec, '<');
}

std::string character_field(const Value& value, const FormatSpec& spec) {
  const std::int64_t code = value.is_integer() ? value.as_integer() : -1;
  if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) reject("format: no character has that number");
  std::string text;
  append_utf8(static_cast<char32_t>(code), text);
  return aligned(text, spec, '>');
}

}  // namespace

FormatSpec parse_format_spec(std::string_view text) {
  FormatSpec spec;
  const std::string_view whole = text;
  const auto take = [&](std::string_view among) {
    if (text.empty() || among.find(text.front()) == std::string_view::npos) return '\0';
    const char c = text.front();
    text.remove_prefix(1);
    return c;
  };
  const auto take_number = [&](std::size_t most) {
    std::size_t number = 0;
    while (!text.empty() && is_ascii_digit(text.front())) {
      number = 10 * number + static_cast<std::size_t>(text.front() - '0');
      if (number > most) reject("format: a width or precision of more than {}", most);
      text.remove_prefix(1);
    }
    return number;
  };
  if (!text.empty()) {
    const std::string_view first = *CodePoints(text).begin();
    if (first.size() < text.size() && aligns.find(text[first.size()]) != std::string_view::npos) {
      spec.fill = first;
      text.remove_prefix(first.size());
    }
  }
  const bool own_fill = text.size() < whole.size();
  spec.align = take(aligns);
  if (const char sign = take("+- "); sign != '\0') spec.sign = sign;
  spec.alternate = take("#") != '\0';
  if (take("0") != '\0' && !own_fill) {
    spec.fill = "0";
    spec.zeros = spec.align == '\0';
  }
  spec.width = take_number(max_width);
  spec.grouping = take(",_");
  if (take(".") != '\0') {
    if (text.empty() || !is_ascii_digit(text.front())) reject("format: no digits after \".\"");
    spec.precision = static_cast<int>(take_number(max_precision));
  }
  spec.type = take("bcdeEfFgGnosxX%");
  if (!text.empty()) reject("format: \"{}\" isn't a format specification", whole.substr(0, 100));
  return spec;
}

std::string formatted(const Value& value, const FormatSpec& given) {
  if (value.is(Kind::string)) {
    if (given.type != '\0' && given.type != 's') reject_type(given, value);
    return text_field(value.as_text(), given);
  }
  if (!value.is_number()) reject("format: a {} has no width or type; make a string of it", name_of(value.kind()));
  FormatSpec spec = given;
  if (spec.zeros) spec.align = '=';
  if (spec.type == 's') reject_type(spec, value);
  if (spec.type == 'c') return character_field(value, spec);
  if (spec.type == 'n') spec.type = value.is(Kind::real) ? 'g' : 'd';
  const bool whole = spec.type == '\0' || std::string_view("bdoxX").find(spec.type) != std::string_view::npos;
  if (value.is_any_integer() && whole) {
    if (spec.precision >= 0) reject("format: an integer has no precision");
    const bool decimal = spec.type == '\0' || spec.type == 'd';
    if (!decimal && spec.grouping == ',') reject("format: \",\" is for decimal digits; use \"_\"");
    return number_field(integer_pieces(value, spec), spec, decimal);
  }
  if (whole && spec.type != '\0') reject_type(spec, value);
  return number_field(real_pieces(value.as_real(), spec), spec, true);
}

}  // namespace layerboost::jinja
