#!/usr/bin/env python3
"""The tables of docs/results.md from what bench/results.sh or bench/tiers.sh left in DIR.

    results_table.py DIR NAME [NAME ...]      NAME: of text.NAME.json, tasks.NAME.json, speed.NAME.json, memory.NAME.json, those that there are; its plan
                                              is NAME.json or NAME/plan.json
"""

import json
import pathlib
import sys


def load(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def percent(mean, error):
    return f"{100 * mean:.1f} ± {100 * (error or 0):.1f}"


def mean_accuracy(tasks):
    errors = [task["acc_stderr"] for task in tasks.values()]
    return percent(sum(task["acc"] for task in tasks.values()) / len(tasks), sum(e * e for e in errors) ** 0.5 / len(tasks))


def memory_cells(folder, names):
    """Of each: the share of the unchanged model's KV memory, and bytes per token, at the plan's context."""
    found = []
    for name in names:
        memory = load(folder / f"memory.{name}.json").get("memory")
        plan = load(folder / f"{name}.json") or load(folder / name / "plan.json")
        if memory:
            found.append((memory["fraction"], memory["bytes_per_token"]))
        else:
            found.append((plan["predicted"]["kv_fraction"], plan["predicted"]["kv_bytes_per_token"]) if plan else None)
    whole = max((size / share for share, size in filter(None, found)), default=0)
    found = [entry or (1, whole) for entry in found]
    return [f"{100 * share:.0f} %" for share, _ in found], [f"{size:,.0f}" for _, size in found]


def quality_rows(folder, names):
    texts = [load(folder / f"text.{name}.json") for name in names]
    tasks = [load(folder / f"tasks.{name}.json").get("tasks", {}) for name in names]
    healed = [load(folder / name / "heal.json").get("figures") for name in names]
    shares, sizes = memory_cells(folder, names)
    rows = [("KV memory at 2048", shares), ("KV bytes per token", sizes)]
    if any(healed):
        rows.append(("healed on, M tokens", [f"{h['tokens'] / 1e6:.1f}" if h else "" for h in healed]))
        for label, moment in (("held-out training text: KL before healing", "before"), ("the same, healed", "after")):
            rows.append((label, [f"{h[moment]['kl']:.3f}" if h else "" for h in healed]))
    rows.append(("perplexity", [f"{t['perplexity']['ppl']:.3f}" if t else "" for t in texts]))
    change = [t.get("kl") for t in texts]
    rows.append(("change of NLL", [f"{k['nll_change']:+.4f} ± {k['nll_change_stderr']:.4f}" if k else "" for k in change]))
    rows.append(("KL from base", [f"{k['mean']:.4f} ± {k['stderr']:.4f}" if k else "" for k in change]))
    rows.append(("same best token, %", [percent(k["agreement"], k["agreement_stderr"]) if k else "" for k in change]))
    for i, entry in enumerate(texts[0].get("passkey", [])):
        cells = [percent(t["passkey"][i]["acc"], t["passkey"][i]["acc_stderr"]) if t else "" for t in texts]
        rows.append((f"passkey at {entry['length']}, %", cells))
    for task in tasks[0]:
        for metric in ("acc", "acc_norm"):
            if metric in tasks[0][task]:
                cells = [percent(t[task][metric], t[task][metric + "_stderr"]) if task in t else "" for t in tasks]
                rows.append((f"{task} {metric} (n {tasks[0][task]['n']}), %", cells))
    if any(tasks):
        rows.append(("mean acc of the sets, %", [mean_accuracy(t) if t else "" for t in tasks]))
    speeds = [load(folder / f"speed.{name}.json") for name in names]
    if any(speeds):
        rows.append(("tokens/s, 64 at 1024", [f"{s['rows'][-1]['speed_tg']:.0f}" if s else "" for s in speeds]))
        rows.append(("cache of 64 at 1024, MiB", [f"{s['rows'][-1]['cache_bytes'] / 2**20:.0f}" if s else "" for s in speeds]))
    return rows


def written(layer):
    """A mixer's written form, of its entry in a plan."""
    text = layer["mixer"]
    for mark, key in ((":", "window"), ("+", "sinks")):
        text += f"{mark}{layer[key]}" if layer.get(key) else ""
    return text + ("/full:" + ",".join(map(str, layer["full"])) if layer.get("full") else "")


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    folder, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    print("| | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for label, cells in quality_rows(folder, names):
        print(f"| {label} | " + " | ".join(cells) + " |")
    for name in names:
        layers = load(folder / f"{name}.json").get("layers")
        if layers:
            kinds = [written(layer) for layer in layers]
            groups = {kind: [i for i, k in enumerate(kinds) if k == kind] for kind in sorted(set(kinds))}
            print(f"\n{name}: " + "; ".join(f"{kind} in {' '.join(map(str, members))}" for kind, members in groups.items()))


if __name__ == "__main__":
    main()
