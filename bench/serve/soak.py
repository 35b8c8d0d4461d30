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
margins = []  # of texts beside those when alone; None: they don't differ
WAVE = 5  # seconds
PINNED = 7  # the level that some ask for beside level 0, or the highest
NEAR_TIE = 0.05  # nats, or more where twice the rounding is: batches and cached prefixes round differently, which decides between tokens this close


KINDS = [(words, tokens) for words in (3, 20, 100) for tokens in (4, 16, 64, 300)] + [(300, 4), (300, 16)]  # the last are long enough for the prefix cache


def request(rng, kind=None):
    length, tokens = kind or rng.choice(KINDS)
    return {"prompt": " ".join(rng.choices(words, k=length)), "temperature": 0, "ignore_eos": True, "max_tokens": tokens, "logprobs": 2}


def fail(what):
    failures.append(what)
    print("soak.py:", what, file=sys.stderr)


class Alone:
    """A request's answer when nothing else was asked, and by how much each of its tokens was chosen."""

    def __init__(self, choice):
        self.tokens = choice["logprobs"]["tokens"]
        self.margins = [likely[0] - likely[1] for likely in (sorted(top.values(), reverse=True) for top in choice["logprobs"]["top_logprobs"])]

    def same(self, other):
        """How many of its tokens the other answer, of the same request, begins with."""
        return next((i for i, pair in enumerate(zip(self.tokens, other.tokens)) if pair[0] != pair[1]), len(self.tokens))

    def margin(self, other):
        """How much more likely its own token was than the next where `other` goes another way; None: it doesn't."""
        return self.margins[self.same(other)] if self.tokens != other.tokens else None

    def rounding(self, other):
        """By how much a lead of less than a nat differs at most in `other`, the same request's answer in a batch."""
        same = self.same(other)
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
    """Where levels are given by load, now many come, now few: few until the server, however slow, is back at level 0."""

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
    if steady:  # long texts, whatever the tide: what grows out of memory, or, begun while few come, what the server folds when many do
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
        elif choice is not None:
            margins.append(alone.margin(Alone(choice)))


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
        for kind in KINDS:
            body = request(rng, kind)
            for asked in [{"layerboost": {"level": level}} for level in (0, min(PINNED, levels))] if levels else [{}]:  # these stay there, and can be compared
                known.append((body | asked, Alone(await complete(session, body | asked))))
        again = known[-1:]  # its long prompt is in the prefix cache
        asked = again + known
        choices = [await complete(session, body) for body, _ in again]
        choices += await asyncio.gather(*(complete(session, body) for body, _ in known))
        pairs = [(alone, Alone(choice)) for (_, alone), choice in zip(asked, choices) if choice is not None]
        rounding = max((alone.rounding(other) for alone, other in pairs), default=0)
        margins.extend(alone.margin(other) for alone, other in pairs)
        near_tie = max(NEAR_TIE, 2 * rounding)
        if near_tie > 10 * NEAR_TIE:
            fail(f"a batch moves the lead of a token by {rounding:.3f} nats")
        waits, resident = [], []
        uncached = "--no-prefix-cache" in flags
        steady = 4 if automatic else 8  # four fit together at level 0, which eight never do

        async def watch(end):
            while time.monotonic() < end:
                resident.append(await metric(session, "process_resident_memory_bytes"))
                await asyncio.sleep(seconds / 30)
        if levels:  # those that ask for no level, and end at 0, are as alone, too
            known += [({key: value for key, value in body.items() if key != "layerboost"}, alone) for body, alone in known
                      if body["layerboost"]["level"] == 0]
        for _ in range(4):  # a slow machine writes little in the time: on until all that is asked for below has happened
            end = time.monotonic() + seconds
            await asyncio.gather(*(compare(session, known, end, steady=i < steady) for i in range(40)), *(leave(session, end) for _ in range(20)), burst(end),
                                 malformed(end), malformed(end), health(session, end, waits), watch(end), *([Tide.turn(session, end)] if automatic else []))
            preempted = await metric(session, "layerboost_preemptions_total")
            folds = await metric(session, "layerboost_folds_total")
            hits = await metric(session, "layerboost_prefix_hit_tokens_total")
            if (hits or uncached) and (folds and await metric(session, 'layerboost_level_changes_total{cause="idle"}') if automatic else preempted):
                break
        prefixes = await metric(session, "layerboost_folded_prefixes_total")
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
        differ = [margin for margin in margins if margin is not None]
        of_levels = f", {folds:.0f} folds, {prefixes:.0f} of prefixes, level {rises:.0f} times up and {falls:.0f} down" if levels else ""
        print(f"{counts}, {preempted:.0f} pre-emptions, {hits:.0f} tokens found in the prefix cache{of_levels}; {len(differ)} of {len(margins)} texts differ from "
              f"those when alone, at tokens at most {max(differ, default=0):.4f} nats ahead of the next ({near_tie:.3f} is a tie); /health: median "
              f"{1000 * waits[len(waits) // 2]:.0f} ms, slowest {1000 * waits[-1]:.0f} ms; memory {resident[0] / 2**20:.0f}, {half / 2**20:.0f}, {resident[-1] / 2**20:.0f} MiB")
        if counts["answered"] == counts["at a level"]:
            fail("nothing was answered that can be compared")
        if max(differ, default=0) > near_tie:
            fail(f"a text went another way where its own token was {max(differ):.3f} nats ahead of the next")
        if automatic and not (folds and rises and falls):
            fail("levels didn't rise and fall, with folds: give serve less --memory, or a shorter --cooldown")
        if not hits and not uncached:
            fail("no prefix was found in the cache")
        if preempted == 0 and not automatic:
            fail("no text was pre-empted: give serve less --memory")
        if waits[-1] > 5:
            fail("/health took more than 5 s")
    sys.exit(1 if failures else 0)


asyncio.run(main())
