"""Drives the live page in headless Chromium through its DevTools protocol, and fails on the first thing that isn't right."""

import asyncio
import base64
import json
import pathlib
import sys

import aiohttp

url, work, served, out = sys.argv[1:]  # served: "plan" or "levels"


class Page:
    """A tab, by the DevTools protocol."""

    def __init__(self, socket):
        self.socket, self.last, self.errors = socket, 0, []

    async def call(self, method, **parameters):
        self.last += 1
        await self.socket.send_json({"id": self.last, "method": method, "params": parameters})
        while True:
            message = json.loads((await self.socket.receive()).data)
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.errors.append(json.dumps(message["params"])[:500])
            if message.get("id") == self.last:
                return message["result"]

    async def value(self, expression):
        return (await self.call("Runtime.evaluate", expression=expression, returnByValue=True))["result"].get("value")

    async def until(self, expression, what, seconds=60):
        for _ in range(seconds * 10):
            if await self.value(expression):
                return
            await asyncio.sleep(0.1)
        sys.exit(f"check_page.py: {what}; errors: {self.errors}")

    async def look(self, width, height, theme):
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        await self.value(f"setTheme('{theme}')")
        wide = await self.value("document.documentElement.scrollWidth")
        if wide > width:
            sys.exit(f"check_page.py: {wide} pixels wide in a window of {width}")
        if out:
            shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
            pathlib.Path(out, f"serve-{width}-{theme}.png").write_bytes(base64.b64decode(shot["data"]))


async def ask(page, words):
    await page.value(f"byId('words').value = {json.dumps(words)}; byId('ask').requestSubmit(); true")
    await page.until("byId('send').disabled", "it doesn't ask")


async def load(session):
    """People who ask at the same time, so that there is something to see."""
    body = {"prompt": "Once upon a time", "max_tokens": 200, "n": 6, "ignore_eos": True}
    async with session.post(url + "/v1/completions", json=body) as answer:
        await answer.read()


async def use(page, session):
    for domain in ("Runtime", "Log", "Page"):
        await page.call(domain + ".enable")
    await page.call("Page.navigate", url=url)
    await page.until("document.documentElement.dataset.readings > 1", "the figures don't come")
    others = asyncio.create_task(load(session))
    await page.value("byId('temperature').value = '0'")
    await ask(page, "What is the capital of France? Answer in one sentence.")
    await page.until("!byId('send').disabled", "the answer doesn't end")
    answer = await page.value("byId('messages').lastChild.textContent")
    if "Paris" not in answer:
        sys.exit(f"check_page.py: the answer: {answer!r}")
    await ask(page, "Count from one to a thousand.")
    await page.until("byId('messages').lastChild.textContent.length > 20", "the second answer doesn't come")
    await page.value("byId('stop').click()")
    await page.until("byId('said').textContent === 'stopped' && !byId('send').disabled", "it doesn't stop")
    await others
    await page.until("/[1-9]/.test(byId('tiles').children[4].textContent)", "no latency is shown")
    if await page.value("byId('levels').hidden") != (served == "plan"):
        sys.exit(f"check_page.py: levels are shown of a server without, or aren't of one that has some: {served}")
    for theme in ("light", "dark"):
        for width, height in ((1280, 900), (390, 844)):
            await page.look(width, height, theme)
    await page.value("byId('clear').click()")
    if page.errors or await page.value("document.documentElement.dataset.errors") != "0":
        sys.exit(f"check_page.py: errors: {page.errors}")
    print(f"page of {served}: answered ({await page.value('byId(`state`).textContent')}), stopped, drawn in two widths and two themes")


async def main():
    chromium = await asyncio.create_subprocess_exec(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
        "--disable-component-update", f"--user-data-dir={work}/profile", "--remote-debugging-port=0", "about:blank",
        stderr=asyncio.subprocess.DEVNULL)
    try:
        port = pathlib.Path(work, "profile", "DevToolsActivePort")
        for _ in range(300):
            if port.exists() and port.read_text().count("\n"):
                break
            await asyncio.sleep(0.1)
        async with aiohttp.ClientSession() as session:
            address = "http://127.0.0.1:" + port.read_text().split("\n")[0]
            async with session.get(address + "/json/list") as answer:
                tab = next(tab for tab in await answer.json() if tab["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                await use(Page(socket), session)
    finally:
        chromium.terminate()
        await chromium.wait()


asyncio.run(main())
