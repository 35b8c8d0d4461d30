#!/usr/bin/env python3
"""Writes what Hugging Face's tokenizers make of expressions, for src/text/expression_vectors_test.cc, of pipelines that
are rare, for src/text/pipeline_vectors_test.cc, and of the kinds that GGUF files name, for
src/model/gguf_pre_tokenizer_test.cc.

    pip install tokenizers==0.23.3
    scripts/tokenizer-cases.py expressions > src/text/testdata/expressions.json
    scripts/tokenizer-cases.py pipelines > src/text/testdata/pipelines.json
    scripts/tokenizer-cases.py kinds > src/model/testdata/pre_tokenizers.json
"""
import copy
import json
import sys

import tokenizers
from tokenizers import Regex, Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel, Punctuation, Split, Whitespace

from tokenizer_kinds import BYTE_KINDS, ODD, byte_tokenizer

SETS = r"""
\p{L} \p{M} \p{N} \p{P} \p{S} \p{Z} \p{C} \p{Lu} \p{Ll} \p{Lt} \p{Lm} \p{Lo} \p{Mn} \p{Mc} \p{Me} \p{Nd} \p{Nl} \p{No}
\p{Pc} \p{Pd} \p{Ps} \p{Pe} \p{Pi} \p{Pf} \p{Po} \p{Sm} \p{Sc} \p{Sk} \p{So} \p{Zs} \p{Zl} \p{Zp} \p{Cc} \p{Cf} \p{Cn}
\p{Co} \p{Cs} \p{LC} \P{L} \P{C} \p{^Mn} [^\p{C}] [\p{C}a] [^\p{Cn}a] \p{lu} \p{uppercase_letter} \p{Letter}
\p{Han} \p{Hani} \p{Hiragana} \p{Katakana} \p{Hangul} \p{Latin} \p{Greek} \p{Cyrillic} \p{Arabic} \p{Hebrew} \p{Thai}
\p{Devanagari} \p{Kannada} \p{Lao} \p{Balinese} \p{Common} \p{Inherited} [\p{Han}] \P{Han} [^\p{Common}\n] \p{han}
\p{Any} \p{Alphabetic} \p{Uppercase} \p{Lowercase} \p{White_Space} \w \W \d \D \s \S \h \H [\w] [^\w] [\W] \b \B \v .
[[:alpha:]] [[:alnum:]] [[:punct:]] [[:space:]] [[:upper:]] [[:lower:]] [[:word:]] [[:blank:]] [[:cntrl:]] [[:xdigit:]]
[[:digit:]] [[:ascii:]] [[:^alpha:]] [^[:punct:]a] (?i:s) (?i:k) (?i:[a-z]) (?i:é) (?i)σ (?i:\p{Lu}) (?i:[^\p{N}a])
""".split()

CUTS = [
    ("[--a]+", "x5Axb"),
    ("[^--a]+", "x5Axb"),
    (r"[\--/]+", "a-./0"),
    (r"(?i:\x41b)", "abABc"),
    (r"(?i:'\x73|'\u0054)", "it's IT'S 'T't"),
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


def lines(values):
    return "[\n" + ",\n".join(json.dumps(value) for value in values) + "]"


def print_expressions():
    everything = characters()
    steps = [(s, {"type": "Split", "pattern": {"Regex": s}, "behavior": "Isolated", "invert": False}) for s in SETS]
    steps += [("Whitespace", {"type": "Whitespace"}), ("Punctuation", {"type": "Punctuation", "behavior": "Isolated"})]
    named = {"Whitespace": Whitespace(), "Punctuation": Punctuation("isolated")}
    by_set = []
    for name, step in steps:
        pieces = cut(named.get(name) or Split(Regex(name), "isolated"), everything)
        by_set.append({"step": step, "pieces": len(pieces), "lengths": digest(pieces)})
    by_text = [[rx, text, cut(Split(Regex(rx), "isolated"), text)] for rx, text in CUTS]
    print(f'{{"made_by": "scripts/tokenizer-cases.py out of tokenizers {tokenizers.__version__}",')
    print(f'"sets": {lines(by_set)},\n"cuts": {lines(by_text)}}}')


FLAGS = ["special", "normalized", "single_word", "lstrip", "rstrip"]


def token(content, id, **flags):
    return {"id": id, "content": content, **dict.fromkeys(FLAGS, False), **flags}


# What pipelines have in common: a token for each byte, in the order of their characters in the alphabet, or for
# characters "<unk>", those of bytes, and a few letters.
BYTES = {
    "added_tokens": [],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
    "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(sorted(ByteLevel.alphabet()))}, "merges": []},
}
CHARACTERS = {
    "added_tokens": [token("<unk>", 0, special=True)],
    "decoder": {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
        ],
    },
    "model": {
        "type": "BPE",
        "byte_fallback": True,
        "unk_token": "<unk>",
        "vocab": {t: i for i, t in enumerate(["<unk>", *(f"<0x{b:02X}>" for b in range(256)), *"\u2581abcx"])},
        "merges": [],
    },
}


