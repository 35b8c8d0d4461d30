"""Kinds of tokenizers as models' own tokenizer.json have them, and texts that are awkward for them: for
tokenizer-cases.py and tokenizer-megabyte.py.
"""
import random

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Metaspace, Sequence, Split

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__

SPECIAL = ["<unk>", "<s>", "</s>"]

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def words(contractions="", upper=UPPER, lower=LOWER):
    lead = r"[^\r\n\p{L}\p{N}]?"
    return f"{lead}{upper}*{lower}+{contractions}|{lead}{upper}+{lower}*{contractions}"


def llama3(numbers):
    return rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}|{REST}"


WITH_SLASH = REST.replace(r"[\r\n]*", r"[\r\n/]*", 1)
GPT4O = rf"{words(CONTRACTIONS + '?')}|\p{{N}}{{1,3}}|{WITH_SLASH}"
CJK = "[一-龥぀-ゟ゠-ヿ]+"
DEEPSEEK = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK_LETTERS = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ\u1f5f-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄ"
    "ῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
)
ASIAN = "[一-龥ࠀ-一가-\ud7ff]+"
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"


def isolated(*expressions):
    return [Split(Regex(expression), "isolated") for expression in expressions]


# By the names of GGUF: the steps, and whether a piece that is a token is one whatever merges say.
BYTE_KINDS = {
    "gpt-2": ([ByteLevel(add_prefix_space=False, use_regex=True)], False),
    "smollm": ([Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)], False),
    "llama-bpe": (isolated(llama3(r"\p{N}{1,3}")), True),
    "qwen2": (isolated(llama3(r"\p{N}")), False),
    "qwen35": (
        isolated(
            rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*"
            r"|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        False,
    ),
    "tekken": (isolated(rf"{words()}|\p{{N}}|{WITH_SLASH}"), True),
    "gpt-4o": (isolated(GPT4O), False),
    "kimi-k2": (
        isolated(
            r"[\p{Han}]+|"
            + words(CONTRACTIONS + "?", UPPER[:-1] + r"&&[^\p{Han}]]", LOWER[:-1] + r"&&[^\p{Han}]]")
            + rf"|\p{{N}}{{1,3}}|{REST}"
        ),
        False,
    ),
    "tiny_aya": (isolated(r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O), False),
    "youtu": (
        isolated(
            "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + CJK,
            rf"{words(CONTRACTIONS + '?')}|\p{{N}}|{WITH_SLASH}",
        ),
        True,
    ),
    "deepseek-llm": (
        isolated(r"[\r\n]", rf"\s?[{DEEPSEEK_LETTERS}]+", r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+".replace(r"\u3000", "\u3000"), r"\s+$", ASIAN)
        + [Digits(individual_digits=True)],
        False,
    ),
    "deepseek-coder": (isolated(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", ASIAN) + [Digits(individual_digits=True)], False),
    "deepseek-v3": (isolated(r"\p{N}{1,3}", CJK, DEEPSEEK), False),
    "spark2_5": (
        isolated(r"\p{N}{1,3}", CJK, DEEPSEEK.replace(r"+[\r\n]*|\s*[\r\n]+", r"+|[\r\n]"), r"\p{N}"),
        False,
    ),
    "seed-coder": (
        isolated(
            rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|\s*[\r\n]+"
            r"|\s+(?!\S)|\s+"
        ),
        False,
    ),
    "bailingmoe": (
        isolated(
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
        ),
        False,
    ),
    "bloom": (isolated(BLOOM), False),
    "viking": (isolated(BLOOM, r"\p{N}"), False),
    "superbpe": ([*isolated(r"\p{N}+"), Split(Regex(r"(?=(\d{3})+(?!\d))"), "merged_with_next")], False),
    "ufakzeka": (isolated(llama3(r"\p{N}").removeprefix(CONTRACTIONS + "|")), False),
    "laguna": (isolated(r"[^\n]+|[\n]+", llama3(r"\p{N}")), False),
    "minicpm5": (isolated(r"\p{N}{1,3}", llama3(r"\p{N}+")), True),
    "jais-2": (
        isolated(
            llama3(r"\p{N}{1,3}").removesuffix(r"|\s+(?!\S)|\s+")
            + "".join(rf"|\s{{{n}}}(?!\S)" for n in (512, 256, 128, 64, 32, 16, 8, 4, "1,2"))
            + r"|\s{1}"
        ),
        False,
    ),
    "exaone-moe": (
        isolated(
            rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
        ),
        False,
    ),
    "chameleon": (
        isolated("<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\t\n]|    |  )")
        + [Digits(individual_digits=True), pre_tokenizers.Punctuation("isolated"), *isolated(GPT2)],
        False,
    ),
    # llama.cpp does the numbers by code: three by three, from the right.
    "afmoe": (
        isolated(
            r"\p{N}+",
            r"\p{N}{1,3}(?=(?:\p{N}{3})*\z)",
            "[一-\u9fff㐀-䶿\uf900-\ufaff぀-ゟ゠-ヿ･-ﾟ⼀-\u2fdfเ-\u0e7f\u0e80-\u0effក-\u17ffက-႟ꩠ-ꩿꧠ-\ua9ff가-\ud7afᄀ-ᇿ]+",
            DEEPSEEK,
        ),
        False,
    ),
}


def byte_tokenizer(kind, model=None):
    """`model`: of which the vocabulary is taken; without one it has the bytes alone."""
    steps, whole_tokens = BYTE_KINDS[kind]
    if model is None:
        model = models.BPE(vocab={c: i for i, c in enumerate(sorted(ByteLevel.alphabet()))}, merges=[])
    tokenizer = Tokenizer(model)
    tokenizer.model.ignore_merges = whole_tokens
    if kind in ("qwen2", "qwen35"):
        tokenizer.normalizer = normalizers.NFC()
    last = [] if isinstance(steps[-1], ByteLevel) else [ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer.pre_tokenizer = Sequence([*steps, *last])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def trained_byte_tokenizer(kind, texts, size):
    tokenizer = byte_tokenizer(kind, models.BPE())
    alphabet = sorted(ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    tokenizer.model.ignore_merges = BYTE_KINDS[kind][1]
    return tokenizer


# Of characters: the normaliser and the pre-tokenizer.
CHARACTER_KINDS = {
    "llama2": (normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None),
    "metaspace": (None, Metaspace(prepend_scheme="first", split=False)),
    "metaspace-words": (None, Metaspace(prepend_scheme="always", split=True)),
    "gemma": (normalizers.Replace(" ", "▁"), Split(" ", "merged_with_previous")),
}


def trained_character_tokenizer(kind, texts, size):
    """In the style of SentencePiece: a token may be made of any two that spell it."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = Metaspace()
    trained.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, limit_alphabet=600, show_progress=False))
    learnt = sorted(trained.get_vocab().items(), key=lambda item: item[1])
    vocab = {}
    for token in [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *(token for token, _ in learnt)]:
        vocab.setdefault(token, len(vocab))
    merges = []
    for token in [token for token, _ in learnt]:
        halves = [(token[:i], token[i:]) for i in range(1, len(token))]
        halves = [half for half in halves if half[0] in vocab and half[1] in vocab]
        merges += sorted(halves, key=lambda half: (vocab[half[0]], vocab[half[1]]))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    normalizer, pre_tokenizer = CHARACTER_KINDS[kind]
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    strip = [] if kind == "gemma" else [decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps + strip)
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


ODD = [
    "",
    " ",
    "   \n\n  \t x\r\n\r\n  y \u00a0\u2003z  ",
    "Hello, World! it's WE'LL they'RE I'd'Ve 'tis ſ'ſ",
    "camelCaseWORDS HTTPServer2Go iPhone15ProMAX snake_case__x",
    "0 12 345 6789 12345678 1234567x x1234567 1,234.5678 ½²³Ⅷ①٣٤٥٦٧ १२३४५ 12_345",
    "日本語のテキスト、中文文本。한국어 텍스트！ カタカナ ﾊﾝｶｸ ㄅㄆㄇ ㄱㄴ「」『』…—：；，",
    "e\u0301 n\u0303 a\u0308\u0323 \u0301x q\u0307\u0323 \u1e69 s\u0323\u0307 नमस्ते สวัสดี ភាសាខ្មែរ",
    "👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 ☃️ 1️⃣ 🏳️‍🌈",
    "def f(x):\n    return {'a': [1, 2.5e-3], \"b\": x[::-1]}  # done\n\n\tif (a&&b)||!c: a->b++;\n",
    "https://example.org/path/to?q=1&r=%20#frag user@example.com C:\\dir\\file.txt /usr/bin/env\n//\n",
    "Ψάρι ΟΔΥΣΣΕΥΣ Привет ǅ ǲ ﬁ ßẞ İı Ǆ ԱՐԱՄ ᏣᎳᎩ 𐐀𐐨 𝒜𝓑 ⅅⅉ K Å",
    "\u200b\u200d\ufeff\u00ad\u2028\u2029\u0085\u180e\ue000\U000e0001\u0378\U0001f9ff",
    "!!!???...---===***/// ~~^^`` $$€€ «»‹› ¿¡ ۔،। <sentinel:12> ⹆ IMGIMGABCZ IMGIMGJZ",
    "x\n\n\n\ny  1  b   22 we'veX we'llY 'tisn't 'tisn't x\n\n\n\ny  1",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + " " * 37 + "b" + "\n" * 9 + "." * 33,
]


def letters_of(block, count, rng):
    return "".join(chr(rng.choice(block)) for _ in range(count))


def mixed_texts(files, size, seed=1):
    """Some `size` bytes: pieces of files, and between them what is rare in these."""
    rng = random.Random(seed)
    blocks = [range(a, b) for a, b in [
        (0x41, 0x5B), (0x61, 0x7B), (0xC0, 0x250), (0x300, 0x370), (0x370, 0x400), (0x400, 0x530), (0x530, 0x590),
        (0x590, 0x700), (0x900, 0xE00), (0xE00, 0x1000), (0x1000, 0x1100), (0x1100, 0x1200), (0x1200, 0x1400),
        (0x13A0, 0x1400), (0x1780, 0x1800), (0x1E00, 0x2000), (0x2000, 0x2070), (0x2070, 0x2C00), (0x2C00, 0x2E80),
        (0x2E80, 0x3000), (0x3000, 0x3100), (0x3100, 0x3400), (0x3400, 0x4E00), (0x4E00, 0xA000), (0xA000, 0xAC00),
        (0xAC00, 0xD7B0), (0xE000, 0xE010), (0xF900, 0xFB00), (0xFB00, 0xFE00), (0xFE00, 0xFFF0), (0x10000, 0x10500),
        (0x11000, 0x11500), (0x1D400, 0x1D800), (0x1E900, 0x1E960), (0x1F000, 0x1FB00), (0x20000, 0x20100),
    ]]
    spaces = [" ", "  ", "\n", "\n\n", "\t", "\r\n", "    ", "\u00a0", "\u3000", " \n ", "\u2009"]

    def number():
        digits = rng.choice(["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９", "²³½Ⅷ①0123"])
        return "".join(rng.choice(digits) for _ in range(rng.choice([1, 2, 3, 4, 5, 6, 7, 10, 31])))

    def word():
        kind = rng.randrange(10)
        if kind == 0:
            return number()
        if kind == 1:
            return "".join(rng.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(rng.randint(1, 5)))
        if kind == 2:
            return rng.choice(["it's", "WE'LL", "I'd", "they'Re", "'VE", "x'ſ", "don’t", "a_b", "fooBarBAZ"])
        if kind == 3:
            return letters_of(rng.choice(blocks), rng.randint(1, 4), rng) + letters_of(range(0x300, 0x340), rng.randint(1, 3), rng)
        if kind == 4:
            return rng.choice(["👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "☃️", "1️⃣"]) * rng.randint(1, 3)
        return letters_of(rng.choice(blocks), rng.randint(1, 9), rng)

    sources = [text for text in files if len(text) > 1000]
    texts, bytes_ = list(ODD), 0
    while bytes_ < size:
        if rng.random() < 0.5:
            source = rng.choice(sources)
            begin = rng.randrange(len(source))
            text = source[begin : begin + rng.randint(50, 2000)]
        else:
            text = "".join(word() + rng.choice(spaces + [" "] * 8 + [""] * 4) for _ in range(rng.randint(3, 80)))
        texts.append(text)
        bytes_ += len(text.encode())
    return texts
