"""Regret of the recommendation without labels, for docs/study.md; Python's standard library alone.

usage: regret.py measure SHIFTNORM DATA FOLDER ROWS.csv    runs every cell that FOLDER does not hold yet, and rewrites ROWS.csv
       regret.py table ROWS.csv STUDY.md                   replaces what is between `<!-- regret -->` and `<!-- end -->`
"""
import csv
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

NETWORKS = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}
FIT = ("gaussian_noise", "shot_noise", "defocus_blur", "glass_blur", "zoom_blur", "snow", "fog", "brightness", "elastic_transform", "pixelate")
HELD_OUT = ("impulse_noise", "motion_blur", "frost", "contrast", "jpeg_compression")
MODES = ("source", "adabn", "blend16")
LEAN, DOUBT = 0.65, 0.05  # of RecommendThresholds
FIELDS = ("network", "set", "shift", "severity", "mode", "images", "accuracy", "nuclear_norm", "effective_classes", "confidence")
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Images of each class, in the order of CLASSES. The last sets break what the rule trusts in: many images, even classes.
SETS = {"even": [40] * 10, "small50": [5] * 10, "small16": [2, 1, 2, 1, 2, 2, 1, 2, 1, 2], "zipf": [50, 10, 20, 25, 12, 100, 14, 11, 16, 33],
        "three": [0, 0, 0, 0, 0, 0, 70, 70, 0, 60], "two": [0, 0, 0, 100, 0, 0, 0, 0, 100, 0],
        "one-dog": [0] * 5 + [200] + [0] * 4, "one-ship": [0] * 8 + [200, 0]}
SHIFTS_OF_OTHERS = (("clean", 0), ("gaussian_noise", 3), ("contrast", 4), ("fog", 4), ("jpeg_compression", 4), ("glass_blur", 2), ("brightness", 3))


def cells():
    for network in NETWORKS:
        for name in SETS:
            pairs = [("clean", 0)] + [(s, v) for v in range(1, 6) for s in FIT + HELD_OUT] if name == "even" else SHIFTS_OF_OTHERS
            for shift, severity in pairs:
                yield network, name, shift, severity


def measure(program, data, folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    for name, counts in SETS.items():
        lines = [f"{data / 'cifar10/test' / c / f.name},{c}" for c, n in zip(CLASSES, counts) for f in sorted((data / "cifar10/test" / c).iterdir())[:n]]
        (folder / f"{name}.csv").write_text("\n".join(["path,label"] + lines) + "\n")
    found = []
    for network, name, shift, severity in cells():
        run = folder / f"{network}-{name}-{shift}-{severity}"
        if not (run / "results.json").exists():
            target = {"path": str(folder.resolve() / f"{name}.csv"), **({"shift": {shift: severity}} if severity else {})}
            config = {"name": run.name, "seed": 7, "model": {"checkpoint": str(data.resolve() / "checkpoints" / NETWORKS[network]), "architecture": f"cifar_{network}"},
                      "preprocess": "cifar10", "data": {"target": target, "classes": list(CLASSES)},
                      "modes": ["source", "adabn", {"name": "blend16", "policy": "blend", "prior_images": 16}],
                      "evaluate": {"metrics": ["accuracy"], "interval": {"resamples": 100}}}
            yaml = run.with_suffix(".yaml")
            yaml.write_text(json.dumps(config))  # JSON is YAML
            subprocess.run([program, "run", yaml, "--out", run, "--threads", "1", "--quiet"], check=True)
        for mode in json.loads((run / "results.json").read_text())["modes"]:
            told = mode["label_free"]
            found.append([network, name, shift, severity, mode["name"], told["images"], mode["metrics"]["accuracy"]["value"], told["nuclear_norm"],
                          told["effective_classes"], told["confidence"]])
    with open(rows, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([FIELDS] + found)


def rule(cell, lean=LEAN, doubt=DOUBT):
    """What lib/toolkit/src/recommend.cpp says; None: cannot tell."""
    best = max(cell, key=lambda m: cell[m]["nuclear_norm"])
    source, said = cell["source"], cell[best]
    if said["images"] < 10 or (source["effective_classes"] < lean * said["effective_classes"] and source["confidence"] - said["confidence"] >= doubt):
        return None
    return best


def regret(cell, mode):
    return 100 * (max(m["accuracy"] for m in cell.values()) - cell[mode]["accuracy"])


def line(title, group):
    told = [regret(c, mode) for c in group if (mode := rule(c))]
    shown = [f"{sum(told) / len(told):.2f}, {max(told):.1f}" if told else "–", f"{len(group) - len(told)} of {len(group)}"]
    for mode in MODES:
        every = [regret(c, mode) for c in group]
        shown.append(f"{sum(every) / len(every):.2f}, {max(every):.1f}")
    return f"| {title} | " + " | ".join(shown) + " |"


def table(rows, page):
    found = defaultdict(dict)
    with open(rows, newline="") as file:
        for row in csv.DictReader(file):
            found[row["network"], row["set"], row["shift"], int(row["severity"])][row["mode"]] = {k: float(row[k]) for k in FIELDS[5:]}
    groups = []
    for network, title in (("resnet20", "ResNet-20"), ("resnet56", "ResNet-56")):
        for name, shifts in (("ten corruptions", FIT), ("five others", HELD_OUT), ("clean", ("clean",))):
            groups.append((f"{title}, even classes, {name}", [c for k, c in found.items() if k[0] == network and k[1] == "even" and k[2] in shifts]))
        for name in list(SETS)[1:]:
            groups.append((f"{title}, {name}", [c for k, c in found.items() if k[:2] == (network, name)]))
    lines = ["| cells | recommendation where it names one | cannot tell | always source | always adabn | always blend, N = 16 |", "|---|---|---|---|---|---|"]
    lines += [line(title, group) for title, group in groups if group]
    lines += ["", "Where it errs by 5 points or more:", "", "| cell | says | regret | accuracy, %: " + ", ".join(MODES) + " |", "|---|---|---|---|"]
    for key, cell in sorted(found.items()):
        if (mode := rule(cell)) and regret(cell, mode) >= 5:
            lines.append(f"| {key[0]}, {key[1]}, {key[2]} {key[3]} | {mode} | {regret(cell, mode):.1f} | " + ", ".join(f"{100 * cell[m]['accuracy']:.1f}" for m in MODES) + " |")
    text, count = re.subn(r"(<!-- regret -->\n).*?(\n<!-- end -->)", lambda m: m.group(1) + "\n".join(lines) + m.group(2), page.read_text(), flags=re.S)
    if count != 1:
        sys.exit(f"{page}: {count} places for 'regret'; expected one")
    page.write_text(text)


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        measure(sys.argv[2], *map(Path, sys.argv[3:6]))
    else:
        table(*map(Path, sys.argv[2:4]))
