"""Tokens per second of 64 requests at once whose answers are held to a form, beside the same without one (see forms.sh)."""

import concurrent.futures
import json
import statistics
import sys
import time
import urllib.request

url, rounds = sys.argv[1], int(sys.argv[2])
streams, tokens = 64, 128
# None of them comes to an end within so many tokens: all answers are equally long.
person = {"type": "object", "required": ["name", "age", "tags"],
          "properties": {"name": {"type": "string", "maxLength": 30}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
                         "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1}}}
forms = {
    "none": {"ignore_eos": True},
    "schema": {"guided_json": {"type": "array", "items": person, "minItems": 100}},
    "expression": {"guided_regex": r"([A-Z][a-z]{1,11} [0-9]{4}-[0-9]{2}-[0-9]{2}\n){100}"},
    "grammar": {"guided_grammar": 'root ::= line{100}\nline ::= "- " [^\\n]{20,60} "\\n"'},
}
samplings = {"greedy": {"temperature": 0}, "sampled": {"temperature": 1}, "top_p 0.95": {"temperature": 1, "top_p": 0.95}}


def ask(number, fields):
    body = {"prompt": f"List {number} of people, as it was written down by the office of the town:\n", "max_tokens": tokens, "seed": number, **fields}
    request = urllib.request.Request(url + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        written = json.load(answer)["usage"]["completion_tokens"]
    if written != tokens:
        raise RuntimeError(f"{written} tokens in place of {tokens}: {fields}")


def speed(fields):
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(streams) as clients:
        list(clients.map(lambda number: ask(number, fields), range(streams)))
    return streams * tokens / (time.monotonic() - start)


for fields in forms.values():  # what is found once is found
    speed({**samplings["greedy"], **fields})
print(f"{streams} requests at once, {tokens} tokens each; the median of {rounds} rounds, and of the ratios to the same round without a form\n")
print("| | " + " | ".join(forms) + " |")
print("|---" * (1 + len(forms)) + "|")
for name, sampling in samplings.items():
    speeds = [{form: speed({**sampling, **fields}) for form, fields in forms.items()} for _ in range(rounds)]
    cells = []
    for form in forms:
        median = statistics.median(each[form] for each in speeds)
        ratio = statistics.median(each[form] / each["none"] for each in speeds)
        cells.append(f"{median:.0f}" if form == "none" else f"{median:.0f} ({ratio:.3f})")
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
