"""Interleaved comparison on one machine: the program's own `recalibrate`, bare oneDNN convolutions, PyTorch's update_bn.

usage: compare.py BUILD_DIR [--rounds 5] [--images 256] [--threads 2] [--network resnet50] [--markdown FILE]
Prints a Markdown section; --markdown replaces the section of that network in FILE.
"""
import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torchvision

HERE = Path(__file__).parent


def one_json(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout[done.stdout.index("{"):])


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network", default="resnet50")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()

    rows = {"bare convolutions": [], "recalibrate, adapt stage": [], "PyTorch update_bn": []}
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        torch.manual_seed(0)
        torch.save(getattr(torchvision.models, options.network)().state_dict(), at / "net.pth")
        np.save(at / "x.npy", np.random.default_rng(0).standard_normal((options.images, 3, options.side, options.side), dtype=np.float32))
        for number in range(options.rounds):
            ours = one_json(options.build / "apps/shiftnorm/shiftnorm", "recalibrate", at / "net.pth", "--arch", options.network, "--data", at / "x.npy",
                            "--out", at / "adapted.pth", "--threads", options.threads, "--json")
            bare = one_json(options.build / "bench/bench_network", options.network, options.threads, options.images // 2, 1, options.side, "bare")
            peer = one_json("/usr/bin/python3", HERE / "torch_update_bn.py", options.network, options.threads, options.side, 8, 16)
            rows["recalibrate, adapt stage"].append(ours["images_per_second"])
            rows["bare convolutions"].append(bare["bare"])
            rows["PyTorch update_bn"].append(peer["best"])
            print(f"round {number + 1}: recalibrate {ours['images_per_second']:.2f}, bare {bare['bare']:.2f}, PyTorch {peer['best']:.2f}", file=sys.stderr)
    ours = rows["recalibrate, adapt stage"]
    to_bare = [a / b for a, b in zip(ours, rows["bare convolutions"])]
    to_torch = [a / b for a, b in zip(ours, rows["PyTorch update_bn"])]
    table = [f"### {options.network}, {options.side} x {options.side}, {options.images} images, {options.threads} threads", "",
             f"{processor()}, {bare['instruction_set']}; PyTorch {torch.__version__}; {options.rounds} interleaved rounds; median (lowest to highest).", "",
             "| | images per second |", "|---|---|"]
    table += [f"| {name} | {spread(values)} |" for name, values in rows.items()]
    table += ["", "| ratio, round by round | median (lowest to highest) |", "|---|---|",
              f"| recalibrate / bare convolutions | {spread(to_bare)} |", f"| recalibrate / PyTorch update_bn | {spread(to_torch)} |", ""]
    text = "\n".join(table)
    print(text)
    if options.markdown:
        old = options.markdown.read_text()
        pattern = re.compile(rf"### {re.escape(options.network)}, .*?(?=\n###? |\Z)", re.S)
        new = pattern.sub(lambda _: text, old) if pattern.search(old) else old.rstrip() + "\n\n" + text
        options.markdown.write_text(new.rstrip() + "\n")


if __name__ == "__main__":
    main()
