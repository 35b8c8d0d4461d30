#!/usr/bin/env python3
"""Compares layerboost's ids with those of Hugging Face's tokenizers on some megabyte of mixed text for each kind of
tokenizer: words of this repository and of Python's library, and between them rare characters of all scripts, numbers,
combining marks and emoji. Each kind gets a vocabulary of its own, learnt from a part of the text. Prints a table; fails
where ids differ.

    pip install tokenizers==0.23.3
    cmake --build build/release --target model_test
    scripts/tokenizer-megabyte.py [build/release/model_test [BYTES]]
"""
import json
import os
import pathlib
import subprocess
import sys
import sysconfig
import tempfile

from tokenizer_kinds import BYTE_KINDS, CHARACTER_KINDS, mixed_texts, trained_byte_tokenizer, trained_character_tokenizer

HERE = pathlib.Path(__file__).resolve().parent.parent
SIZE = int(sys.argv[2]) if len(sys.argv) > 2 else 1_200_000
VOCABULARY = 3000


def files():
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    paths = [*HERE.glob("docs/**/*.md"), *HERE.glob("src/**/*.cc"), *HERE.glob("src/**/*.json"), *library.glob("*.py")]
    return [path.read_text(errors="ignore") for path in sorted(paths)]


def main():
    test = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "build/release/model_test").resolve()
    texts = mixed_texts(files(), SIZE)
    learnt_from = texts[: len(texts) // 5]
    print("| kind | texts | bytes | ids | differ: tokenizer.json | differ: GGUF |\n|---|---|---|---|---|---|", flush=True)
    wrong = False
    for kind in [*BYTE_KINDS, *CHARACTER_KINDS]:
        train = trained_byte_tokenizer if kind in BYTE_KINDS else trained_character_tokenizer
        tokenizer = train(kind, learnt_from, VOCABULARY)
        with tempfile.TemporaryDirectory() as folder:
            case = pathlib.Path(folder) / "case.json"
            ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
            gguf = kind if kind in BYTE_KINDS else "llama" if kind == "llama2" else ""
            case.write_text(json.dumps({"kind": kind, "gguf": gguf, "tokenizer": tokenizer.to_str(), "texts": texts, "ids": ids}))
            run = subprocess.run(
                [test, "--gtest_filter=TokenizerKinds.*"], env={**os.environ, "LAYERBOOST_TOKENIZER_KIND": str(case)}, capture_output=True, text=True)
        rows = [line for line in run.stdout.splitlines() if line.startswith("| ")]
        print(*rows, sep="\n", flush=True)
        if run.returncode != 0 or len(rows) != 1:
            wrong = True
            print(run.stdout[-3000:], run.stderr[-2000:], file=sys.stderr)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