def merge_patch(value, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    value = dict(value) if isinstance(value, dict) else {}
    for key, new in patch.items():
        if new is None:
            value.pop(key, None)
        else:
            value[key] = merge_patch(value.get(key), new)
    return value


def split(expression):
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def template(*pieces, ids):
    piece = lambda text: {"Sequence": {"id": "A", "type_id": 0}} if text == "$A" else {"SpecialToken": {"id": text, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [piece(text) for text in pieces],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {t: {"id": t, "ids": ids[t], "tokens": [t] * len(ids[t])} for t in ids},
    }


def processors(*list_):
    return {"type": "Sequence", "processors": list(list_)}


BLANKS = [token("<a>", 256, rstrip=True), token("\n\n", 257), token(" b", 258), token("\t", 259, rstrip=True)]
ENDS = [token("<s>", 256, special=True), token("</s>", 257, special=True)]
ROBERTA = {"type": "RobertaProcessing", "sep": ["</s>", 257], "cls": ["<s>", 256], "trim_offsets": True, "add_prefix_space": True}

# What is patched into the base, and texts.
PIPELINES = [
    # Where merges are ignored a piece may become an added token that the vocabulary has.
    (BYTES, {"model": {"ignore_merges": True, "vocab": {"ab": 256}}, "added_tokens": [token("ab", 256, single_word=True)], "pre_tokenizer": sequence(split("_"), BYTES["pre_tokenizer"])}, ["ab_", "ab", "xab_ab"]),
    (BYTES, {"model": {"ignore_merges": True, "vocab": {"ab": 256}}, "added_tokens": [token("ab", 256, normalized=True)], "normalizer": {"type": "Prepend", "prepend": " "}, "pre_tokenizer": sequence(split(r"\s"), BYTES["pre_tokenizer"])}, ["x\nab", "ab", " ab"]),
    (BYTES, {"model": {"ignore_merges": True, "vocab": {"\u65e5\u672c": 256, "\u0120\u00e9": 257}}}, ["\u65e5\u672c", " \ufffd", "\u0120\u00e9"]),
    (CHARACTERS, {"model": {"ignore_merges": True, "vocab": {"ab": 262}}, "added_tokens": [token("<unk>", 0, special=True), token("ab", 262, single_word=True)], "pre_tokenizer": split("_")}, ["ab_", "xab_ab"]),
    # White space behind a token goes to the token that begins with it.
    (BYTES, {"added_tokens": BLANKS}, ["<a>\n\nx", "<a> b", "<a>  b", "<a> \n\n x", "<a>\n x", "\t\t \t", "<a><a> <a>", "<a> \n \n\n\n", "<a> "]),
    (BYTES, {"added_tokens": [token("<a>", 256, rstrip=True), token(" b", 257, single_word=True), token(" bc ", 258, normalized=True)]}, ["<a> bc x", "<a> b x", "<a>  bc "]),
    (BYTES, {"added_tokens": [token("<a>", 256, rstrip=True, normalized=True), token("\n", 257, normalized=True)]}, ["<a> \nx", "<a>\n\n", " \n <a>\n"]),
    (BYTES, {"added_tokens": [token("<a>", 256, rstrip=True), token("  ", 257, lstrip=True, rstrip=True), token(" b", 258, lstrip=True)]}, ["<a>     x", "     x", "<a> bx", "<a>  b"]),
    # What is put before a text.
    *((BYTES, {"added_tokens": ENDS, "post_processor": p}, ["hi", ""]) for p in [
        {**ROBERTA, "sep": ["</s>", 257]},
        template("<s>", "$A", ids={"<s>": [257]}),
        template("$A", "</s>", ids={"</s>": [257]}),
        template("<s>", "$A", ids={"<s>": []}),
        processors(processors(BYTES["decoder"], template("<s>", "$A", ids={"<s>": [256]}))),
        {"type": "BertProcessing", "sep": ["</s>", 257], "cls": ["no token", 72]},
    ]),
    # Bytes without a token.
    *((BYTES, {"model": {"unk_token": "<unk>", "fuse_unk": fuse, "vocab": {"x": None, "y": None, "<unk>": 87, "ab": 256}, "merges": [["a", "b"]]}}, ["axb", "xyx", "abxyab", "xax", "a"]) for fuse in (False, True)),
    (BYTES, {"model": {"vocab": {"x": None}}}, ["axb", "x"]),
    # The ids of added tokens.
    (BYTES, {"added_tokens": [token("foo", 400), token("bar", 256)]}, ["foobar"]),
    (BYTES, {"model": {"vocab": {"foo": 256}}, "added_tokens": [token("bar", 500), token("foo", 300), token("baz", 301)]}, ["foobarbaz"]),
    (BYTES, {"added_tokens": [token("foo", 256, lstrip=True), token("foo", 256), token("bar", 257), token("bar", 257, lstrip=True)]}, ["a foo bar a"]),
]


def case_of(tokenizer, text):
    """The text, its ids, the same with what the post-processor adds, and how many of these come before the text."""
    ids, whole = tokenizer.encode(text, add_special_tokens=False).ids, tokenizer.encode(text)
    before = next((i for i, special in enumerate(whole.special_tokens_mask) if not special), None)
    if before is None:  # an empty text: with another one between them it shows
        before = case_of(tokenizer, "hi")[3]
    return [text, ids, whole.ids, before]


def print_pipelines():
    cases = []
    for base, patch, texts in PIPELINES:
        tokenizer = Tokenizer.from_str(json.dumps(merge_patch(copy.deepcopy(base), patch)))
        ids = [case_of(tokenizer, t) for t in texts]
        cases.append({"of": "bytes" if base is BYTES else "characters", "patch": patch, "texts": ids})
    print(f'{{"made_by": "scripts/tokenizer-cases.py out of tokenizers {tokenizers.__version__}",')
    print(f'"cases": {lines(cases)}}}')


def print_kinds():
    """One vocabulary for all, learnt across the borders of pieces, so that ids tell where these are."""
    learning = Tokenizer(models.BPE())
    learning.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    parts = [text[i : i + 5] for text in ODD for i in range(len(text))]
    learning.train_from_iterator(
        parts, trainers.BpeTrainer(vocab_size=900, initial_alphabet=sorted(ByteLevel.alphabet()), show_progress=False)
    )
    model = json.loads(learning.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    print(f'{{"made_by": "scripts/tokenizer-cases.py out of tokenizers {tokenizers.__version__}",')
    print(f'"tokens": {json.dumps(tokens)},\n"merges": {json.dumps([" ".join(merge) for merge in model["merges"]])},')
    print(f'"texts": {lines(ODD)},\n"ids": {{')
    rows = []
    for kind in BYTE_KINDS:
        tokenizer = byte_tokenizer(kind, models.BPE(model["vocab"], [tuple(merge) for merge in model["merges"]]))
        ids = [tokenizer.encode(text).ids for text in ODD]
        rows.append(f'"{kind}": {json.dumps(ids, separators=(",", ":"))}')
    print(",\n".join(rows) + "}}")


{"expressions": print_expressions, "pipelines": print_pipelines, "kinds": print_kinds}[sys.argv[1]]()
