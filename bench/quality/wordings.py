#!/usr/bin/env python3
"""Facts found far back, in five wordings that take no part in choosing plans or steps: what a server of the model writes greedily.

    wordings.py URL --text FILE.jsonl [--lengths 1000,2000] [--items 20] --json OUT

Each item hides one fact in prose from FILE (JSON Lines with "text"), at a depth between 5 and 95 %, and asks for it at the end. An item counts as
found when the answer's words are in the first 16 tokens that the model writes. The same seed gives the same items to every model.
"""

import argparse
import concurrent.futures
import json
import pathlib
import random
import re
import urllib.request

NAMES = ["Maria Jensen", "Tomas Keller", "Aisha Rahman", "Peter Novak", "Lucia Ferrari", "Daniel Osei", "Hanna Lind", "Victor Moreau", "Emily Clarke", "Rahul Mehta"]
TOWNS = ["Porto", "Lyon", "Bergen", "Krakow", "Toronto", "Boston", "Madrid", "Dublin", "Vienna", "Athens"]
THINGS = ["the blue house", "the old library", "the north gate", "the small garden", "the red boat", "the grain store", "the east tower", "the mill", "the stone bridge", "the bakery"]


def pass_key(draw):
    key = str(draw.randint(10000, 99999))
    return f" The pass key is {key}. Remember it. {key} is the pass key.", " What is the pass key? The pass key is", key, False


def line_break(draw):
    fact, _, key, _ = pass_key(draw)
    return fact, "\nWhat is the pass key? The pass key is", key, False


def chat(draw):
    fact, _, key, _ = pass_key(draw)
    return fact, "\n\nWhat is the pass key that is mentioned in the text above?", key, True


def number_of_a_thing(draw):
    key, thing = str(draw.randint(1000, 9999)), draw.choice(THINGS)
    return f" The secret number of {thing} is {key}.", f"\n\nThe secret number of {thing} is", key, False


def home_town(draw):
    name, town = draw.choice(NAMES), draw.choice(TOWNS)
    return f" {name} lives in {town}.", f"\n\nQuestion: In which town does {name} live?\nAnswer: {name} lives in", town, False


WORDINGS = {"pass key, as eval asks": pass_key, "line break before the question": line_break, "in a chat": chat,
            "a thing's number": number_of_a_thing, "a person's town": home_town}


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=3600) as answer:
        return json.load(answer)


def prose(path):
    """All sentences of the file, as one list."""
    texts = (json.loads(line)["text"] for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines() if line.strip())
    return [s for text in texts for s in re.split(r"(?<=[.?!])\s+", " ".join(text.split())) if 20 < len(s) < 300]


def make_item(url, wording, length, number, sentences):
    draw = random.Random(f"{wording} {length} {number}")
    fact, question, key, in_chat = WORDINGS[wording](draw)
    start, text = draw.randrange(len(sentences) - 4000), []
    tokens = 0
    while tokens < length:  # five tokens for a word and a half: counted by the server in the end
        text.append(sentences[start + len(text)])
        tokens += len(text[-1]) / 4.4
    place = round((0.05 + 0.9 * (number + 0.5) / ITEMS) * len(text))
    body = " ".join(text[:place]) + fact + " " + " ".join(text[place:]) + question
    return body, key, in_chat


def ask(url, wording, length, number, sentences):
    body, key, in_chat = make_item(url, wording, length, number, sentences)
    fields = {"max_tokens": 16, "temperature": 0}
    if in_chat:
        answer = post(url + "/v1/chat/completions", {"messages": [{"role": "user", "content": body}], **fields})
        text = answer["choices"][0]["message"]["content"]
    else:
        answer = post(url + "/v1/completions", {"prompt": body, **fields})
        text = answer["choices"][0]["text"]
    return {"wording": wording, "length": length, "found": key in text, "tokens": answer["usage"]["prompt_tokens"], "text": text}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--text", required=True)
    parser.add_argument("--lengths", default="1000,2000")
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--json", required=True)
    options = parser.parse_args()
    ITEMS = options.items
    sentences = prose(options.text)
    jobs = [(options.url, wording, int(length), number, sentences)
            for length in options.lengths.split(",") for wording in WORDINGS for number in range(options.items)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda job: ask(*job), jobs))
    pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for length in options.lengths.split(","):
        for wording in WORDINGS:
            found = [row["found"] for row in rows if row["wording"] == wording and row["length"] == int(length)]
            print(f"{length:>6}  {wording:<32} {100 * sum(found) / len(found):3.0f} %  of {len(found)}")
