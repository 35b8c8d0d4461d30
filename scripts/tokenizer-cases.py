#!/usr/bin/env python3
"""Writes what Hugging Face's tokenizers make of expressions, for src/text/expression_vectors_test.cc.

    pip install tokenizers==0.23.3
    scripts/tokenizer-cases.py > src/text/testdata/expressions.json
"""
import json

import tokenizers
from tokenizers import Regex
from tokenizers.pre_tokenizers import Punctuation, Split, Whitespace

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__

SETS = r"""
\p{L} \p{M} \p{N} \p{P} \p{S} \p{Z} \p{C} \p{Lu} \p{Ll} \p{Lt} \p{Lm} \p{Lo} \p{Mn} \p{Mc} \p{Me} \p{Nd} \p{Nl} \p{No}
\p{Pc} \p{Pd} \p{Ps} \p{Pe} \p{Pi} \p{Pf} \p{Po} \p{Sm} \p{Sc} \p{Sk} \p{So} \p{Zs} \p{Zl} \p{Zp} \p{Cc} \p{Cf} \p{Cn}
\p{Co} \p{LC} \P{L} \P{C} \p{^Mn} [^\p{C}] [\p{C}a] [^\p{Cn}a] \p{lu} \p{uppercase_letter} \p{Letter}
\p{Han} \p{Hani} \p{Hiragana} \p{Katakana} \p{Hangul} \p{Latin} \p{Greek} \p{Cyrillic} \p{Arabic} \p{Hebrew} \p{Thai}
\p{Devanagari} \p{Kannada} \p{Lao} \p{Balinese} \p{Common} \p{Inherited} [\p{Han}] \P{Han} [^\p{Common}\n] \p{han}
\p{Any} \p{Alphabetic} \p{Uppercase} \p{Lowercase} \p{White_Space} \w \W \d \D \s \S \h \H [\w] [^\w] [\W] \b \B \v .
[[:alpha:]] [[:alnum:]] [[:punct:]] [[:space:]] [[:upper:]] [[:lower:]] [[:word:]] [[:blank:]] [[:cntrl:]] [[:xdigit:]]
[[:digit:]] [[:ascii:]] [[:^alpha:]] [^[:punct:]a] (?i:s) (?i:k) (?i:[a-z]) (?i:é) (?i)σ (?i:\p{Lu}) (?i:[^\p{N}a])
""".split()

CUTS = [
    ("a(?i)b|c", "abaBacaCc"),
    ("(a(?i)b|c)d", "abdaBdcdCd"),
    ("(?:x(?i)y(?-i)z)z", "xyzzxYzzxYZz"),
    ("(?i:k)k", "KkKKkK"),
    ("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "it's IT'S we'LL I'D'ſ"),
    ("a(?#[)(?:b|[)c])", "aba)ac"),
    ("[[a]^]", "a^b"),
    (r"[\S^]", " a^\n"),
    (r"[^\S^]", " a^\n"),
    ("[a^-]+", "a^-b"),
    ("[]a]+", "a]b"),
    ("[a-]+", "a-b"),
    ("[-a]+", "a-b"),
    ("[a-c-e]+", "abd-e"),
    (r"[a[b]-z]+", "ya-b"),
    (r"[\]-a]+", "^_]ab"),
    ("[[:alpha:][:digit:]_]+", "a1_-é٣²"),
    ("[[:x]]+", "[:x]]"),
    (r"\v", "a\v\n\f"),
    (r"[\v]", "a\v\n\f"),
    ("é{2}+", "éééé é"),
    ("中{1,2}+", "中中中a"),
    ("é{2}?", "ééé"),
    ("aé{2}", "aéaéé"),
    (r"\é+", "éé"),
    (r"\bé", "aé é"),
    (r"\b", "a\u0301b ²c"),
]


def characters():
    """All characters of the planes that Unicode uses."""
    return "".join(chr(c) for c in [*range(1, 0xD800), *range(0xE000, 0x32400), *range(0xE0000, 0xE0200)])


def digest(pieces):
    """FNV-1a of the pieces' lengths in UTF-8."""
    value = 0xCBF29CE484222325
    for piece in pieces:
        value = ((value ^ len(piece.encode())) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def cut(pre_tokenizer, text):
    return [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]


everything = characters()
by_set = []
for name, step in [
    *((s, {"type": "Split", "pattern": {"Regex": s}, "behavior": "Isolated", "invert": False}) for s in SETS),
    ("Whitespace", {"type": "Whitespace"}),
    ("Punctuation", {"type": "Punctuation", "behavior": "Isolated"}),
]:
    named = {"Whitespace": Whitespace(), "Punctuation": Punctuation("isolated")}
    pieces = cut(named.get(name) or Split(Regex(name), "isolated"), everything)
    by_set.append({"step": step, "pieces": len(pieces), "lengths": digest(pieces)})
by_text = [[rx, text, cut(Split(Regex(rx), "isolated"), text)] for rx, text in CUTS]


def lines(values):
    return "[\n" + ",\n".join(json.dumps(value) for value in values) + "]"


print(f'{{"made_by": "scripts/tokenizer-cases.py out of tokenizers {tokenizers.__version__}",')
print(f'"sets": {lines(by_set)},\n"cuts": {lines(by_text)}}}')
