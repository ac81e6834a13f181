"""What docs/study.md says of the sweep over the common corruptions; Python's standard library alone.

usage: corruptions.py SWEEP_FOLDER STUDY.md [--threads N --seconds S]
Replaces what is between `<!-- corruptions -->` and `<!-- end -->` in STUDY.md, writes study/corruptions.csv beside it
and copies the heat maps of adabn there. Sentences follow from the numbers: a sweep that says otherwise is told otherwise.
"""
import argparse
import csv
import json
import re
import shutil
import sys
from pathlib import Path

from regret import FIT, HELD_OUT, MODES as RECOMMENDABLE

GROUPS = {"noise": ("gaussian_noise", "shot_noise", "impulse_noise"), "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
          "weather": ("snow", "frost", "fog", "brightness"), "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression")}
TITLES = {"cifar_resnet20": "ResNet-20", "cifar_resnet56": "ResNet-56"}
REESTIMATED = ("adabn", "blend16", "batch64")
SEVERITIES = range(1, 6)
CLEAN = "none"


class Cell:
    """One run: per mode the accuracy and the difference to source with its interval, in points."""

    def __init__(self, run, results):
        self.network = results["model"]["architecture"]
        shift = run["values"]["data.target.shift"]
        self.shift, _, severity = shift.partition(": ")
        self.severity = int(severity or 0)
        self.images = results["data"]["target"]["images"]
        self.seconds = results["seconds"]["load"] + sum(sum(m["seconds"].values()) for m in results["modes"])
        self.recommended = (results.get("recommendation") or {}).get("mode")
        self.accuracy, self.gain = {}, {}
        for mode in results["modes"]:
            self.accuracy[mode["name"]] = 100 * mode["metrics"]["accuracy"]["value"]
            versus = mode["versus_source"].get("accuracy") if mode.get("versus_source") else None
            if versus:
                self.gain[mode["name"]] = tuple(100 * versus[k] for k in ("difference", "low", "high"))


def read(folder):
    summary = json.loads((folder / "sweep.json").read_text())
    cells = [Cell(run, json.loads((folder / run["folder"] / "results.json").read_text())) for run in summary["runs"] if run["status"] == "finished"]
    return cells, len(summary["runs"])


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else None


def shown(value, signed=False):
    return "–" if value is None else f"{value:+.1f}" if signed else f"{value:.1f}"


def of(cells, network, shifts):
    return [c for c in cells if c.network == network and c.shift in shifts]


def complete(cells, network, shift):
    return {c.severity for c in of(cells, network, (shift,))} >= set(SEVERITIES)


def table(cells, network, modes, shifts):
    lines = [f"**{TITLES.get(network, network)}**", "", "| accuracy, % | " + " | ".join(modes) + " |", "|---|" + "---|" * len(modes)]

    def line(title, some):
        values = [mean(c.accuracy[m] for c in some) for m in modes]
        best = max(v for v in values if v is not None)
        return f"| {title} | " + " | ".join(f"**{shown(v)}**" if shown(v) == shown(best) else shown(v) for v in values) + " |"

    if of(cells, network, (CLEAN,)):
        lines.append(line("none", of(cells, network, (CLEAN,))))
    for shift in shifts:
        if some := of(cells, network, (shift,)):
            lines.append(line(shift + ("" if complete(cells, network, shift) else f" ({len(some)} of {len(SEVERITIES)} severities)"), some))
    if some := of(cells, network, shifts):
        lines.append(line("**mean of the corruptions**", some))
    return "\n".join(lines)


def groups_table(cells, networks):
    lines = ["| difference to source, points | none | " + " | ".join(GROUPS) + " | all corruptions | better, worse |", "|---|" + "---|" * (len(GROUPS) + 3)]
    every = [s for g in GROUPS.values() for s in g]
    for network in networks:
        for mode in REESTIMATED:
            gain = lambda shifts: mean(c.gain[mode][0] for c in of(cells, network, shifts))
            sure = [c.gain[mode] for c in of(cells, network, every)]
            counts = f"{sum(low > 0 for _, low, _ in sure)}, {sum(high < 0 for _, _, high in sure)} of {len(sure)}"
            lines.append(f"| {TITLES.get(network, network)}, {mode} | " + " | ".join(shown(gain(s), True) for s in [(CLEAN,), *GROUPS.values(), every]) + f" | {counts} |")
    return "\n".join(lines)


# What the papers are known for: (sentence, modes, groups, whether a mean difference to source agrees).
TREND = [("Statistics re-estimated on all corrupted images win on noise and blur", ("adabn",), ("noise", "blur"), lambda gain: gain > 1),
         ("Statistics of the test batch alone win there too", ("batch64",), ("noise", "blur"), lambda gain: gain > 1),
         ("Without a corruption re-estimating gains nothing (half a point at most)", ("adabn", "batch64"), ("none",), lambda gain: gain <= 0.5),
         ("and loses little (three points at most)", ("adabn", "batch64"), ("none",), lambda gain: gain >= -3)]


