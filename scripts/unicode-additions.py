#!/usr/bin/env python3
"""Writes src/text/unicode_additions.cc: the characters that Unicode has assigned from version 14 to 16, with their general
categories, out of the databases of this Python (3.11: Unicode 14) and of unicodedata2.

    pip install unicodedata2==16.0.0
    scripts/unicode-additions.py > src/text/unicode_additions.cc
"""
import unicodedata

import unicodedata2

END = r"""// Whether an addition is among the 64 characters from 64 * i on.
constexpr auto blocks = [] {
  std::array<bool, additions.back().last / 64 + 1> has = {};
  for (const UnicodeAddition& addition : additions)
    for (char32_t block = addition.first / 64; block <= addition.last / 64; ++block) has[block] = true;
  return has;
}();

}  // namespace

std::span<const UnicodeAddition> unicode_additions() { return additions; }

bool may_have_unicode_additions(std::string_view valid_utf8) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(valid_utf8[i]); };
  for (std::size_t i = 0; i < valid_utf8.size(); ++i) {
    if (byte(i) < 0xE0) continue;  // ASCII, two bytes, or the middle of a character
    const char32_t block = byte(i) < 0xF0 ? (byte(i) & 15U) << 6U | (byte(i + 1) & 63U)
                                          : (byte(i) & 7U) << 12U | (byte(i + 1) & 63U) << 6U | (byte(i + 2) & 63U);
    if (block < blocks.size() && blocks[block]) return true;
  }
  return false;
}

}  // namespace layerboost
"""

assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
assert unicodedata2.unidata_version == "16.0.0", unicodedata2.unidata_version

ranges = []
for code in range(0x110000):
    old, new = unicodedata.category(chr(code)), unicodedata2.category(chr(code))
    if old == new:
        continue
    if old != "Cn":  # a change within a group ("Mn" to "Mc") changes no pattern of letters and digits
        assert old[0] == new[0], hex(code)
        continue
    if ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == new:
        ranges[-1][1] = code
    else:
        ranges.append([code, code, new])

print("// Written by scripts/unicode-additions.py out of unicodedata2 16.0.0.")
print('#include "text/unicode_additions.h"\n')
print("#include <array>\n")
print("namespace layerboost {\n\nnamespace {\n")
print("constexpr std::array additions = {")
for first, last, category in ranges:
    print(f"    UnicodeAddition{{0x{first:X}, 0x{last:X}, \"{category}\"}},")
print("};\n")
print(END, end="")
