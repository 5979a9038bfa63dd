#!/usr/bin/env python3
"""One page of a run of run.sh: table.py RESULTS > table.md"""
import json
import pathlib
import sys

WAYS = ("float32", "tf32", "bf16", "bf16 compile")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()] if path.exists() else []


def seconds(value):
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1, 1e3, "ms"), (float("inf"), 1, "s")):
        if value < limit:
            return f"{value * factor:.3g} {unit}"


def main(folder):
    notes = (folder / "notes.txt").read_text().splitlines()
    print("\n".join(f"- {note.strip()}" for note in notes), "\n")
    for name in ("selftest", "selftest-amp"):
        path = folder / f"{name}.json"
        tests = json.loads(path.read_text() or "null") if path.exists() else None
        if not tests:
            print(f"{name}: no result\n")
            continue
        print(f"{name} on {tests['device']}: {tests['passed']} passed, {tests['failed']} failed, {tests['seconds']:.0f} s\n")
        for failure in tests["failures"]:
            print(f"- FAILED {failure['name']}: {failure['problem']}")
    peers, versions = {}, set()
    for line in lines(folder / "peer.jsonl"):
        _, version, way = line["peer"].split(" ", 2)
        versions.add(version)
        peers[line["case"], way] = line["median_s"]
    print(f"Medians. A ratio is ClipGen's time over that of PyTorch {', '.join(sorted(versions))} at the same precision (bfloat16 beside --amp, else float32), the faster of eager and compiled; below 1 ClipGen is faster.\n")
    print("| case | ClipGen | TFLOP/s | PyTorch float32 | TF32 | bfloat16 | bfloat16, torch.compile | ratio |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
    for ours in lines(folder / "bench.jsonl"):
        times = [peers.get((ours["case"], way)) for way in WAYS]
        same = [time for time in (times[2:] if ours.get("amp") else times[:1]) if time]
        ratio = f"**{ours['median_s'] / min(same):.2f}**" if same else "no peer measured"
        cells = " | ".join(seconds(time) if time else "" for time in times)
        print(f"| `{ours['case']}`{' --amp' if ours.get('amp') else ''} | {seconds(ours['median_s'])} | {ours['flops'] / ours['median_s'] / 1e12:.3g} | {cells} | {ratio} |")


main(pathlib.Path(sys.argv[1]))
