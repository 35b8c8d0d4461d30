#!/usr/bin/env python3
"""Renders conversations whose last message is to be continued by transformers' apply_chat_template(continue_final_message=True).

  bench/chat/continued.py    makes src/text/testdata/chat/continued_goldens.json again, from the *.jinja beside it

Needs transformers (5.24).
"""

import datetime
import json

from transformers.utils import chat_template_utils

from goldens import DATA, NOW, prepared


def begun(text, question="Who are you?"):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": text}]


CONVERSATIONS = {
    "answer": begun("I am"),
    "after a system message": [{"role": "system", "content": "Be brief."}, *begun("I am")],
    "white space at its ends": begun("\n  I am \n\n"),
    "empty": begun(""),
    "the same text before": begun("I am", "Go on: I am"),
    "parts": begun([{"type": "text", "text": "I am"}, {"type": "text", "text": "one, "}]),
    "thought": begun("<think>\nHm.\n</think>\n\nI am"),
    "question": [{"role": "user", "content": "Who are"}],
}


class Then(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, tz or datetime.timezone.utc)


def render(source, messages, bos, eos):
    try:
        texts, _ = chat_template_utils.render_jinja_template(
            [prepared(messages, source, bos, eos)], chat_template=source, continue_final_message=True, bos_token=bos, eos_token=eos)
        return texts[0]
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {str(error)[:60]}"}


def main():
    chat_template_utils.datetime = Then
    tokens = json.loads((DATA / "tokens.json").read_text())
    templates = []
    for path in sorted(DATA.glob("*.jinja")):
        bos, eos = tokens.get(path.stem, ["<s>", "</s>"])
        texts = {name: render(path.read_text(), messages, bos, eos) for name, messages in CONVERSATIONS.items()}
        templates.append({"template": path.name, "bos": bos, "eos": eos, "texts": texts})
    goldens = {"now": NOW, "conversations": CONVERSATIONS, "templates": templates}
    (DATA / "continued_goldens.json").write_text(json.dumps(goldens, ensure_ascii=False, indent=1) + "\n")
    refused = [(one["template"], name, text["refused"]) for one in templates for name, text in one["texts"].items() if isinstance(text, dict)]
    print(f"{len(templates)} templates, {len(CONVERSATIONS)} conversations each, {len(refused)} refused")


if __name__ == "__main__":
    main()
