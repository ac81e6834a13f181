"""Tables and pictures of docs/study.md from the rows that bench/study.cpp measured; Python's standard library alone.

usage: study.py ROWS.csv STUDY.md
Replaces what is between `<!-- NAME -->` and `<!-- end -->` in STUDY.md, and writes NAME.svg beside ROWS.csv.
"""
import csv
import math
import re
import sys
from collections import defaultdict
from pathlib import Path

COUNTS = (10, 50, 200, 500)
PANELS = [(n, d) for d in ("noise", "jpeg") for n in ("ResNet-20", "ResNet-56")]
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")  # Okabe and Ito 2008

# (title, mode, batch, order)
BY_COUNT = [("layerwise adabn", "adabn", "0", "any"), ("blend, N = 16", "blend16", "0", "any"), ("blend, suggested N", "shrink", "0", "any"),
            ("batch-mean 64, shuffled", "batch-mean", "64", "shuffled"), ("batch-mean 8, shuffled", "batch-mean", "8", "shuffled"),
            ("batch-mean 1", "batch-mean", "1", "by class"), ("ema 8, shuffled", "ema", "8", "shuffled"), ("dua", "dua", "1", "shuffled"),
            ("hybrid-decay", "hybrid-decay", "0", "any"), ("source-normalised", "source-normalised", "0", "any")]
BY_BATCH = [("batch-mean, shuffled", "batch-mean", "shuffled"), ("batch-mean, by class", "batch-mean", "by class"),
            ("batch population, shuffled", "batch-population", "shuffled"), ("batch population, by class", "batch-population", "by class"),
            ("ema, shuffled", "ema", "shuffled"), ("ema, by class", "ema", "by class"), ("policy batch, shuffled", "batch", "shuffled"),
            ("policy batch, by class", "batch", "by class"), ("policy batch, N = 16, shuffled", "batch-blend16", "shuffled")]


def read(path):
    cells, facts = defaultdict(list), defaultdict(list)
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = (row["network"], row["data"], row["mode"], row["batch"], row["order"], int(row["images"]))
            cells[key].append(100 * int(row["correct"]) / int(row["of"]))
            if row["mode"] == "adabn":
                facts[key[:2] + key[5:]].append([float(row[n]) if row[n] else math.nan for n in ("error_worst", "error_mean", "deviation", "prior")])
    return cells, facts


def mean(values):
    return sum(values) / len(values)


def cell(values):
    if not values:
        return "–"
    return f"{mean(values):.1f}" + (f" ({min(values):.1f}–{max(values):.1f})" if len(values) > 1 else "")


def look(cells, network, data, mode, batch, order, images):
    # One image a batch has no batch mates: the order does not matter to batch-mean and policy batch.
    for found in (order, "any", "by class") if batch == "1" and mode in ("batch-mean", "batch") else (order,):
        if values := cells.get((network, data, mode, batch, found, images)):
            return values
    return []


def table_by_count(cells, network, data):
    source = look(cells, network, data, "source", "0", "any", 500)
    lines = [f"**{network}, {data}** (source: {cell(source)} %)", "", "| accuracy, % | " + " | ".join(f"{n} images" for n in COUNTS) + " |",
             "|---|" + "---|" * len(COUNTS)]
    lines += [f"| {title} | " + " | ".join(cell(look(cells, network, data, mode, batch, order, n)) for n in COUNTS) + " |" for title, mode, batch, order in BY_COUNT]
    return "\n".join(lines)


def table_by_batch(cells, network, data):
    lines = [f"**{network}, {data}** (source: {cell(look(cells, network, data, 'source', '0', 'any', 500))} %, "
             f"layerwise: {cell(look(cells, network, data, 'adabn', '0', 'any', 500))} %)", "", "| accuracy, % | batch 1 | 2 | 8 | 64 |", "|---|---|---|---|---|"]
    lines += [f"| {title} | " + " | ".join(cell(look(cells, network, data, mode, b, order, 500)) for b in ("1", "2", "8", "64")) + " |" for title, mode, order in BY_BATCH]
    return "\n".join(lines)


def table_settling(facts):
    lines = ["| network, images | images | worst layer's error | all layers' error | found deviation | suggested N |", "|---|---|---|---|---|---|"]
    for network, data in PANELS:
        for n in COUNTS:
            rows = facts.get((network, data, n))
            if rows:
                worst, error, deviation, prior = ([v for v in column if not math.isnan(v)] for column in zip(*rows))
                lines.append(f"| {network}, {data} | {n} | {mean(worst):.3f} | {mean(error):.3f} | {'–' if n == 500 else f'{mean(deviation):.3f}'} "
                             f"| {f'{mean(prior):.0f}' if prior else 'the source'} |")
    return "\n".join(lines)


