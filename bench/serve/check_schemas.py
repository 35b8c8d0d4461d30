"""Random schemas of most of what docs/structured.md says is supported: what a server writes by them at temperature 1 must be JSON that
the package jsonschema finds valid (see check-schemas.sh)."""

import collections
import concurrent.futures
import json
import random
import sys
import urllib.error
import urllib.request

import jsonschema

url, count, first_seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
FORMATS = ["date", "time", "date-time", "duration", "uuid", "ipv4", "hostname", "email", "uri"]
PATTERNS = ["^[a-f0-9]{2,8}$", "x+[^y]", r"^\d{3}-\d{4}$", r"^(yes|no)\s?!*$", "^[A-Z][a-zäöü]{1,9}( [A-Z][a-z]+)?$", '"quoted"|\\\\']
VALUES = ["red", 're"d', "zu Fuß", 3, -1.5, 2.0, None, True, {"b": [1, {}], "a": ""}, [1, []], "", 10**12, "\u2028\\n"]
NAMES = ["a", "ab", "name", "näme", 'q"uote', "$ref", "type", "a/b~c", ""]


class Maker:
    """A schema by a seed. Within objects and lists a schema may be a part of itself, beside null."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.defs = self.below = self.r.randrange(3)

    def make(self):
        root = self.value(0, False)
        definitions = {}
        for self.below in range(self.defs):
            definitions[f"d/{self.below}"] = self.value(2, False)
        return {**root, "$defs": definitions}

    def some(self, **parts):
        return {name: part for name, part in parts.items() if self.r.random() < 0.5}

    def ref(self, most):
        return {"$ref": f"#/$defs/d~1{self.r.randrange(most)}"} if most else {"type": "boolean"}

    def value(self, depth, within):
        simple = [self.text, self.number, self.given, self.types, lambda: self.ref(self.below), lambda: self.recursion(within)]
        deep = [lambda: self.list(depth), lambda: self.object(depth), lambda: self.object(depth), lambda: self.free(depth),
                lambda: {"anyOf": [self.value(depth + 1, within), self.value(depth + 1, within)]},
                lambda: {"oneOf": [self.value(depth + 1, within) for _ in range(self.r.randrange(1, 4))]},
                lambda: {"oneOf": [{"const": None}, self.text(), self.number(), self.list(depth + 1)]},
                lambda: {"oneOf": [self.tagged(depth, tag) for tag in ("x", 1, False)]},
                lambda: {"allOf": [self.value(depth + 1, within)]}]
        made = self.r.choice(simple if depth > 3 else simple + deep)()
        return {**made, **self.some(title="t", **{"x-note": [1]})} if self.r.random() < 0.1 else made

    def text(self):
        kind = self.r.randrange(3)
        if kind == 0:
            return {"type": "string", **self.some(minLength=self.r.randrange(3), maxLength=3 + self.r.randrange(20))}
        return {"pattern": self.r.choice(PATTERNS), "type": "string"} if kind == 1 else {"type": "string", "format": self.r.choice(FORMATS)}

    def number(self):
        integer, least = self.r.random() < 0.5, self.r.choice([self.r.randrange(-200, 200), self.r.randrange(-(10**9), 10**9)])
        scale = 1 if integer else self.r.choice([1, 0.5, 0.01])
        bounds = {self.r.choice(["minimum", "exclusiveMinimum"]): round(least * scale, 2),
                  self.r.choice(["maximum", "exclusiveMaximum"]): round((least + 2 + self.r.randrange(300)) * scale, 2)}
        return {"type": "integer" if integer else "number", **self.some(**bounds), **(self.some(multipleOf=1) if integer else {})}

    def given(self):
        if self.r.random() < 0.4:
            return {"const": self.r.choice(VALUES)}
        return {"enum": self.r.sample(VALUES, self.r.randrange(1, 5)) + ["rot"], **self.some(type=["string", "array", "number"])}

    def types(self):
        more = {"type": ["boolean", "null", self.r.choice(["integer", "string", "array", "object"])]}
        return {**self.some(minimum=5, maxLength=4, maxProperties=2, **more), "maxItems": 3}

    def recursion(self, within):
        if not within:
            return {"type": "null"}
        return {"anyOf": [{"type": "null"}, {"$ref": "#"} if self.r.random() < 0.5 else self.ref(self.defs)]}

    def list(self, depth):
        first = [self.value(depth + 1, True) for _ in range(self.r.choice([0, 0, 1, 3]))]
        made = {"type": "array", **self.some(minItems=self.r.randrange(3), uniqueItems=False), "maxItems": 3 + self.r.randrange(3)}
        made["items"] = self.value(depth + 1, True)
        if first:
            made.update(prefixItems=first, minItems=self.r.randrange(len(first) + 1))
            made["items"] = self.r.choice([False, made["items"]])
        return made

    def object(self, depth):
        names = self.r.sample(NAMES, self.r.randrange(5))
        required = [name for name in names if self.r.random() < 0.5]
        made = {"type": "object", "properties": {name: self.value(depth + 1, True) for name in names}, "required": required}
        made.update(self.some(minProperties=self.r.randrange(len(required) + 1)))
        more = self.r.randrange(4)
        if more == 0:
            made["additionalProperties"] = self.value(depth + 1, True)
        elif more == 1:
            made.update(additionalProperties=False, maxProperties=len(names) + 1)
        return made

    def tagged(self, depth, tag):
        made = self.object(depth + 1)
        made.pop("maxProperties", None)
        return {**made, "properties": {**made["properties"], "tag": {"const": tag}}, "required": [*made["required"], "tag"]}

    def free(self, depth):
        return {"type": "object", **self.some(minProperties=self.r.randrange(2), maxProperties=1 + self.r.randrange(3),
                                              additionalProperties=self.value(depth + 1, True))}


def answer(seed):
    """What the seed's schema came to, in a word, and what is wrong with it."""
    schema = Maker(seed).make()
    body = {"messages": [{"role": "user", "content": f"Write something as JSON, number {seed}."}], "temperature": 1, "seed": seed, "max_tokens": 500,
            "response_format": {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            choice = json.load(response)["choices"][0]
    except urllib.error.HTTPError as error:
        why = json.load(error)["error"]["message"]
        overlap = "may both fit" in why
        return ("of oneOf that may overlap, refused" if overlap else "refused"), None if overlap else f"{why}\n  {json.dumps(schema)}"
    if choice["finish_reason"] != "stop":
        return "cut short", None
    text = choice["message"]["content"]
    try:
        jsonschema.validate(json.loads(text), schema, jsonschema.Draft202012Validator, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    except (ValueError, jsonschema.ValidationError) as error:
        return "wrong", f"{error}\n  {json.dumps(schema)}\n  {text}"
    return "valid", None


missing = [name for name in FORMATS if name not in jsonschema.Draft202012Validator.FORMAT_CHECKER.checkers]
if missing:
    sys.exit(f"jsonschema doesn't check the formats {missing}: install jsonschema[format-nongpl]")
counts = collections.Counter()
with concurrent.futures.ThreadPoolExecutor(16) as clients:
    for seed, (word, wrong) in zip(range(first_seed, first_seed + count), clients.map(answer, range(first_seed, first_seed + count))):
        counts[word] += 1
        if wrong:
            print(f"schema {seed}: {word}: {wrong}")
print(", ".join(f"{number} {word}" for word, number in counts.most_common()))
sys.exit(1 if counts["wrong"] or counts["refused"] or counts["valid"] < count / 2 else 0)
