"""Asks a server in every way at once for a while; see soak.sh."""

import asyncio
import json
import random
import sys
import time

import aiohttp

url, seconds, flags = sys.argv[1], float(sys.argv[2]), sys.argv[3:]  # the server's flags
host, port = url.removeprefix("http://").split(":")
rng = random.Random(1)
words = "the quick brown fox jumps over a lazy dog while seven wizards count their golden coins under an old stone bridge".split()
counts = {"answered": 0, "at a level": 0, "left": 0, "full": 0, "burst": 0, "malformed": 0}
failures = []
margins = []  # of texts that differ from those when alone
WAVE = 5  # seconds
PINNED = 7  # the level that some ask for beside level 0, or the highest
NEAR_TIE = 0.05  # nats, or more where twice the rounding is: batches and cached prefixes round differently, which decides between tokens this close


def request(rng):
    length = rng.choice([3, 20, 100, 300])  # words; the last is long enough for the prefix cache
    return {"prompt": " ".join(rng.choices(words, k=length)), "temperature": 0, "ignore_eos": True,
            "max_tokens": rng.choice([4, 16, 64, 300] if length < 300 else [4, 16])}


def fail(what):
    failures.append(what)
    print("soak.py:", what, file=sys.stderr)


class Alone:
    """A request's answer when nothing else was asked, and by how much each of its tokens was chosen."""

    def __init__(self, choice):
        self.text = choice["text"]
        self.tokens = choice["logprobs"]["tokens"]
        self.offsets = choice["logprobs"]["text_offset"]
        self.margins = [likely[0] - likely[1] for likely in (sorted(top.values(), reverse=True) for top in choice["logprobs"]["top_logprobs"])]

    def margin(self, other):
        """How much more likely its own token was than the next, at the token where `other` goes another way."""
        same = next((i for i, (a, b) in enumerate(zip(self.text, other)) if a != b), min(len(self.text), len(other)))
        return self.margins[sum(offset <= same for offset in self.offsets) - 1]

    def rounding(self, other):
        """By how much a lead of less than a nat differs at most in `other`, the same request's answer in a batch."""
        same = next((i for i, pair in enumerate(zip(self.tokens, other.tokens)) if pair[0] != pair[1]), len(self.tokens))
        return max((abs(a - b) for a, b in zip(self.margins[:same], other.margins[:same]) if a < 1), default=0)


async def complete(session, body):
    """The answer's choice, and "level" beside it, the level that it ended with; None: the queue was full."""
    async with session.post(url + "/v1/completions", json=body) as answer:
        if answer.status == 429:
            await asyncio.sleep(min(int(answer.headers["Retry-After"]), 2))
            return None
        if answer.status != 200:
            fail(f"status {answer.status}: {await answer.text()}")
            return None
        answered = await answer.json()
        return answered["choices"][0] | {"level": answered["usage"].get("layerboost", {}).get("level", 0)}


class Tide:
    """Now many come, now few, so that levels rise and fall: few until the server, however slow, is back at level 0."""

    low = False

    @classmethod
    async def turn(cls, session, end):
        while time.monotonic() < end:
            cls.low = False
            await asyncio.sleep(WAVE)
            cls.low = True
            turned = time.monotonic()
            while time.monotonic() < min(end, turned + 6 * WAVE):
                await asyncio.sleep(0.2)
                if time.monotonic() > turned + WAVE and not await metric(session, "layerboost_level"):
                    break

    @classmethod
    async def is_low(cls):
        if cls.low:
            await asyncio.sleep(0.2)
        return cls.low


async def compare(session, known, end, steady):
    if steady:  # long texts, begun while few come, which fit together at level 0: what the server folds when many do
        longest = max(body["max_tokens"] for body, _ in known)
        known = [(body, alone) for body, alone in known if body["max_tokens"] == longest and "layerboost" not in body]
    while time.monotonic() < end:
        if not steady and await Tide.is_low():
            continue
        body, alone = rng.choice(known)
        try:  # who still waits at the end leaves: a full queue would take minutes to empty
            choice = await asyncio.wait_for(complete(session, body), end + 5 - time.monotonic())
        except asyncio.TimeoutError:
            counts["left"] += 1
            return
        counts["full" if choice is None else "answered"] += 1
        if choice is not None and choice["level"] > 0 and "layerboost" not in body:  # it has given way, and may be another text
            counts["at a level"] += 1
        elif choice is not None and choice["text"] != alone.text:
            margins.append(alone.margin(choice["text"]))


async def leave(session, end):
    while time.monotonic() < end:
        if await Tide.is_low():
            continue
        body = request(rng) | {"stream": rng.random() < 0.5, "n": rng.choice([1, 3])}
        try:
            await asyncio.wait_for(complete(session, body), rng.uniform(0.01, 2))
        except (asyncio.TimeoutError, aiohttp.ContentTypeError):
            counts["left"] += 1


async def burst(end):
    while time.monotonic() < end:
        async def one():
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            if b" 200 " not in await asyncio.wait_for(reader.readline(), 20):
                fail("no 200 in a burst")
            writer.close()
        for outcome in await asyncio.gather(*(one() for _ in range(500)), return_exceptions=True):
            if outcome is not None:
                fail(f"burst: {outcome!r}")
        counts["burst"] += 1
        await asyncio.sleep(3)


