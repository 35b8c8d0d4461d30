#include "text/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace layerboost {

namespace {

std::vector<std::int32_t> decompose(std::string_view text) {
  std::vector<std::int32_t> out;
  out.reserve(text.size());
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE);
  while (!text.empty()) {
    const Utf8Char next = decode_utf8(text);
    LB_CHECK(next.kind == Utf8Char::Kind::valid);
    std::array<utf8proc_int32_t, 32> parts{};
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(next.code_point), parts.data(),
                                               parts.size(), options, &boundary);
    LB_CHECK(count >= 0 && static_cast<std::size_t>(count) <= parts.size());
    out.insert(out.end(), parts.begin(), parts.begin() + count);
    text.remove_prefix(next.length);
  }
  return out;
}

// utf8proc_decompose() sorts too, but by exchanging neighbours: quadratic in the length of a run of marks, which a
// hostile text can make as long as it likes.
void sort_marks(std::vector<std::int32_t>& code_points) {
  const auto combining_class = [](std::int32_t c) { return utf8proc_get_property(c)->combining_class; };
  const auto is_mark = [&](std::int32_t c) { return combining_class(c) != 0; };
  auto from = code_points.begin();
  while (true) {
    from = std::find_if(from, code_points.end(), is_mark);
    if (from == code_points.end()) return;
    const auto to = std::find_if_not(from, code_points.end(), is_mark);
    std::stable_sort(from, to, [&](auto a, auto b) { return combining_class(a) < combining_class(b); });
    from = to;
  }
}

}  // namespace

bool may_change_under_nfc(std::string_view valid_utf8) {
  // U+0300 is CC 80: every character from there on begins with at least CC, and continuation bytes are below C0.
  return std::any_of(valid_utf8.begin(), valid_utf8.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0xCC; });
}

std::string to_nfc(std::string_view valid_utf8) {
  std::vector<std::int32_t> code_points = decompose(valid_utf8);
  sort_marks(code_points);
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  const auto length =
      utf8proc_normalize_utf32(code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()), options);
  LB_CHECK(length >= 0);
  code_points.resize(static_cast<std::size_t>(length));
  std::string out;
  out.reserve(valid_utf8.size());
  for (const std::int32_t c : code_points) append_utf8(static_cast<char32_t>(c), out);
  return out;
}

}  // namespace layerboost
