#!/usr/bin/env python3
"""Curves of finished runs, side by side in one SVG: python3 pretrained/curves.py RUN[:PLOT,PLOT...] ... > curves.svg

RUN is the folder of a run, PLOT the title of a plot in its report.html; without plots, its first.
"""
import html
import re
import sys

STYLE = """
svg { font: 11px system-ui, "Liberation Sans", sans-serif; background: #ffffff; }
.tick { fill: #667085; } .grid { stroke: #e3e7ed; } .axis { stroke: #98a2b3; } .name { fill: #1c2430; font-size: 13px; font-weight: 600; }
.train { stroke: #2563eb; fill: none; stroke-width: 1.6; } .val { stroke: #d9560b; fill: none; stroke-width: 1.6; }
.raw { stroke-opacity: .35; stroke-width: 1; } circle.val { fill: #d9560b; } circle.train { fill: #2563eb; }
"""


def plots(folder):
    """Titles and drawings of a report, in its order."""
    with open(f"{folder}/report.html", encoding="utf-8") as report:
        text = report.read()
    found = re.findall(r"<h3>(.*?)</h3>.*?(<svg .*?</svg>)", text, re.DOTALL)
    if not found:
        sys.exit(f"{folder}/report.html: has no curves")
    return [(html.unescape(title), svg) for title, svg in found]


def main(arguments):
    shown = []
    for argument in arguments:
        folder, _, names = argument.partition(":")
        drawn = dict(plots(folder))
        for name in names.split(",") if names else [next(iter(drawn))]:
            if name not in drawn:
                sys.exit(f"{folder}/report.html: has no plot '{name}'; it has {', '.join(drawn)}")
            shown.append((f"{folder.rstrip('/').split('/')[-2]}: {name}", drawn[name]))
    if not shown:
        sys.exit(__doc__)
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * 440} {rows * 270}"><style>{STYLE}</style>')
    print(f'<rect width="{columns * 440}" height="{rows * 270}" fill="#ffffff"/>')
    for number, (name, svg) in enumerate(shown):
        x, y = number % columns * 440, number // columns * 270
        inside = re.sub(r"^<svg [^>]*>", "", svg)[: -len("</svg>")]
        print(f'<g transform="translate({x} {y + 30})"><text class="name" x="54" y="0">{html.escape(name)}</text>{inside}</g>')
    print("</svg>")


main(sys.argv[1:])
