#!/usr/bin/env python3
"""Renders chat templates by Jinja itself, in the environment that Hugging Face's apply_chat_template makes.

  bench/chat/goldens.py                    makes src/text/testdata/chat/goldens.json again, from the *.jinja beside it, and
                                           snippet_goldens.json from snippets.json
  bench/chat/goldens.py FOLDER OUTPUT      the same for other templates; chat_template_test reads such a file when
                                           LAYERBOOST_CHAT_GOLDENS names it

Needs python3-jinja2 (3.1).
"""

import datetime
import functools
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent.parent / "src" / "text" / "testdata" / "chat"
NOW = 1700000000  # 14 November 2023, 22:13:20 UTC
# Told by reading the templates: what forms_of() says, of all those here that go through parts.
FORMS = {
    "GLM-4.6.jinja": {None: None, "tool": "text"},  # a result's parts are printed as mappings
    "Kimi-K2.jinja": {None: None},
    "Mistral-Small-3.2.jinja": {None: None, "tool": "text"},  # a result's parts are printed as a list
}


class Generation(jinja2.ext.Extension):
    """{% generation %}: its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(pattern):
        return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).strftime(pattern)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    return env


def reads_parts(source):
    """Whether a template goes through the parts of a message's content: a loop over it, or over a variable that holds
    it; reads_content_parts() of src/text/content_parts.h knows more ways, which these templates don't have."""
    nodes = jinja2.nodes
    tree = environment().parse(source)
    holders = {"content"}

    def holds(node):
        if isinstance(node, nodes.Name):
            return node.name in holders
        if isinstance(node, nodes.Getattr):
            return node.attr == "content"
        if isinstance(node, nodes.Getitem):
            return isinstance(node.arg, nodes.Const) and node.arg.value == "content"
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr == "get":
            return bool(node.args) and isinstance(node.args[0], nodes.Const) and node.args[0].value == "content"
        return False

    for assignment in tree.find_all(nodes.Assign):
        if isinstance(assignment.target, nodes.Name) and holds(assignment.node):
            holders.add(assignment.target.name)
    return any(holds(loop.iter) for loop in tree.find_all(nodes.For))


@functools.cache
def forms_of(source, bos, eos):
    """What find_content_forms() of src/text/content_forms.h should find: for roles "text" or "parts", where the template
    doesn't take both; None stands for other roles. By hand for the templates here, so that goldens show a wrong rule; by
    that rule for others, which may be many."""
    known = {(DATA / name).read_text(): forms for name, forms in FORMS.items()}
    if source in known:
        return known[source]
    if not reads_parts(source):
        return {None: "text"}
    word = "thewordthatissought"
    unknown = "thememberthatnobodyknows"
    part = lambda text: [{"type": "text", "text": text, unknown: True}]
    parameters = {"type": "object", "properties": {"a": {"type": "string", "description": "text"}}, "required": ["a"]}
    function = {"name": "f", "description": "text", "parameters": parameters}
    forms = {}

    def shown(role, content):
        other = lambda of: part("text") if forms.get(of) == "parts" else "text"
        user, message = {"role": "user", "content": other("user")}, {"role": role, "content": content}
        call = {"id": "call00000", "type": "function", "function": {"name": "f", "arguments": {}}}
        calling = {"role": "assistant", "content": other("assistant"), "tool_calls": [call]}
        messages = {
            "user": [message],
            "assistant": [user, message, user],
            "tool": [user, calling, {**message, "tool_call_id": "call00000", "name": "f"}],
        }.get(role, [message, user])
        tools = {"tools": [{"type": "function", "function": function}]} if role == "tool" else {}
        return rendered(source, messages, tools, bos, eos)[0] or ""

    for role in ("user", "system", "developer", "assistant", "tool"):
        parts = shown(role, part(word))
        taken = (word in shown(role, word), word in parts and unknown not in parts)
        forms[role] = {(True, False): "text", (False, True): "parts"}.get(taken)
    forms[None] = forms["user"]  # that of other roles
    return forms


def prepared(messages, source, bos, eos):
    """What messages_for_template() of src/text/chat_messages.h does."""
    messages = json.loads(json.dumps(messages))
    try:
        forms = forms_of(source, bos, eos)
    except jinja2.TemplateError:
        forms = {None: "text"}  # which Jinja refuses in any case
    for message in messages:
        form = forms.get(message["role"], forms[None])
        content = message.get("content")
        if isinstance(content, list) and form == "text":
            message["content"] = "\n".join(part["text"] for part in content)
        elif "content" in message and not isinstance(content, list) and form == "parts":
            message["content"] = [] if content is None else [{"type": "text", "text": content}]
        for call in message.get("tool_calls", []):
            if isinstance(call["function"]["arguments"], str):
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        if "reasoning_content" in message:
            message["thinking"] = message["reasoning_content"]
    return messages


def rendered(source, messages, conversation, bos, eos):
    """The text, or None and why there is none."""
    variables = {
        "bos_token": bos,
        "eos_token": eos,
        "messages": messages,
        "tools": conversation.get("tools"),
        "documents": None,
        "add_generation_prompt": conversation.get("add_generation_prompt", True),
        **conversation.get("variables", {}),
    }
    try:
        return environment().from_string(source).render(**variables), None
    except Exception as error:  # the template's own refusals, and what Python makes of its mistakes
        return None, f"{type(error).__name__}: {error}"


def render(source, conversation, bos, eos):
    return rendered(source, prepared(conversation["messages"], source, bos, eos), conversation, bos, eos)


def write_snippets():
    goldens = []
    for source in json.loads((DATA / "snippets.json").read_text()):
        text, why = render(source, {"messages": []}, "<s>", "</s>")
        goldens.append([source, text if why is None else {"refused": why}])
    (DATA / "snippet_goldens.json").write_text(json.dumps(goldens, ensure_ascii=False, indent=1) + "\n")


def main():
    folder, output = DATA, DATA / "goldens.json"
    if len(sys.argv) == 3:
        folder, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    elif len(sys.argv) != 1:
        sys.exit(__doc__)
    if folder == DATA:
        write_snippets()
        read = {path.name for path in folder.glob("*.jinja") if reads_parts(path.read_text())}
        assert read == FORMS.keys(), f"FORMS should have {sorted(read)}"
    conversations = json.loads((DATA / "conversations.json").read_text())
    tokens = json.loads((DATA / "tokens.json").read_text())
    templates = []
    for path in sorted(folder.glob("*.jinja")):
        bos, eos = tokens.get(path.stem, ["<s>", "</s>"])
        texts = {}
        for name, conversation in conversations.items():
            text, why = render(path.read_text(), conversation, bos, eos)
            texts[name] = text if why is None else {"refused": why}
        templates.append({"template": str(path) if folder != DATA else path.name, "bos": bos, "eos": eos, "texts": texts})
    output.write_text(json.dumps({"now": NOW, "templates": templates}, ensure_ascii=False, indent=1) + "\n")
    refused = sum(isinstance(text, dict) for one in templates for text in one["texts"].values())
    print(f"{len(templates)} templates, {len(conversations)} conversations each, {refused} refused")


if __name__ == "__main__":
    main()
