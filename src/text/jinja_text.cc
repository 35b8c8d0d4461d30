#include "text/jinja_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "text/jinja_value.h"

namespace layerboost::jinja {

std::int32_t code_point_of(std::string_view character) {
  const Utf8Char decoded = decode_utf8(character);
  return decoded.kind == Utf8Char::Kind::valid ? static_cast<std::int32_t>(decoded.code_point) : -1;
}

namespace {

bool is_space(std::string_view character) {
  const std::int32_t code_point = code_point_of(character);
  return code_point >= 0 &&
         (is_white_space(static_cast<char32_t>(code_point)) || (code_point >= 0x1C && code_point <= 0x1F));
}

bool is_lower(std::int32_t c) { return c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_LL; }
bool is_upper(std::int32_t c) {
  return c >= 0 && (utf8proc_category(c) == UTF8PROC_CATEGORY_LU || utf8proc_category(c) == UTF8PROC_CATEGORY_LT);
}
bool is_letter(std::int32_t c) {
  return c >= 0 && utf8proc_category(c) >= UTF8PROC_CATEGORY_LU && utf8proc_category(c) <= UTF8PROC_CATEGORY_LO;
}
bool is_digit(std::int32_t c) { return c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_ND; }

bool is_line_end(std::int32_t c) {
  return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

std::string_view last_character(std::string_view text) {
  std::size_t start = text.size() - 1;
  for (std::size_t i = 1; i <= 4 && i <= text.size(); ++i) {
    const Utf8Char decoded = decode_utf8(text.substr(text.size() - i));
    if (decoded.kind == Utf8Char::Kind::valid && decoded.length == i) {
      start = text.size() - i;
      break;
    }
  }
  return text.substr(start);
}

std::vector<std::string_view> split_at_space(std::string_view text, std::int64_t most) {
  std::vector<std::string_view> parts;
  text = strip(text, Side::left);
  while (!text.empty()) {
    if (most >= 0 && static_cast<std::int64_t>(parts.size()) == most) {
      parts.push_back(text);
      return parts;
    }
    std::size_t end = 0;
    for (const std::string_view character : CodePoints(text)) {
      if (is_space(character)) break;
      end += character.size();
    }
    parts.push_back(text.substr(0, end));
    text = strip(text.substr(end), Side::left);
  }
  return parts;
}

}  // namespace

CodePoints::Iterator::Iterator(std::string_view rest) : rest_(rest) {
  if (rest_.empty()) return;
  const Utf8Char decoded = decode_utf8(rest_);
  length_ = decoded.kind == Utf8Char::Kind::valid ? decoded.length : 1;
}

CodePoints::Iterator& CodePoints::Iterator::operator++() {
  *this = Iterator(rest_.substr(length_));
  return *this;
}

std::size_t length_of(std::string_view text) {
  std::size_t length = 0;
  for ([[maybe_unused]] const std::string_view character : CodePoints(text)) ++length;
  return length;
}

std::string_view strip(std::string_view text, Side side, const std::optional<std::string>& characters) {
  std::vector<std::string_view> set;
  if (characters)
    for (const std::string_view character : CodePoints(*characters)) set.push_back(character);
  const auto goes = [&](std::string_view character) {
    return characters ? std::find(set.begin(), set.end(), character) != set.end() : is_space(character);
  };
  if (side != Side::right) {
    std::size_t start = 0;
    for (const std::string_view character : CodePoints(text)) {
      if (!goes(character)) break;
      start += character.size();
    }
    text.remove_prefix(start);
  }
  while (side != Side::left && !text.empty() && goes(last_character(text)))
    text.remove_suffix(last_character(text).size());
  return text;
}

std::string with_case(std::string_view text, LetterCase form) {
  std::string out;
  out.reserve(text.size());
  bool inside_word = false;
  for (const std::string_view character : CodePoints(text)) {
    const std::int32_t c = code_point_of(character);
    if (c < 0) {
      out += character;
      inside_word = false;
      continue;
    }
    bool upper = form == LetterCase::upper;
    if (form == LetterCase::title) upper = !inside_word;
    if (form == LetterCase::capitalized) upper = out.empty();
    if (form == LetterCase::swapped) upper = is_lower(c);
    append_utf8(static_cast<char32_t>(upper ? utf8proc_toupper(c) : utf8proc_tolower(c)), out);
    inside_word = is_lower(c) || is_upper(c);
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, const std::optional<std::string>& separator,
                                    std::int64_t most) {
  if (!separator) return split_at_space(text, most);
  if (separator->empty()) reject("split: the separator is empty");
  std::vector<std::string_view> parts;
  std::size_t from = 0;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t found = text.find(*separator, from);
    if (found == std::string_view::npos) break;
    parts.push_back(text.substr(from, found - from));
    from = found + separator->size();
  }
  parts.push_back(text.substr(from));
  return parts;
}

std::vector<std::string_view> split_from_right(std::string_view text, const std::optional<std::string>& separator,
                                               std::int64_t most) {
  if (most < 0) return split(text, separator, most);
  if (separator && separator->empty()) reject("rsplit: the separator is empty");
  std::vector<std::string_view> parts;
  if (!separator) text = strip(text, Side::right);
  while (static_cast<std::int64_t>(parts.size()) < most && !(text.empty() && !separator)) {
    std::size_t part = 0;
    std::size_t end = 0;  // the part begins at `part`, the rest ends at `end`
    if (separator) {
      const std::size_t found = text.rfind(*separator);
      if (found == std::string_view::npos) break;
      end = found;
      part = found + separator->size();
    } else {
      std::string_view rest = text;
      while (!rest.empty() && !is_space(last_character(rest))) rest.remove_suffix(last_character(rest).size());
      part = rest.size();
      if (part == 0) break;
      end = strip(rest, Side::right).size();
    }
    parts.push_back(text.substr(part));
    text = text.substr(0, end);
  }
  if (separator || !text.empty()) parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t start = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view character = *CodePoints(text.substr(at)).begin();
    if (!is_line_end(code_point_of(character))) {
      at += character.size();
      continue;
    }
    const std::size_t end = at + (text.substr(at, 2) == "\r\n" ? 2 : character.size());
    lines.push_back(text.substr(start, (keep_ends ? end : at) - start));
    start = at = end;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to, std::int64_t most) {
  std::string out;
  std::int64_t done = 0;
  const auto put = [&](std::string_view piece) {
    if (out.size() + piece.size() > Value::max_weight) reject("a text of more than {} bytes", Value::max_weight);
    out += piece;
  };
  if (from.empty()) {
    const auto another = [&] { return most < 0 || done++ < most; };
    for (const std::string_view character : CodePoints(text)) {
      if (another()) put(to);
      put(character);
    }
    if (another()) put(to);
    return out;
  }
  std::size_t at = 0;
  for (; most < 0 || done < most; ++done) {
    const std::size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    put(text.substr(at, found - at));
    put(to);
    at = found + from.size();
  }
  put(text.substr(at));
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

bool all_are(std::string_view text, std::string_view kind) {
  bool any = false;
  for (const std::string_view character : CodePoints(text)) {
    const std::int32_t c = code_point_of(character);
    if (kind == "lower" || kind == "upper") {
      if (kind == "lower" ? is_upper(c) : is_lower(c)) return false;
      any = any || is_lower(c) || is_upper(c);
      continue;
    }
    const bool fits = kind == "space"   ? is_space(character)
                      : kind == "alpha" ? is_letter(c)
                      : kind == "digit" ? is_digit(c)
                                        : is_letter(c) || is_digit(c);
    if (!fits) return false;
    any = true;
  }
  return any;
}

}  // namespace layerboost::jinja
