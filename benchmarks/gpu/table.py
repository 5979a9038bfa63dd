#!/usr/bin/env python3
"""One table of a run of run.sh: table.py RESULTS > table.md"""
import json
import pathlib
import sys


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()] if path.exists() else []


def seconds(value):
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1, 1e3, "ms"), (float("inf"), 1, "s")):
        if value < limit:
            return f"{value * factor:.3g} {unit}"


def main(folder):
    notes = (folder / "notes.txt").read_text().splitlines()
    print("\n".join(f"- {note}" for note in notes), "\n")
    for name in ("selftest", "selftest-amp"):
        path = folder / f"{name}.json"
        tests = json.loads(path.read_text() or "null") if path.exists() else None
        if not tests:
            print(f"{name}: no result\n")
            continue
        print(f"{name} on {tests['device']}: {tests['passed']} passed, {tests['failed']} failed, {tests['seconds']:.0f} s\n")
        for failure in tests["failures"]:
            print(f"- FAILED {failure['name']}: {failure['problem']}")
    peers = {}
    for line in lines(folder / "peer.jsonl"):
        peers.setdefault(line["case"], []).append(line)
    print("| case | clipgen | TFLOP/s | peer | peer's time | clipgen is |\n| --- | --- | --- | --- | --- | --- |")
    for ours in lines(folder / "bench.jsonl"):
        case = f"`{ours['case']}`" + (" --amp" if ours.get("amp") else "")
        rows = sorted(peers.get(ours["case"], []), key=lambda line: line["median_s"])
        rate = f"{ours['flops'] / ours['median_s'] / 1e12:.3g}"
        if not rows:
            print(f"| {case} | {seconds(ours['median_s'])} | {rate} | none measured | | |")
        for peer in rows:
            ratio = peer["median_s"] / ours["median_s"]
            print(f"| {case} | {seconds(ours['median_s'])} | {rate} | {peer['peer']} | {seconds(peer['median_s'])} | {f'{ratio:.2f} times as fast' if ratio >= 1 else f'{1 / ratio:.2f} times slower'} |")


main(pathlib.Path(sys.argv[1]))
