"""What DICOM costs: a study of large phantom objects end to end, and one file at a time beside pydicom + numpy + PIL.

usage: dicom.py BUILD_DIR [--files 2000] [--size 2048] [--threads 2] [--sample 90] [--markdown FILE] [--data FOLDER]
Prints Markdown; --markdown puts it between the marks <!-- dicom --> and <!-- /dicom --> of FILE. The objects are made in FOLDER (build/bench/dicom: about 5 MB
each) and kept there for the next time.
"""
import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import torch
import torchvision
from compare import fill_in, processor
from PIL import Image

SYNTAXES = ("explicit", "rle", "jpeg-lossless")
PRESET, SIDE = "cxr-chexnet", 224
MEAN, STD = np.float32([0.485, 0.456, 0.406])[:, None, None], np.float32([0.229, 0.224, 0.225])[:, None, None]


def make_objects(build, folder, files, size):
    """One folder for each syntax and size; several programs at a time. Two images a patient on average."""
    done = folder / "made.json"
    wanted = {"files": files, "size": size}
    if not done.exists() or json.loads(done.read_text()) != wanted:
        def make(number):
            subprocess.run([build / "apps/phantom/phantom", folder / SYNTAXES[number], "--scanner", "A", "--images-only", "--size", str(size),
                            "--patients", str(-(-files // (2 * len(SYNTAXES)))), "--syntaxes", SYNTAXES[number], "--seed", str(100 + number)], check=True)

        with ThreadPoolExecutor() as pool:
            list(pool.map(make, range(len(SYNTAXES))))
        done.write_text(json.dumps(wanted))
    return {syntax: sorted((folder / syntax).rglob("IM1")) for syntax in SYNTAXES}


def members(pid):
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid] + [m for child in children for m in members(int(child))]


class Memory(threading.Thread):
    """Largest memory of a process and its descendants together, in MiB, shared pages counted once."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.peak, self.over = pid, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            total = 0
            for pid in members(self.pid):
                try:
                    total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
                except (OSError, TypeError):
                    pass
            self.peak = max(self.peak, total / 1024)


def end_to_end(build, folder, threads):
    """`recalibrate` of a ResNet-18 of random weights: its own account, wall time, memory."""
    with tempfile.TemporaryDirectory() as place:
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet18().state_dict(), Path(place, "net.pth"))
        command = [build.resolve() / "apps/shiftnorm/shiftnorm", "recalibrate", "net.pth", "--arch", "resnet18", "--data", folder.resolve(), "--preprocess", PRESET,
                   "--out", "adapted.pth", "--threads", str(threads), "--json"]
        start = time.monotonic()
        with subprocess.Popen([str(c) for c in command], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            memory = Memory(program.pid)
            memory.start()
            out, err = program.communicate()
            memory.over.set()
        if program.returncode != 0:
            sys.exit(f"recalibrate: exit {program.returncode}\n{err}")
        return json.loads(out), time.monotonic() - start, memory.peak


def peer(path):
    """The same preset by hand, in single precision and in place: pydicom, numpy, PIL."""
    d = pydicom.dcmread(path)
    y = d.pixel_array.astype(np.float32)
    slope, intercept, centre, width = (float(d[k].value) for k in ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"))
    y *= np.float32(slope / (width - 1))
    y += np.float32((intercept - (centre - 0.5)) / (width - 1) + 0.5)
    np.clip(y, 0, 1, out=y)
    if d.PhotometricInterpretation == "MONOCHROME1":
        np.subtract(1, y, out=y)
    y *= np.float32(255)
    y += np.float32(0.5)
    small = Image.fromarray(y.astype(np.uint8)).resize((SIDE, SIDE), Image.BILINEAR).convert("RGB")
    x = np.asarray(small, np.float32).transpose(2, 0, 1) / np.float32(255)
    return (x - MEAN) / STD


class Reader:
    """bench_dicom, asked for one file after the other: processor seconds of all its processes."""

    def __init__(self, build, way):
        self.program = subprocess.Popen([build / "bench/bench_dicom", PRESET, str(SIDE), way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def used(self):
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in members(self.program.pid)) * 1e-9

    def __call__(self, path):
        before = self.used()
        self.program.stdin.write(f"{path}\n")
        self.program.stdin.flush()
        answer = json.loads(self.program.stdout.readline())
        return answer | {"everyone": self.used() - before}

    def close(self):
        self.program.stdin.close()
        self.program.wait()


def one_by_one(build, objects, sample):
    """Files of each syntax in turns, each by all three ways: processor seconds of each."""
    rows = {syntax: [] for syntax in SYNTAXES}
    here, helper = Reader(build, "here"), Reader(build, "helper")
    for number in range(sample // len(SYNTAXES) + 1):
        for syntax in SYNTAXES:
            path = objects[syntax][number % len(objects[syntax])]
            path.read_bytes()  # everyone finds it in the cache
            start = time.process_time()
            theirs = peer(path)
            seconds = time.process_time() - start
            # In turns: whoever comes after the other finds warmer caches.
            first, second = (here, helper) if number % 2 else (helper, here)
            answers = {first: first(path), second: second(path)}
            if abs(answers[helper]["mean"] - float(theirs.mean())) > 2e-3:
                sys.exit(f"{syntax} file {number}: other pictures: mean {answers[helper]['mean']}, {theirs.mean()}")
            if number > 0:  # the first is the warm-up
                rows[syntax].append({"peer": seconds, "decode": answers[here]["decode"], "here": answers[here]["everyone"], "isolated": answers[helper]["everyone"]})
    here.close()
    helper.close()
    return rows


def middle(rows, value):
    values = sorted(value(row) for row in rows)
    return statistics.median(values), values[len(values) // 10], values[-1 - len(values) // 10]


def spread(rows, value, form="{:.2f}"):
    return "{0} ({1} to {2})".format(*(form.format(v) for v in middle(rows, value)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sample", type=int, default=90)
    parser.add_argument("--data", type=Path, default=Path("build/bench/dicom"))
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    objects = make_objects(options.build, options.data, options.files, options.size)
    rows = one_by_one(options.build, objects, options.sample)
    result, wall, memory = end_to_end(options.build, options.data, options.threads)

    everything = [row for of_syntax in rows.values() for row in of_syntax]
    load, adapt, images = result["seconds"]["load"], result["seconds"]["adapt"], result["images"]

    def total(way):
        return sum(row[way] for row in everything)

    decode = total("decode") / total("here")
    table = [f"{processor()}; pydicom {pydicom.__version__}, numpy {np.__version__}, PIL {Image.__version__}, GDCM for JPEG lossless.", "",
             f"`recalibrate` of a ResNet-18 with preset `{PRESET}` ({SIDE} x {SIDE}) on {images} files of {options.size} x {options.size} pixels, a third each\n"
             f"uncompressed, RLE and JPEG lossless, {options.threads} threads:", "",
             "| | |", "|---|---|",
             f"| end to end | {wall:.0f} s, {images / wall:.1f} images per second |",
             f"| of these, reading | {load:.0f} s, {100 * load / wall:.0f} % |",
             f"| of these, measuring the network | {adapt:.0f} s, {100 * adapt / wall:.0f} % |",
             f"| decoding, share of reading and of the whole | {100 * decode:.0f} %, {100 * decode * load / wall:.0f} % |",
             f"| peak memory, helpers included | {memory:.0f} MiB |", "",
             f"One file at a time on one core, {len(everything)} files, each read in turns by pydicom + numpy + PIL, by our reader in the same process, and by",
             "our reader as the program uses it, through a helper process. Milliseconds of processor time; median (tenth to ninetieth percentile).", "",
             "| | uncompressed | RLE | JPEG lossless |", "|---|---|---|---|"]

    def line(name, value, form="{:.1f}"):
        return f"| {name} | " + " | ".join(spread(rows[s], value, form) for s in SYNTAXES) + " |"

    table += [line("pydicom + numpy + PIL", lambda r: 1e3 * r["peer"]),
              line("in process: file to stored values", lambda r: 1e3 * r["decode"]),
              line("in process: stored values to input", lambda r: 1e3 * (r["here"] - r["decode"])),
              line("through a helper", lambda r: 1e3 * r["isolated"]),
              line("pydicom + numpy + PIL / through a helper", lambda r: r["peer"] / r["isolated"], "{:.2f}"),
              line("cost of isolation", lambda r: 100 * (r["isolated"] / r["here"] - 1), "{:.0f} %"), "",
              f"All files together: {total('peer') / total('isolated'):.2f} times as fast as pydicom + numpy + PIL; isolation costs "
              f"{100 * (total('isolated') / total('here') - 1):.0f} %."]
    text = "\n".join(table)
    print(text)
    fill_in(options.markdown, "dicom", text)


if __name__ == "__main__":
    main()
