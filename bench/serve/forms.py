"""What 64 requests at once lose by answers that are held to a form, beside the same without one (see forms.sh)."""

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


def seconds_in_steps():
    """Of the server so far: in all phases of a step, and in those that forms are a part of."""
    phases = {}
    with urllib.request.urlopen(url + "/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("layerboost_step_seconds_total{"):
                label, value = line.split("} ")
                phases[label.split('"')[1]] = float(value)
    return sum(phases.values()), sum(phases[phase] for phase in ("schedule", "sampling", "output"))


def measure(fields):
    """Tokens per second; of each token, the seconds of steps, and those that went into choosing it and handing it out."""
    start, before = time.monotonic(), seconds_in_steps()
    with concurrent.futures.ThreadPoolExecutor(streams) as clients:
        list(clients.map(lambda number: ask(number, fields), range(streams)))
    seconds, after = time.monotonic() - start, seconds_in_steps()
    count = streams * tokens
    return count / seconds, *((end - begin) / count for begin, end in zip(before, after))


for fields in forms.values():  # what is found once is found
    measure({**samplings["greedy"], **fields})
print(f"{streams} requests at once, {tokens} tokens each, medians of {rounds} rounds: tokens per second; in brackets, their ratio to the mean of the runs\n"
      "without a form just before and just after, and what more a token takes to be scheduled, chosen and handed out, as a share of a whole step\n")
print("| | " + " | ".join(forms) + " |")
print("|---" * (1 + len(forms)) + "|")
for name, sampling in samplings.items():
    speeds, ratios, costs = ({form: [] for form in forms} for _ in range(3))
    before = measure({**sampling, **forms["none"]})
    for form in [form for form in forms if form != "none"] * rounds:
        own = measure({**sampling, **forms[form]})
        after = measure({**sampling, **forms["none"]})
        speed, step, choosing = ((a + b) / 2 for a, b in zip(before, after))
        speeds[form].append(own[0])
        speeds["none"].append(after[0])
        ratios[form].append(own[0] / speed)
        costs[form].append((own[2] - choosing) / step)
        before = after
    cells = [f"{statistics.median(speeds[form]):.0f}" for form in forms]
    for i, form in enumerate(forms):
        if form != "none":
            cells[i] += f" ({statistics.median(ratios[form]):.3f}, {statistics.median(costs[form]):+.1%})"
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
