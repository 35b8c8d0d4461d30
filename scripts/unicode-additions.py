#!/usr/bin/env python3
"""Writes src/text/unicode_addition_table.h: the characters that Unicode has assigned from version 14 to 16, with their general
categories, out of the databases of this Python (3.11: Unicode 14) and of unicodedata2.

    pip install unicodedata2==16.0.0
    scripts/unicode-additions.py > src/text/unicode_addition_table.h
"""
import unicodedata

import unicodedata2

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
print("#pragma once\n\n#include <array>\n")
print('#include "text/unicode_additions.h"\n')
print("namespace layerboost {\n")
print("/// What Unicode assigned after version 14 and up to 16, in order.")
print("inline constexpr std::array unicode_addition_table = {")
for first, last, category in ranges:
    print(f"    UnicodeAddition{{0x{first:X}, 0x{last:X}, \"{category}\"}},")
print("};\n\n}  // namespace layerboost")
