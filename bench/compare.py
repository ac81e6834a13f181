"""Interleaved comparison on one machine: the engine's evaluation and re-estimation and the networks' bare oneDNN
convolutions (bench_network), ONNX Runtime's inference and PyTorch's update_bn, each in a process that warms up and then
measures; and the commands `evaluate` and `recalibrate`, each a process from its start.

usage: compare.py BUILD_DIR [--rounds 5] [--threads 2] [--networks resnet50,...] [--markdown FILE]
Prints Markdown; --markdown puts it between the marks <!-- peers --> and <!-- /peers --> of FILE.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
# Side of the images, and how many make a measurement of a few seconds on two cores.
NETWORKS = {"resnet50": (224, 96), "resnet18": (224, 256), "densenet121": (224, 128), "mobilenet_v2": (224, 512),
            "efficientnet_b0": (224, 384), "cifar_resnet56": (32, 2048)}
# Timed runs of our own in each process; peers repeat theirs for three seconds.
RUNS = 3
COLUMNS = ("bare", "evaluate", "adabn", "ORT", "PyTorch", "command evaluate", "command recalibrate")
# Numerator, denominator.
RATIOS = [("evaluate", "bare"), ("adabn", "bare"), ("evaluate", "ORT"), ("adabn", "ORT"), ("adabn", "PyTorch"), ("bare", "ORT")]
BATCHES = ("1", "8", "16")


def one_json(*command, env=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout[done.stdout.index("{"):])


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def fill_in(page, part, text):
    """Puts text between the marks <!-- part --> and <!-- /part --> of a page, if there is one."""
    if page:
        page.write_text(re.sub(rf"(<!-- {part} -->\n).*(<!-- /{part} -->)", lambda m: m[1] + text + "\n" + m[2], page.read_text(), flags=re.S))


class Network:
    def __init__(self, name, build, threads, at):
        self.name, self.threads, self.at = name, threads, at
        self.side, self.images = NETWORKS[name]
        self.program, self.bench = build / "apps/shiftnorm/shiftnorm", build / "bench/bench_network"
        peers = Path(os.environ.get("SHIFTNORM_ORT", build.parent / "peers/node_modules"))
        self.environment = {**os.environ, "NODE_PATH": str(peers)} if (peers / "onnxruntime-node").is_dir() else None
        self.torch = ("/usr/bin/python3", HERE / "torch_update_bn.py", name, threads, self.side)
        subprocess.run([str(c) for c in (*self.torch, "--weights", at / "net.pth")], check=True)
        subprocess.run([self.program, "export", at / "net.pth", "--arch", name, "--fold", "--out", at / "folded.onnx", "--quiet"], check=True)
        values = np.random.default_rng(0).standard_normal((self.images, 3, self.side, self.side), dtype=np.float32)
        np.save(at / "x.npy", values)
        self.rates = {}

    def warm(self, what):
        return one_json(self.bench, self.name, self.threads, self.images, RUNS, self.side, what)

    def cold(self, command, *more):
        return one_json(self.program, command, self.at / "net.pth", "--arch", self.name, "--data", self.at / "x.npy", "--threads", self.threads, "--json",
                        *more)["images_per_second"]

    def round(self):
        bare = self.warm("bare")
        found = {"bare": bare["bare"], "evaluate": self.warm("evaluate")["evaluate"], "adabn": self.warm("adabn")["adabn"],
                 "command evaluate": self.cold("evaluate"), "command recalibrate": self.cold("recalibrate", "--out", self.at / "adapted.pth")}
        if self.environment:
            ort = one_json("node", HERE / "onnxruntime_inference.js", self.at / "folded.onnx", self.threads, f"3,{self.side},{self.side}",
                           *BATCHES, env=self.environment)
            found["ORT"] = ort["best"]
            self.ort = ort["version"]
        peer = one_json(*self.torch, *BATCHES[1:])
        found["PyTorch"], self.pytorch = peer["best"], peer["version"]
        self.instructions, self.gflops = bare["instruction_set"], bare["bare_gflops"] / bare["bare"]
        for name, rate in found.items():
            self.rates.setdefault(name, []).append(rate)
        print(f"{self.name}: " + ", ".join(f"{k} {v:.1f}" for k, v in found.items()), file=sys.stderr)

    def rate(self, name):
        return f"{statistics.median(self.rates[name]):.1f}" if name in self.rates else ""

    def ratio(self, above, below):
        if below not in self.rates:
            return ""
        values = [a / b for a, b in zip(self.rates[above], self.rates[below])]
        return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    build = options.build.resolve()

    done = []
    for name in options.networks.split(","):
        with tempfile.TemporaryDirectory() as folder:
            network = Network(name, build, options.threads, Path(folder))
            for _ in range(options.rounds):
                network.round()
            done.append(network)
    last = done[-1]
    peak = max(n.gflops * statistics.median(n.rates["bare"]) for n in done)
    lines = [f"{processor()}, {last.instructions}, {options.threads} threads; ONNX Runtime {getattr(last, 'ort', 'absent')}, PyTorch {last.pytorch}; "
             f"{options.rounds} interleaved rounds: medians, ratios round by round with the lowest and highest.", "",
             "| network | images | " + " | ".join(COLUMNS).replace("PyTorch", "PyTorch update_bn") + " | GFLOP/s of bare |", "|---" * (len(COLUMNS) + 3) + "|"]
    lines += [f"| {n.name}, {n.side} | {n.images} | " + " | ".join(n.rate(k) for k in COLUMNS)
              + f" | {n.gflops * statistics.median(n.rates['bare']):.0f} ({n.gflops * statistics.median(n.rates['bare']) / peak:.0%} of the best) |" for n in done]
    lines += ["", "| network | " + " | ".join(f"{a} / {b}" for a, b in RATIOS) + " |", "|---" * (len(RATIOS) + 1) + "|"]
    lines += [f"| {n.name} | " + " | ".join(n.ratio(a, b) for a, b in RATIOS) + " |" for n in done]
    text = "\n".join(lines)
    print(text)
    fill_in(options.markdown, "peers", text)


if __name__ == "__main__":
    main()
