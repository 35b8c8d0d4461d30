#!/usr/bin/env python3
"""Draws docs/benchmarks.svg and docs/results.svg from the tables of docs/benchmarks.md and docs/results.md.

    figures.py [--check]      --check: only says whether the figures are those of the tables

Every number in a figure is read from a table, so change the table and run this again. The background is opaque: the figures
look the same on a light and on a dark page.
"""

import html
import math
import pathlib
import re
import sys

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
PAPER, INK, SOFT, GRID = "#fbfaf7", "#1d2126", "#5d6470", "#e2dfd8"
BLUE, AMBER, GREY, RED, GREEN = "#2a5899", "#b3730a", "#7a7f87", "#a93626", "#2c7a4b"


def table(page, heading):
    """{first cell: {column: cell}} of the first table below a heading."""
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if re.fullmatch(rf"#+ {re.escape(heading)}", line))
    first = next(i for i in range(start, len(lines)) if lines[i].startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    columns, _, *body = rows
    return {cells[0]: dict(zip(columns, cells)) for cells in body}


def number(cell):
    """The first number of a cell such as "13.7 ± 0.2"."""
    return float(re.match(r"[-+]?[\d,.]+", cell)[0].replace(",", ""))


class Drawing:
    def __init__(self, width, height, title, description):
        self.lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"',
            '  font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, DejaVu Sans, sans-serif" font-size="13">',
            f"<title>{html.escape(title)}</title>",
            f"<desc>{html.escape(description)}</desc>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
        ]

    def text(self, x, y, text, color=INK, anchor="start", size=13, weight="normal", turn=0):
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        self.lines.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}" font-size="{size}"'
                          f' font-weight="{weight}"{turned}>{html.escape(text)}</text>')

    def line(self, points, color, width=2.0, dash=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.lines.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"{dashed}/>')

    def dot(self, x, y, color, filled=True, radius=4.0):
        fill = color if filled else PAPER
        self.lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="{color}" stroke-width="2"/>')

    def finish(self):
        return "\n".join(self.lines + ["</svg>"]) + "\n"


class Panel:
    """A plot's rectangle and scales: x is linear or log2, y is linear."""

    def __init__(self, drawing, box, xs, ys, log2=False):
        self.drawing, self.box, self.log2 = drawing, box, log2
        self.xs, self.ys = [self.scale(x) for x in xs], ys

    def scale(self, x):
        return math.log2(x) if self.log2 else x

    def x(self, value):
        left, _, width, _ = self.box
        return left + width * (self.scale(value) - self.xs[0]) / (self.xs[1] - self.xs[0])

    def y(self, value):
        _, top, _, height = self.box
        return top + height * (self.ys[1] - value) / (self.ys[1] - self.ys[0])

    def frame(self, title, x_label, y_label, x_ticks, y_ticks, unit=""):
        left, top, width, height = self.box
        self.drawing.text(left, top - 16, title, size=14, weight="600")
        for tick in y_ticks:
            self.drawing.line([(left, self.y(tick)), (left + width, self.y(tick))], GRID, 1)
            self.drawing.text(left - 8, self.y(tick) + 4.5, f"{tick}{unit}", SOFT, "end", 12)
        for tick in x_ticks:
            self.drawing.line([(self.x(tick), top + height), (self.x(tick), top + height + 5)], SOFT, 1)
            self.drawing.text(self.x(tick), top + height + 20, str(tick), SOFT, "middle", 12)
        self.drawing.line([(left, top + height), (left + width, top + height)], SOFT, 1)
        self.drawing.text(left + width / 2, top + height + 42, x_label, SOFT, "middle")
        self.drawing.text(left - 48, top + height / 2, y_label, SOFT, "middle", turn=-90)


def apart(positions, gap):
    """The same positions, in order, each moved down as far as it is closer than the gap to the one before."""
    moved = []
    for position in positions:
        moved.append(max(position, moved[-1] + gap) if moved else position)
    return moved


SERIES = [  # column of the table, what it is, colour, width, dashes
    ("kv8+std", "layerboost int8, plan", AMBER, 3, ""),
    ("kv8", "layerboost int8", AMBER, 1.5, ""),
    ("bf16+std", "layerboost BF16, plan", BLUE, 3, ""),
    ("bf16", "layerboost BF16", BLUE, 1.5, ""),
    ("OV int8", "OpenVINO GenAI int8", AMBER, 2, "5 4"),
    ("L BF16", "llama.cpp BF16", BLUE, 2, "5 4"),
]


def benchmarks():
    decode = table("benchmarks.md", "Decode")
    drawing = Drawing(1060, 440, "Decoding speed of the default model over sequences at once",
                      "Tokens per second of layerboost, unchanged and with the standard plan, llama.cpp and OpenVINO GenAI.")
    for left, context, top_speed, step in ((84, 1024, 2500, 500), (614, 4096, 1400, 200)):
        counts = [int(name.split(" × ")[0]) for name in decode if name.endswith(f" × {context}")]
        panel = Panel(drawing, (left, 56, 220, 310), (1, counts[-1]), (0, top_speed), log2=True)
        panel.frame(f"{context} tokens of context", "sequences at once", "decoding, tokens/s", counts, range(0, top_speed + 1, step))
        labels = []
        for column, name, color, width, dash in SERIES:
            speeds = [number(decode[f"{count} × {context}"][column]) for count in counts]
            points = [(panel.x(count), panel.y(speed)) for count, speed in zip(counts, speeds)]
            drawing.line(points, color, width, dash)
            for x, y in points:
                drawing.dot(x, y, color, not dash, 2.5)
            labels.append((points[-1][1], f"{name}: {speeds[-1]:.0f}", color))
        labels.sort()
        for (end, text, color), y in zip(labels, apart([label[0] for label in labels], 17)):
            drawing.line([(left + 224, end), (left + 236, y)], color, 1)
            drawing.text(left + 240, y + 4.5, text, color)
    drawing.text(84, 428, "int8: weights and caches. Plan: the standard plan, 30 % of the KV memory. Two cores of a Zen 5.", SOFT, size=12)
    return drawing.finish()


BESIDE, ABOVE, BELOW = (10, 4.5, "start"), (0, -12, "middle"), (0, 24, "middle")  # a label from its point
PLANS = [  # name, its section, colour, where its labels stand in the two panels
    ("bold", "The bold plan, healed on 1.5 M tokens: the five sets in full", BLUE, BESIDE, BESIDE),
    ("standard", "The standard plan, healed on 1.0 M tokens: the five sets in full", GREEN, (10, -14, "start"), BELOW),
    ("paper", "The paper's split, healed on 1.5 M tokens: the five sets in full", RED, BESIDE, ABOVE),
    ("mild", "The mild plan, healed on 0.5 M tokens: the five sets in full", AMBER, ABOVE, ABOVE),
]


def results():
    drawing = Drawing(1000, 440, "What plans cost the default model over the KV memory that they keep",
                      "Perplexity of a textbook and passkeys found, of four plans, before and after healing.")
    losses = Panel(drawing, (84, 56, 370, 310), (0, 100), (0, 25))
    losses.frame("Perplexity of a textbook, above the unchanged model's", "KV memory kept at 2048 tokens, %", "perplexity added, %", range(0, 101, 20),
                 range(0, 26, 5))
    found = Panel(drawing, (584, 56, 370, 310), (0, 100), (0, 110))
    found.frame("Passkeys at 2048 tokens that are found", "KV memory kept at 2048 tokens, %", "found, %", range(0, 101, 20), range(0, 101, 20))
    for name, section, color, loss_label, found_label in PLANS:
        rows = table("results.md", section)
        kept = number(rows["KV memory at 2048"][name])
        base = number(rows["perplexity"]["base"])
        before, after = (100 * (number(rows["perplexity"][column]) / base - 1) for column in (name, f"{name}, healed"))
        draw_pair(losses, kept, before, after, name, color, loss_label, signed)
        before, after = (number(rows["passkey at 2048, %"][column]) for column in (name, f"{name}, healed"))
        draw_pair(found, kept, before, after, name, color, found_label, "{:.0f}".format)
    for panel, value in ((losses, 0), (found, number(rows["passkey at 2048, %"]["base"]))):
        drawing.dot(panel.x(100), panel.y(value), INK)
        drawing.text(panel.x(100), panel.y(value) - 12, "unchanged", INK, "end", 12)
    drawing.dot(88, 424, SOFT, False)
    drawing.text(98, 428, "the plan as it is", SOFT, size=12)
    drawing.dot(208, 424, SOFT)
    drawing.text(218, 428, "healed. Perplexity in windows of 1024 tokens; the passkey in the one wording that chose the layers.", SOFT, size=12)
    return drawing.finish()


def signed(value):
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}"


def draw_pair(panel, kept, before, after, name, color, label, show):
    """A plan's two values above each other; one beyond the top is an arrow."""
    drawing, x = panel.drawing, panel.x(kept)
    beyond = before > panel.ys[1]
    top = panel.box[1] + 2 if beyond else panel.y(before)
    drawing.line([(x, top), (x, panel.y(after))], color, 1.5)
    if beyond:
        drawing.line([(x - 5, top + 8), (x, top), (x + 5, top + 8)], color, 2)
    else:
        drawing.dot(x, top, color, False)
    drawing.dot(x, panel.y(after), color)
    middle = panel.y((min(before, panel.ys[1]) + after) / 2)
    right, down, anchor = label
    drawing.text(x + right, middle + down, f"{name}: {show(before)} → {show(after)}", color, anchor, 12)


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        raise SystemExit(__doc__)
    for name, draw in (("benchmarks.svg", benchmarks), ("results.svg", results)):
        path, drawn = DOCS / name, draw()
        if not sys.argv[1:]:
            path.write_text(drawn, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != drawn:
            raise SystemExit(f"figures.py: docs/{name} isn't what the tables say: run bench/figures.py")


if __name__ == "__main__":
    main()
