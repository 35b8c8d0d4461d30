#!/usr/bin/env python3
"""Writes src/jinja/unicode_tables.cc: what Python's string methods know of characters and utf8proc doesn't tell.

  bench/chat/unicode_tables.py      with Python 3.11, whose Unicode is 14.0
"""

import pathlib
import unicodedata

OUTPUT = pathlib.Path(__file__).resolve().parent.parent.parent / "src" / "jinja" / "unicode_tables.cc"
CHARACTERS = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def literal(text):
    return 'U"' + "".join(f"\\U{ord(c):08X}" for c in text) + '"'


def table(name, comment, belongs):
    ranges = []
    for c in map(ord, filter(belongs, CHARACTERS)):
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    items = ", ".join(f"{{0x{first:X}, 0x{last:X}}}" for first, last in ranges)
    return f"// {comment}\nconstexpr Range {name}[] = {{{items}}};\n"


def main():
    category = unicodedata.category
    cases = [c for c in CHARACTERS if len(c.upper()) > 1 or len(c.title()) > 1]
    items = ",\n".join(f"{{0x{ord(c):X}, {literal(c.upper())}, {literal(c.title())}}}" for c in cases)
    OUTPUT.write_text(
        f"""// Written by bench/chat/unicode_tables.py, from Unicode {unicodedata.unidata_version}.
#include "jinja/unicode_tables.h"

#include <algorithm>
#include <iterator>

namespace layerboost::jinja {{

namespace {{

struct Range {{
  char32_t first, last;
}};

{table("digits", "Digits that aren't decimal: superscripts, circled ones.", lambda c: c.isdigit() and category(c) != "Nd")}
{table("numbers", "Letters that mean numbers: ideographs.", lambda c: c.isnumeric() and category(c) not in ("Nd", "No", "Nl"))}
{table("small", "Lower case without being lower case letters.", lambda c: c.islower() and category(c) != "Ll")}
{table("large", "Upper case without being upper case letters.", lambda c: c.isupper() and category(c) != "Lu")}
constexpr FullCase cases[] = {{
{items}}};

template <std::size_t size>
bool among(const Range (&ranges)[size], char32_t c) {{
  const auto* const after = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                             [](char32_t value, const Range& range) {{ return value < range.first; }});
  return after != std::begin(ranges) && c <= std::prev(after)->last;
}}

}}  // namespace

bool is_other_digit(char32_t c) {{ return among(digits, c); }}
bool is_other_number(char32_t c) {{ return among(numbers, c); }}
bool is_other_lower(char32_t c) {{ return among(small, c); }}
bool is_other_upper(char32_t c) {{ return among(large, c); }}

const FullCase* full_case(char32_t c) {{
  const auto* const found = std::lower_bound(std::begin(cases), std::end(cases), c,
                                             [](const FullCase& one, char32_t value) {{ return one.character < value; }});
  return found != std::end(cases) && found->character == c ? found : nullptr;
}}

}}  // namespace layerboost::jinja
"""
    )


main()
