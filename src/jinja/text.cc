#include "jinja/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/utf8.h"
#include "jinja/budget.h"
#include "jinja/repr.h"
#include "jinja/unicode_tables.h"
#include "jinja/value.h"

namespace layerboost::jinja {

std::int32_t code_point_of(std::string_view character) {
  const Utf8Char decoded = decode_utf8(character);
  return decoded.kind == Utf8Char::Kind::valid ? static_cast<std::int32_t>(decoded.code_point) : -1;
}

namespace {

// Units of charge() for a byte that is decoded, and for one whose character is looked up in Unicode's tables.
constexpr std::size_t decode_cost = 4;
constexpr std::size_t lookup_cost = 16;

// For each place of `wanted` (not empty) in `text`, from the left, without overlaps: visit(place) says whether to go
// on.
template <typename Visit>
void for_each_place(std::string_view text, std::string_view wanted, Visit visit) {
  // memmem() compares at most 256 bytes of what is wanted at each place; of longer ones it takes linear time.
  constexpr std::size_t most_compared = 256, compared_at_once = 16;
  charge(text.size() * (1 + std::min(wanted.size(), most_compared) / compared_at_once) + 8 * wanted.size());
  std::size_t from = 0;
  while (wanted.size() <= text.size() - from) {
    const void* const found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
    if (found == nullptr) return;
    const auto place = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    charge(lookup_cost);
    if (!visit(place)) return;
    from = place + wanted.size();
  }
}

// The same from the right.
template <typename Visit>
void for_each_place_from_right(std::string_view text, std::string_view wanted, Visit visit) {
  charge_copy(text.size() + wanted.size());
  const Held held(text.size() + wanted.size());
  const std::string text_reversed(text.rbegin(), text.rend()), wanted_reversed(wanted.rbegin(), wanted.rend());
  for_each_place(text_reversed, wanted_reversed,
                 [&](std::size_t place) { return visit(text.size() - place - wanted.size()); });
}

// Parts of a text on their way to become values, for which there must be memory.
class Parts {
 public:
  void add(std::string_view part) {
    constexpr std::size_t bytes_of_value = 128;
    room_.add(bytes_of_value);
    parts_.push_back(part);
  }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(parts_.size()); }
  std::vector<std::string_view> take() { return std::move(parts_); }
  std::vector<std::string_view> take_reversed() {
    std::reverse(parts_.begin(), parts_.end());
    return take();
  }

 private:
  std::vector<std::string_view> parts_;
  Held room_;
};

bool is_space(std::string_view character) {
  const std::int32_t code_point = code_point_of(character);
  return code_point >= 0 &&
         (is_white_space(static_cast<char32_t>(code_point)) || (code_point >= 0x1C && code_point <= 0x1F));
}

bool is_lower(std::int32_t c) {
  return c >= 0 && (utf8proc_category(c) == UTF8PROC_CATEGORY_LL || is_other_lower(static_cast<char32_t>(c)));
}
bool is_upper(std::int32_t c) {
  return c >= 0 && (utf8proc_category(c) == UTF8PROC_CATEGORY_LU || is_other_upper(static_cast<char32_t>(c)));
}
bool has_case(std::int32_t c) {
  return is_lower(c) || is_upper(c) || (c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_LT);
}
bool is_letter(std::int32_t c) {
  return c >= 0 && utf8proc_category(c) >= UTF8PROC_CATEGORY_LU && utf8proc_category(c) <= UTF8PROC_CATEGORY_LO;
}
bool is_decimal(std::int32_t c) { return c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_ND; }
bool is_digit(std::int32_t c) { return is_decimal(c) || (c >= 0 && is_other_digit(static_cast<char32_t>(c))); }
bool is_numeric(std::int32_t c) {
  if (c < 0) return false;
  const auto category = utf8proc_category(c);
  return is_digit(c) || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO ||
         is_other_number(static_cast<char32_t>(c));
}

// What stands inside of words without being a letter: accents, apostrophes, points.
bool is_between_letters(std::int32_t c) {
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return std::u32string_view(
                 U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A")
                 .find(static_cast<char32_t>(c)) != std::u32string_view::npos;
  }
}

constexpr std::int32_t capital_sigma = 0x3A3, small_sigma = 0x3C3, last_sigma = 0x3C2, dotted_capital_i = 0x130;

// Whether a word goes on with `text`.
bool word_goes_on(std::string_view text) {
  for (const std::string_view character : CodePoints(text)) {
    const std::int32_t c = code_point_of(character);
    charge(lookup_cost);
    if (c < 0 || !is_between_letters(c)) return has_case(c);
  }
  return false;
}

void append_upper(std::int32_t c, bool begins_word, std::string& out) {
  if (const FullCase* const full = full_case(static_cast<char32_t>(c))) {
    for (const char32_t one : begins_word ? full->title : full->upper) append_utf8(one, out);
  } else {
    append_utf8(static_cast<char32_t>(begins_word ? utf8proc_totitle(c) : utf8proc_toupper(c)), out);
  }
}

// `after_letter`: the word has begun before; `rest`: what follows the character.
void append_lower(std::int32_t c, bool after_letter, std::string_view rest, std::string& out) {
  if (c == dotted_capital_i)
    out += "i\u0307";
  else if (c == capital_sigma)
    append_utf8(static_cast<char32_t>(after_letter && !word_goes_on(rest) ? last_sigma : small_sigma), out);
  else
    append_utf8(static_cast<char32_t>(utf8proc_tolower(c)), out);
}

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
  Parts parts;
  charge(text.size() * decode_cost);
  text = strip(text, Side::left);
  while (!text.empty()) {
    if (most >= 0 && parts.size() == most) {
      parts.add(text);
      return parts.take();
    }
    std::size_t end = 0;
    for (const std::string_view character : CodePoints(text)) {
      if (is_space(character)) break;
      end += character.size();
    }
    parts.add(text.substr(0, end));
    text = strip(text.substr(end), Side::left);
  }
  return parts.take();
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
  charge(text.size() * decode_cost);
  std::size_t length = 0;
  for ([[maybe_unused]] const std::string_view character : CodePoints(text)) ++length;
  return length;
}