def claims(cells, networks):
    """(sentence, whether it is so here, the numbers)."""
    for sentence, modes, groups, agrees in TREND:
        gains = {(m, n, g): mean(c.gain[m][0] for c in of(cells, n, GROUPS.get(g, (CLEAN,)))) for m in modes for n in networks for g in groups}
        so = None if None in gains.values() else all(agrees(v) for v in gains.values())
        yield sentence, so, "; ".join(f"{m}, {TITLES.get(n, n)}, {g}: {shown(v, True)}" for (m, n, g), v in gains.items())
    every = [s for g in GROUPS.values() for s in g]
    both = {n: [mean(c.accuracy[m] for c in of(cells, n, every)) for m in ("blend16", "adabn")] for n in networks if of(cells, n, every)}
    yield ("A source that counts as some images is at least as good as none, over all corruptions", all(a >= b for a, b in both.values()) if both else None,
           ", ".join(f"{TITLES.get(n, n)}: {a:.1f} % with it, {b:.1f} % without" for n, (a, b) in both.items()))


def regret_table(cells, networks):
    lines = ["| cells | recommendation where it names one | cannot tell | " + " | ".join(f"always {m}" for m in RECOMMENDABLE) + " |", "|---|" + "---|" * (2 + len(RECOMMENDABLE))]
    lost = lambda c, mode: max(c.accuracy[m] for m in RECOMMENDABLE) - c.accuracy[mode]
    both = lambda values: f"{mean(values):.2f}, {max(values):.1f}" if values else "–"
    for network in networks:
        for title, shifts in (("ten corruptions", FIT), ("five others", HELD_OUT), ("none", (CLEAN,))):
            if some := of(cells, network, shifts):
                told = [lost(c, c.recommended) for c in some if c.recommended]
                lines.append(f"| {TITLES.get(network, network)}, {title} | {both(told)} | {len(some) - len(told)} of {len(some)} | " +
                             " | ".join(both([lost(c, m) for c in some]) for m in RECOMMENDABLE) + " |")
    return "\n".join(lines)


def losses(cells, networks):
    out = []
    for network in networks:
        by_shift = sorted((mean(c.gain["adabn"][0] for c in of(cells, network, (s,))), s) for g in GROUPS.values() for s in g if of(cells, network, (s,)))
        lost = [f"{s} ({g:+.1f})" for g, s in by_shift if g < 0]
        most = [f"{s} ({g:+.1f})" for g, s in by_shift[::-1][:3]]
        out.append(f"{TITLES.get(network, network)}: adabn gains most on {', '.join(most)}" + (f", and loses on {', '.join(lost)}" if lost else ", and loses on none of the corruptions, severities together") + ".")
    return " ".join(out)


def block(cells, planned, timed):
    networks = sorted({c.network for c in cells})
    modes = list(cells[0].accuracy)
    every = [s for g in GROUPS.values() for s in g]
    images = sorted({c.images for c in cells})
    lines = [f"{len(cells)} runs of {planned}, {', '.join(map(str, images))} test images each. " +
             ("" if len(cells) == planned else "**Not finished: means are over the runs that are, and say how many.** ") +
             f"Restoring, measuring and evaluating took {sum(c.seconds for c in cells) / 60:.1f} minutes in all runs together" +
             (f"; the whole command, from start to pages, {timed[1] / 60:.1f} minutes on {timed[0]} threads." if timed else "."),
             "", groups_table(cells, networks), "",
             "*better, worse*: runs whose 95 % interval of the difference, bootstrapped over the images, leaves out 0.", ""]
    answers = {True: "yes", False: "**no**", None: "not measured"}
    lines += [f"- {what}: {answers[so]} ({numbers})." for what, so, numbers in claims(cells, networks)]
    lines += ["", losses(cells, networks), ""]
    for network in networks:
        lines += [table(cells, network, modes, every), ""]
        name = f"heat-map-difference-{network.replace('_', '-')}-adabn.svg"
        lines += [f"![{TITLES.get(network, network)}: adabn less source, in points, by corruption and severity](study/{name})", ""]
    lines += ["Regret of the recommendation without labels (below) on these runs, in points: mean, largest.", "", regret_table(cells, networks)]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seconds", type=float)
    given = parser.parse_args()
    cells, planned = read(given.folder)
    if not cells:
        sys.exit(f"{given.folder}: no finished run")
    beside = given.page.parent / "study"
    text, found = re.subn(r"(<!-- corruptions -->\n).*?(\n<!-- end -->)",
                          lambda m: m.group(1) + block(cells, planned, (given.threads, given.seconds) if given.seconds else None) + m.group(2), given.page.read_text(), flags=re.S)
    if found != 1:
        sys.exit(f"{given.page}: {found} places for 'corruptions'; expected one")
    given.page.write_text(text)
    with open(beside / "corruptions.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["network", "shift", "severity", "mode", "images", "accuracy", "difference", "low", "high"])
        for c in cells:
            for mode, accuracy in c.accuracy.items():
                rows.writerow([c.network, c.shift, c.severity, mode, c.images, f"{accuracy:.3f}"] + [f"{v:.3f}" for v in c.gain.get(mode, ())] + [""] * (0 if mode in c.gain else 3))
    for picture in (given.folder / "figures").glob("heat-map-difference-*-adabn.svg"):
        shutil.copy(picture, beside / picture.name)


if __name__ == "__main__":
    main()
