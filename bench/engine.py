"""How the engine holds up: cost per image over the number of images, a small memory budget, threads, JPEG files end to end.

usage: engine.py BUILD_DIR [--threads 2] [--rounds 3] [--images 256,1024,4096] [--parts growth,budget,threads,files] [--markdown FILE]
Prints Markdown; --markdown puts each part between its marks <!-- PART --> and <!-- /PART --> of FILE.
"""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from compare import fill_in, processor
from PIL import Image

SIDE = 224
TO_INPUT = "- {to_float: {}}\n- {normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}\n"


class Bench:
    def __init__(self, build, threads, at):
        self.program, self.threads, self.at = build / "apps/shiftnorm/shiftnorm", threads, at
        (at / "steps.yaml").write_text(TO_INPUT)

    def network(self, name):
        path = self.at / f"{name}.pth"
        if not path.exists():
            torch.manual_seed(0)
            torch.save(getattr(torchvision.models, name)().state_dict(), path)
        return path

    def run(self, name, data, *more, command="recalibrate", preprocess=None, threads=None):
        """The program's own account, with what the system says: wall time and peak memory in MiB."""
        arguments = [self.program, command, self.network(name), "--arch", name, "--data", data, "--preprocess", preprocess or self.at / "steps.yaml",
                     "--threads", threads or self.threads, "--json", *more]
        if command == "recalibrate":
            arguments += ["--out", self.at / "adapted.pth"]
        with open(self.at / "said", "w+") as said, open(self.at / "told", "w+") as told:
            start = time.monotonic()
            child = subprocess.Popen([str(a) for a in arguments], stdout=said, stderr=told)
            _, status, used = os.wait4(child.pid, 0)
            wall = time.monotonic() - start
            child.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0), told.seek(0)
            if child.returncode != 0:
                sys.exit(f"{' '.join(map(str, arguments))}: exit {child.returncode}\n{told.read()}")
            account = json.loads(said.read())
            account.update(wall=wall, peak=used.ru_maxrss / 1024, told=told.read())
        print(f"{command} {name} {' '.join(map(str, more))}: {account['images_per_second']:.2f} images/s, {wall:.1f} s, {account['peak']:.0f} MiB", file=sys.stderr)
        return account

    def pixels(self, count, name="x.npy"):
        path = self.at / name
        np.save(path, np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8))
        return path


def growth(bench, options):
    """Cost per image for ever more images: nothing may grow with them but what is carried."""
    rows = {}
    for _ in range(options.rounds):
        for count in options.images:
            rows.setdefault(count, []).append(bench.run("resnet18", bench.pixels(count), "--memory", "16G"))
    first = statistics.median(1 / r["images_per_second"] for r in rows[options.images[0]])
    lines = ["`recalibrate resnet18.pth --memory 16G` on arrays of 224 x 224 pixels:", "", "| images | ms per image | to the first | peak memory |", "|---|---|---|---|"]
    for count, found in rows.items():
        cost = statistics.median(1 / r["images_per_second"] for r in found)
        lines.append(f"| {count} | {1000 * cost:.1f} | {cost / first:.2f} | {max(r['peak'] for r in found):.0f} MiB |")
    return lines


def budget(bench, options):
    """500 images of ResNet-50 in 1 GiB and without a limit: the same statistics, and what was foreseen."""
    data = bench.pixels(500)
    lines = ["`recalibrate resnet50.pth` on 500 images of 224 x 224 pixels:", "", "| | images/s | adapting | peak memory | foreseen |", "|---|---|---|---|---|"]
    hashes = set()
    for name, more in (("without a limit", ()), ("`--memory 1G`", ("--memory", "1G"))):
        found = bench.run("resnet50", data, *more)
        hashes.add(hashlib.sha256((bench.at / "adapted.pth").read_bytes()).hexdigest())
        foreseen = "; ".join(line.strip() for line in found["told"].splitlines() if "scratch" in line)
        lines.append(f"| {name} | {found['images_per_second']:.1f} | {found['seconds']['adapt']:.1f} s | {found['peak']:.0f} MiB | {foreseen} |")
    return lines + ["", f"The adapted files are {'the same, byte for byte' if len(hashes) == 1 else 'DIFFERENT'}."]


def threads(bench, options):
    """One thread against several, in turns."""
    lines = ["`recalibrate` with one thread and with two, in turns:", "", "| network | 1 thread | 2 threads | ratio |", "|---|---|---|---|"]
    for name, count in (("resnet50", 48), ("mobilenet_v2", 256)):
        data, one, two = bench.pixels(count), [], []
        for _ in range(options.rounds):
            one.append(bench.run(name, data, threads=1)["images_per_second"])
            two.append(bench.run(name, data, threads=2)["images_per_second"])
        ratios = [b / a for a, b in zip(one, two)]
        lines.append(f"| {name} | {statistics.median(one):.1f} | {statistics.median(two):.1f} | {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |")
    return lines


def photograph(random):
    """Smooth shapes with grain, about as hard to compress as a photograph."""
    coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((500, 375), Image.BICUBIC)
    return Image.fromarray((np.asarray(coarse, np.int16) + random.normal(0, 6, (375, 500, 1)).astype(np.int16)).clip(0, 255).astype(np.uint8))


def files(bench, options):
    """From JPEG files of 500 x 375 to the adapted network, beside the same images as arrays; the loader beside torchvision's."""
    folder, count = bench.at / "photographs", 256
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(count):
        photograph(random).save(folder / f"{i:04}.jpg", quality=90)
    size = sum(f.stat().st_size for f in folder.iterdir()) / count / 1024
    lines = [f"`recalibrate` from {count} JPEG files of 500 x 375 pixels ({size:.0f} KiB each), preset `imagenet`; end to end is the whole command, its start left out:",
             "", "| network | engine alone, images/s | end to end, images/s | share |", "|---|---|---|---|"]
    load = []
    for name in ("resnet50", "resnet18"):
        alone, whole = [], []
        for _ in range(options.rounds):
            found = bench.run(name, folder, preprocess="imagenet")
            alone.append(found["images_per_second"])
            whole.append(found["images"] / (found["seconds"]["load"] + found["seconds"]["adapt"]))
            load.append(found["seconds"]["load"] / found["images"] * bench.threads)
        shares = [b / a for a, b in zip(alone, whole)]
        lines.append(f"| {name} | {statistics.median(alone):.1f} | {statistics.median(whole):.1f} | {statistics.median(shares):.1%} |")
    steps = torchvision.transforms.Compose([torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224), torchvision.transforms.ToTensor(),
                                            torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    torch.set_num_threads(1)
    peer = []
    for _ in range(options.rounds):
        start = time.process_time()
        for path in sorted(folder.iterdir()):
            steps(Image.open(path).convert("RGB"))
        peer.append((time.process_time() - start) / count)
    ours, theirs = statistics.median(load), statistics.median(peer)
    return lines + ["", f"Reading one image, from the file to the network's input: {1000 * ours:.2f} ms of a thread; torchvision and PIL in one process "
                    f"{1000 * theirs:.2f} ms, {theirs / ours:.2f} times as long."]


PARTS = {"growth": growth, "budget": budget, "threads": threads, "files": files}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=lambda text: [int(n) for n in text.split(",")], default=[256, 1024, 4096])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    for part in options.parts.split(","):
        with tempfile.TemporaryDirectory() as folder:
            lines = PARTS[part](Bench(options.build.resolve(), options.threads, Path(folder)), options)
        text = "\n".join([f"{processor()}, {options.threads} threads.", "", *lines])
        print(text)
        fill_in(options.markdown, part, text)


if __name__ == "__main__":
    main()