std::string_view strip(std::string_view text, Side side, const std::optional<std::string>& characters) {
  std::vector<std::string_view> set;
  if (characters)
    for (const std::string_view character : CodePoints(*characters)) set.push_back(character);
  charge(decode_cost * (characters ? characters->size() : 0));
  const auto goes = [&](std::string_view character) {
    charge(lookup_cost + 2 * set.size());
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
  charge(text.size() * lookup_cost);
  out.reserve(text.size());
  bool follows_letter = false, after_letter = false;  // directly; perhaps with an accent or point between
  std::size_t at = 0;
  for (const std::string_view character : CodePoints(text)) {
    const std::int32_t c = code_point_of(character);
    const bool first = at == 0;
    at += character.size();
    if (c < 0) {
      out += character;
      follows_letter = after_letter = false;
      continue;
    }
    const bool begins = (form == LetterCase::title && !follows_letter) || (form == LetterCase::capitalized && first);
    if (begins || form == LetterCase::upper || (form == LetterCase::swapped && is_lower(c)))
      append_upper(c, begins, out);
    else if (form != LetterCase::swapped || is_upper(c))
      append_lower(c, after_letter, text.substr(at), out);
    else
      out += character;
    follows_letter = has_case(c);
    if (!is_between_letters(c)) after_letter = follows_letter;
  }
  return out;
}

std::string without_case(std::string_view text) {
  charge(text.size() * lookup_cost);
  std::string out;
  for (const std::string_view character : CodePoints(text)) {
    const std::int32_t c = code_point_of(character);
    utf8proc_int32_t folded[8];
    int boundary = 0;
    const auto count =
        c < 0 ? -1 : utf8proc_decompose_char(c, folded, std::ssize(folded), UTF8PROC_CASEFOLD, &boundary);
    if (count < 0 || count > std::ssize(folded)) {
      out += character;
      continue;
    }
    for (std::ptrdiff_t i = 0; i < count; ++i) append_utf8(static_cast<char32_t>(folded[i]), out);
  }
  return out;
}

std::size_t find_text(std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return 0;
  std::size_t found = std::string_view::npos;
  for_each_place(text, wanted, [&](std::size_t place) {
    found = place;
    return false;
  });
  return found;
}

std::size_t find_last_text(std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return text.size();
  std::size_t found = std::string_view::npos;
  for_each_place_from_right(text, wanted, [&](std::size_t place) {
    found = place;
    return false;
  });
  return found;
}

std::size_t count_text(std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return length_of(text) + 1;
  std::size_t count = 0;
  for_each_place(text, wanted, [&](std::size_t) {
    ++count;
    return true;
  });
  return count;
}

std::vector<std::string_view> split(std::string_view text, const std::optional<std::string>& separator,
                                    std::int64_t most) {
  if (!separator) return split_at_space(text, most);
  if (separator->empty()) reject("split: the separator is empty");
  Parts parts;
  std::size_t from = 0;
  for_each_place(text, *separator, [&](std::size_t found) {
    if (most >= 0 && parts.size() >= most) return false;
    parts.add(text.substr(from, found - from));
    from = found + separator->size();
    return true;
  });
  parts.add(text.substr(from));
  return parts.take();
}

std::vector<std::string_view> split_from_right(std::string_view text, const std::optional<std::string>& separator,
                                               std::int64_t most) {
  if (most < 0) return split(text, separator, most);
  if (separator && separator->empty()) reject("rsplit: the separator is empty");
  Parts parts;
  if (separator) {
    const std::string_view whole = text;
    for_each_place_from_right(whole, *separator, [&](std::size_t found) {
      if (parts.size() >= most) return false;
      parts.add(text.substr(found + separator->size()));
      text = whole.substr(0, found);
      return true;
    });
    parts.add(text);
    return parts.take_reversed();
  }
  charge(text.size() * decode_cost);
  text = strip(text, Side::right);
  while (parts.size() < most && !text.empty()) {
    std::string_view rest = text;
    while (!rest.empty() && !is_space(last_character(rest))) rest.remove_suffix(last_character(rest).size());
    if (rest.empty()) break;
    parts.add(text.substr(rest.size()));
    text = strip(rest, Side::right);
  }
  if (!text.empty()) parts.add(text);
  return parts.take_reversed();
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  Parts lines;
  charge(text.size() * decode_cost);
  std::size_t start = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view character = *CodePoints(text.substr(at)).begin();
    if (!is_line_end(code_point_of(character))) {
      at += character.size();
      continue;
    }
    const std::size_t end = at + (text.substr(at, 2) == "\r\n" ? 2 : character.size());
    lines.add(text.substr(start, (keep_ends ? end : at) - start));
    start = at = end;
  }
  if (start < text.size()) lines.add(text.substr(start));
  return lines.take();
}

