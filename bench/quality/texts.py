#!/usr/bin/env python3
"""Two texts of other kinds than the textbooks that plans are chosen and healed on, from Debian's packages debian-handbook and dict-foldoc.

    texts.py DIR      writes DIR/handbook.jsonl (a book about Debian) and DIR/dictionary.jsonl (an encyclopaedic dictionary of computing)
"""

import gzip
import html
import json
import pathlib
import re
import sys

HANDBOOK = pathlib.Path("/usr/share/doc/debian-handbook/html/en-US")
DICTIONARY = pathlib.Path("/usr/share/dictd/foldoc.dict.dz")


def page(path):
    """The running text of one HTML page, a line for each block that holds more than a few words."""
    source = re.sub(r"(?s)<(script|style|pre|head|ul class=\"docnav\").*?</\1>", " ", path.read_text(encoding="utf-8"))
    source = " ".join(source.split())
    source = re.sub(r"</?(div|p|h[1-6]|li|table|tr|td)\b[^>]*>", "\n", source)
    lines = (" ".join(html.unescape(re.sub(r"<[^>]+>", "", line)).split()) for line in source.split("\n"))
    return "\n".join(line for line in lines if len(line) > 40 and line[-1] in ".:?!”)")


def entries(text):
    """The dictionary's entries, the lines of a paragraph joined."""
    for entry in re.split(r"\n(?=\S)", text):
        paragraphs = (" ".join(p.split()) for p in re.split(r"\n\s*\n", entry))
        joined = "\n".join(p for p in paragraphs if p)
        if len(joined) > 400:
            yield joined


def write(path, texts):
    with path.open("w", encoding="utf-8") as out:
        for text in texts:
            out.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for needed, package in ((HANDBOOK, "debian-handbook"), (DICTIONARY, "dict-foldoc")):
        if not needed.exists():
            sys.exit(f"texts.py: {needed} is missing: apt-get install {package}")
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "handbook.jsonl", (text for text in map(page, sorted(HANDBOOK.glob("*.html"))) if len(text) > 500))
    write(folder / "dictionary.jsonl", entries(gzip.open(DICTIONARY, "rt", encoding="utf-8", errors="replace").read()))