def picture(title, xs, labels, panels):
    """Small multiples; panels: (heading, horizontal line, [(name, [y or None])])."""
    w, h, left, top = 360, 220, 46, 26
    names = [name for name, _ in panels[0][2]]
    height = (h + top + 44) * ((len(panels) + 1) // 2) + 40 + 18 * ((len(names) + 1) // 2)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * (w + left) + 30} {height}" font-family="sans-serif" font-size="11">',
           f"<title>{title}</title>", '<rect width="100%" height="100%" fill="white"/>']
    for i, (heading, level, series) in enumerate(panels):
        x0, y0 = left + (i % 2) * (w + left), top + (i // 2) * (h + top + 44)
        values = [v for _, ys in series for v in ys if v is not None] + [level]
        low, high = math.floor(min(values) / 10) * 10, math.ceil(max(values) / 10) * 10
        px = lambda x: x0 + (math.log(x) - math.log(xs[0])) / (math.log(xs[-1]) - math.log(xs[0])) * (w - 20) + 10
        py = lambda y: y0 + h - (y - low) / max(1, high - low) * h
        out.append(f'<text x="{x0}" y="{y0 - 8}" font-weight="bold">{heading}</text>')
        for tick in range(low, high + 1, 10):
            out.append(f'<line x1="{x0}" x2="{x0 + w}" y1="{py(tick):.1f}" y2="{py(tick):.1f}" stroke="#ddd"/><text x="{x0 - 6}" y="{py(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
        out += [f'<text x="{px(x):.1f}" y="{y0 + h + 16}" text-anchor="middle">{x}</text>' for x in xs]
        out.append(f'<text x="{x0 + w / 2}" y="{y0 + h + 32}" text-anchor="middle">{labels}; accuracy in %, dashed: source</text>')
        out.append(f'<line x1="{x0}" x2="{x0 + w}" y1="{py(level):.1f}" y2="{py(level):.1f}" stroke="black" stroke-dasharray="5 4"/>')
        for s, (_, ys) in enumerate(series):
            points = [(px(x), py(y)) for x, y in zip(xs, ys) if y is not None]
            colour = COLOURS[s % len(COLOURS)]
            out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    y = height - 18 * ((len(names) + 1) // 2) - 6
    for s, name in enumerate(names):
        x = left + (s % 2) * (w + left)
        out.append(f'<rect x="{x}" y="{y + 18 * (s // 2)}" width="18" height="4" fill="{COLOURS[s % len(COLOURS)]}"/><text x="{x + 24}" y="{y + 6 + 18 * (s // 2)}">{name}</text>')
    return "\n".join(out) + "\n</svg>\n"



def pictures(cells, panels):
    shown = [row for row in BY_COUNT if row[1] in ("adabn", "blend16", "shrink") or row[0] in ("batch-mean 64, shuffled", "batch-mean 1", "ema 8, shuffled", "dua")]
    counts = [(f"{n}, {d}", mean(look(cells, n, d, "source", "0", "any", 500)),
               [(t, [mean(v) if (v := look(cells, n, d, m, b, o, x)) else None for x in COUNTS]) for t, m, b, o in shown]) for n, d in panels]
    yield "images", picture("Accuracy by number of images", COUNTS, "images to adapt on", counts)
    sizes = (1, 2, 8, 64)
    kept = [row for row in BY_BATCH if "population" not in row[0]]
    batches = [(f"{n}, {d}", mean(look(cells, n, d, "source", "0", "any", 500)),
                [(t, [mean(v) if (v := look(cells, n, d, m, str(x), o, 500)) else None for x in sizes]) for t, m, o in kept]) for n, d in panels]
    yield "batches", picture("Accuracy by batch size", sizes, "images in a batch, 500 images in all", batches)


def main():
    rows, page = Path(sys.argv[1]), Path(sys.argv[2])
    cells, facts = read(rows)
    panels = [p for p in PANELS if look(cells, *p, "adabn", "0", "any", 500)]
    blocks = {"by images": "\n\n".join(table_by_count(cells, *p) for p in panels), "by batch": "\n\n".join(table_by_batch(cells, *p) for p in panels),
              "settling": table_settling(facts)}
    text = page.read_text()
    for name, block in blocks.items():
        text, found = re.subn(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", lambda m: m.group(1) + block + m.group(2), text, flags=re.S)
        if found != 1:
            sys.exit(f"{page}: {found} places for '{name}'; expected one")
    page.write_text(text)
    for name, svg in pictures(cells, panels):
        (rows.parent / f"{name}.svg").write_text(svg)


if __name__ == "__main__":
    main()