std::string replace(std::string_view text, std::string_view from, std::string_view to, std::int64_t most) {
  std::string out;
  std::int64_t done = 0;
  const auto put = [&](std::string_view piece) {
    if (out.size() + piece.size() > Value::max_weight) reject("a text of more than {} bytes", Value::max_weight);
    charge_copy(piece.size());
    out += piece;
  };
  if (from.empty()) {
    charge(text.size() * lookup_cost);
    const auto another = [&] { return most < 0 || done++ < most; };
    for (const std::string_view character : CodePoints(text)) {
      if (another()) put(to);
      put(character);
    }
    if (another()) put(to);
    return out;
  }
  std::size_t at = 0;
  for_each_place(text, from, [&](std::size_t found) {
    if (most >= 0 && done++ >= most) return false;
    put(text.substr(at, found - at));
    put(to);
    at = found + from.size();
    return true;
  });
  put(text.substr(at));
  return out;
}

std::string escape_html(std::string_view text) {
  charge(text.size() * decode_cost);
  std::string out;
  for (const char c : text) {
    if (out.size() > Value::max_weight) reject("a text of more than {} bytes", Value::max_weight);
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

bool is_index(std::string_view text) {
  constexpr std::size_t longest = 9;
  return !text.empty() && text.size() <= longest && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_word_character(std::string_view character) {
  charge(lookup_cost);
  const std::int32_t c = code_point_of(character);
  return character == "_" || is_letter(c) || is_numeric(c);
}

bool all_are(std::string_view text, std::string_view kind) {
  bool any = false;
  for (const std::string_view character : CodePoints(text)) {
    charge(lookup_cost);
    const std::int32_t c = code_point_of(character);
    if (kind == "lower" || kind == "upper") {
      if (has_case(c) && !(kind == "lower" ? is_lower(c) : is_upper(c))) return false;
      any = any || has_case(c);
      continue;
    }
    const bool fits = kind == "space"       ? is_space(character)
                      : kind == "alpha"     ? is_letter(c)
                      : kind == "decimal"   ? is_decimal(c)
                      : kind == "digit"     ? is_digit(c)
                      : kind == "numeric"   ? is_numeric(c)
                      : kind == "printable" ? is_printable(c)
                                            : is_letter(c) || is_numeric(c);
    if (!fits) return false;
    any = true;
  }
  return any;
}

bool is_title(std::string_view text) {
  bool any = false, in_word = false;
  for (const std::string_view character : CodePoints(text)) {
    charge(lookup_cost);
    const std::int32_t c = code_point_of(character);
    const bool letter = has_case(c);
    if (letter && in_word != is_lower(c)) return false;
    in_word = letter;
    any = any || letter;
  }
  return any;
}

}  // namespace layerboost::jinja
