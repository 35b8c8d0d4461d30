#!/usr/bin/env python3
"""Writes src/text/unicode_addition_table.h: the characters that Unicode has assigned from version 14, which this Python
(3.11) has, to the one of Hugging Face's tokenizers (16), with the properties that their expressions can ask for.

    pip install tokenizers==0.23.3 regex==2026.11.19
    scripts/unicode-additions.py > src/text/unicode_addition_table.h
"""
import unicodedata

import regex._regex_core as names  # only for the names of scripts
import tokenizers
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
assert tokenizers.__version__ == "0.23.3", tokenizers.__version__

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Cf".split()
# And the one character that has got another category since.
unassigned = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cn" or code == 0x1171E]


def having(expression):
    """Those of the characters in question that match `expression`."""
    matches = Split(Regex(expression), "removed", invert=True)
    text = "".join(unassigned)
    return {c for at in range(0, len(text), 20000) for c, _ in matches.pre_tokenize_str(text[at : at + 20000])}


def scripts():
    table = next(values for name, (_, values) in names.PROPERTIES.items() if name == "SCRIPT")
    for name in table:
        if name in ("UNKNOWN", "ZZZZ"):
            continue
        try:
            yield name.replace("_", "").lower(), having(r"\p{%s}" % name)
        except Exception:  # tokenizers doesn't have it
            pass


category_of = {c: category for category in CATEGORIES for c in having(r"\p{%s}" % category)}
names_of_script = {c: [] for c in category_of}  # "han" and "hani"
for name, characters in scripts():
    for c in characters:
        names_of_script[c].append(name)
alphabetic, lowercase = having(r"\p{Alphabetic}"), having(r"\p{Lowercase}")

ranges = []
for c in sorted(category_of):
    properties = (category_of[c], " ".join(sorted(names_of_script[c])), c in alphabetic, c in lowercase)
    if ranges and ranges[-1][1] == ord(c) - 1 and ranges[-1][2] == properties:
        ranges[-1][1] = ord(c)
    else:
        ranges.append([ord(c), ord(c), properties])

print("// Written by scripts/unicode-additions.py out of tokenizers 0.23.3.")
print("#pragma once\n\n#include <array>\n")
print('#include "text/unicode_additions.h"\n')
print("namespace layerboost {\n")
print("/// What Unicode assigned after version 14 and up to 16, in order, and a character that got another category.")
print("inline constexpr std::array unicode_addition_table = {")
for first, last, (category, script, is_alphabetic, is_lowercase) in ranges:
    flags = "".join(f", {str(flag).lower()}" for flag in (is_alphabetic, is_lowercase))
    print(f'    UnicodeAddition{{0x{first:X}, 0x{last:X}, "{category}", "{script}"{flags}}},')
print("};\n\n}  // namespace layerboost")