async def malformed(end):
    good = json.dumps(request(rng)).encode()
    while time.monotonic() < end:
        body = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        head = f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        raw = bytearray(head + body)
        if rng.random() < 0.5:
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(bytes(raw[:rng.choice([len(raw), rng.randrange(len(raw))])]))
        try:
            await asyncio.wait_for(reader.read(100), 0.5)
        except (asyncio.TimeoutError, ConnectionError):
            pass
        writer.close()
        counts["malformed"] += 1


async def health(session, end, slowest):
    while time.monotonic() < end:
        start = time.monotonic()
        async with session.get(url + "/health") as answer:
            await answer.read()
        slowest.append(time.monotonic() - start)
        await asyncio.sleep(0.1)


async def metric(session, name):
    async with session.get(url + "/metrics") as answer:
        return next((float(line.split()[-1]) for line in (await answer.text()).split("\n") if line.startswith(name + " ")), None)


async def served_levels(session):
    """The highest level, 0 without any, and whether the server gives them by load."""
    async with session.get(url + "/v1/models") as answer:
        model = (await answer.json())["data"][0]
    return len(model.get("levels", [None])) - 1, model.get("level_mode") == "auto"


async def main():
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        levels, automatic = await served_levels(session)
        known = []
        for _ in range(12):
            body = request(rng)
            for asked in [{"layerboost": {"level": level}} for level in (0, min(PINNED, levels))] if levels else [{}]:  # these stay there, and can be compared
                known.append((body | asked, Alone(await complete(session, body | asked | {"logprobs": 2}))))
        together = await asyncio.gather(*(complete(session, body | {"logprobs": 2}) for body, _ in known))
        pairs = [(alone, Alone(choice)) for (_, alone), choice in zip(known, together) if choice is not None]
        rounding = max((alone.rounding(other) for alone, other in pairs), default=0)
        margins.extend(alone.margin(other.text) for alone, other in pairs if other.text != alone.text)
        near_tie = max(NEAR_TIE, 2 * rounding)
        if near_tie > 10 * NEAR_TIE:
            fail(f"a batch moves the lead of a token by {rounding:.3f} nats")
        waits, resident = [], []

        async def watch(end):
            while time.monotonic() < end:
                resident.append(await metric(session, "process_resident_memory_bytes"))
                await asyncio.sleep(seconds / 30)
        if levels:  # those that ask for no level, and end at 0, are as alone, too
            known += [({key: value for key, value in body.items() if key != "layerboost"}, alone) for body, alone in known
                      if body["layerboost"]["level"] == 0]
        for _ in range(4):  # a slow machine writes little in the time: on until a text was pre-empted, or folded
            end = time.monotonic() + seconds
            await asyncio.gather(*(compare(session, known, end, steady=i < 4) for i in range(40)), *(leave(session, end) for _ in range(20)), burst(end),
                                 malformed(end), malformed(end), health(session, end, waits), watch(end), Tide.turn(session, end))
            preempted = await metric(session, "layerboost_preemptions_total")
            folds = await metric(session, "layerboost_folds_total")
            if folds and await metric(session, 'layerboost_level_changes_total{cause="idle"}') if automatic else preempted:
                break
        hits, prefixes = await metric(session, "layerboost_prefix_hit_tokens_total"), await metric(session, "layerboost_folded_prefixes_total")
        rises, falls = [await metric(session, f'layerboost_level_changes_total{{cause="{cause}"}}') for cause in ("memory", "idle")]
        for _ in range(200):  # what was left behind is freed
            if await metric(session, "layerboost_requests_running") == await metric(session, "layerboost_requests_waiting") == 0:
                break
            await asyncio.sleep(0.1)
        else:
            fail("texts are still being written for nobody")
        half = resident[len(resident) // 2]
        growth = resident[-1] / half - 1
        if growth > 0.03:
            fail(f"resident memory grew by {growth:.1%} in the second half: {half / 2**20:.0f} to {resident[-1] / 2**20:.0f} MiB")
        waits.sort()
        of_levels = f", {folds:.0f} folds, {prefixes:.0f} of prefixes, level {rises:.0f} times up and {falls:.0f} down" if levels else ""
        print(f"{counts}, {preempted:.0f} pre-emptions, {hits:.0f} tokens found in the prefix cache{of_levels}; {len(margins)} of {counts['answered']} texts differ from "
              f"those when alone, at tokens at most {max(margins, default=0):.4f} nats ahead of the next ({near_tie:.3f} is a tie); /health: median "
              f"{1000 * waits[len(waits) // 2]:.0f} ms, slowest {1000 * waits[-1]:.0f} ms; memory {resident[0] / 2**20:.0f}, {half / 2**20:.0f}, {resident[-1] / 2**20:.0f} MiB")
        if counts["answered"] == counts["at a level"]:
            fail("nothing was answered that can be compared")
        if max(margins, default=0) > near_tie:
            fail(f"a text went another way where its own token was {max(margins):.3f} nats ahead of the next")
        if automatic and not (folds and rises and falls):
            fail("levels didn't rise and fall, with folds: give serve less --memory, or a shorter --cooldown")
        if hits == 0 and "--no-prefix-cache" not in flags:
            fail("no prefix was found in the cache")
        if preempted == 0 and not automatic:
            fail("no text was pre-empted: give serve less --memory")
        if waits[-1] > 5:
            fail("/health took more than 5 s")
    sys.exit(1 if failures else 0)


asyncio.run(main())
