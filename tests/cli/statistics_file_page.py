"""Reads statistics files as docs/reference/statistics-file.md describes them, and nothing else: mean and variance from the
exact sums in rational numbers, against `stats show --json`; the sums of a merge against the sum of its parts. Errors and
distances by the formulas of docs/reference/estimators.md, against `stats show` and `stats diff`.

usage: statistics_file_page.py SHIFTNORM PROJECT       (Python's standard library only)
"""
import json
import math
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from fractions import Fraction
from pathlib import Path

PROGRAM, PROJECT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()


# ---- the reader, from the page alone

def read_arrays(path):
    """Metadata, and by name the shape and the numbers of every array."""
    data = Path(path).read_bytes()
    end = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:end])
    metadata = header.pop("__metadata__")
    assert metadata["schema"] == "1"
    kinds = {"I64": "q", "F64": "d", "F32": "f"}
    arrays = {}
    for name, entry in header.items():
        begin, stop = (end + offset for offset in entry["data_offsets"])
        kind = kinds[entry["dtype"]]
        arrays[name] = entry["shape"], struct.unpack(f"<{(stop - begin) // struct.calcsize(kind)}{kind}", data[begin:stop])
    return metadata, arrays


def exact_sums(array):
    shape, digits = array
    assert shape[-1] == 18
    return [sum(Fraction(2) ** (32 * i - 288) * digit for i, digit in enumerate(digits[at:at + 18]))
            for at in range(0, len(digits), 18)]


def read_layers(path):
    """By layer: counts, mean and variance, and where there are sums (S, Q, pivot)."""
    metadata, arrays = read_arrays(path)
    layers = {}
    for name in (key[:-len(".mean")] for key in arrays if key.endswith(".mean")):
        layer = {key: arrays[f"{name}.{key}"][1][0] for key in ("values", "images", "batches")}
        layer["mean"], layer["variance"] = arrays[f"{name}.mean"][1], arrays[f"{name}.variance"][1]
        if f"{name}.sum" in arrays:
            sums, squares = exact_sums(arrays[f"{name}.sum"]), exact_sums(arrays[f"{name}.square"])
            pivots = [Fraction(pivot) for pivot in arrays[f"{name}.pivot"][1]]
            layer["sums"] = list(zip(sums, squares, pivots))
            n = layer["batches"] if metadata["estimator"] == "batch-mean" else layer["values"]
            if metadata["estimator"] == "batch-mean":
                layer["exact"] = [(s / n, q / n) for s, q, _ in layer["sums"]]
            else:
                layer["exact"] = [(pivot + s / n, max(Fraction(0), (q - s * s / n) / n)) for s, q, pivot in layer["sums"]]
        if f"{name}.spread" in arrays:
            spread = exact_sums(arrays[f"{name}.spread"])
            layer["spread"], layer["units"] = list(zip(spread[::3], spread[1::3], spread[2::3])), arrays[f"{name}.units"][1][0]
        layers[name] = layer
    return metadata, layers


def settling_error(layer, of_batches):
    """The section "Settling" of docs/reference/estimators.md, from the sums over units."""
    units, least = layer["units"], sum(layer["variance"]) / len(layer["variance"]) / 1000
    plane = 1 if of_batches else Fraction(layer["values"], units)
    n = layer["batches"] if of_batches else layer["images"]
    total = weights = 0
    for (s, q, _), (aa, qq, aq), v in zip(layer["sums"], layer["spread"], layer["variance"]):
        if v <= 0:
            continue
        s, q = s / plane, q / plane  # sums of a and q over the units
        mean = 0 if of_batches else s / units
        variance_a = (aa - s * s / units) / (units - 1)
        d, dd = q - 2 * mean * s, qq - 4 * mean * aq + 4 * mean * mean * aa
        variance_d = (dd - d * d / units) / (units - 1)
        weight = v / max(v, least)
        total += weight * float(variance_a / n + variance_d / (4 * Fraction(v) * n)) / v
        weights += weight
    return (total / weights) ** 0.5


def distance(a, b):
    """The section "Distances" of docs/reference/estimators.md."""
    least = [sum(one["variance"]) / len(one["variance"]) / 1000 for one in (a, b)]
    rows = list(zip(a["mean"], a["variance"], b["mean"], b["variance"]))
    told = [(ma, max(va, least[0]), mb, max(vb, least[1])) for ma, va, mb, vb in rows if va > 0 and vb > 0]

    def divergence(m1, v1, m2, v2):
        return math.log(v2 / v1) / 2 + (v1 + (m1 - m2) ** 2) / (2 * v2) - 0.5

    return {"mean_shift": sum(abs(mb - ma) / va ** 0.5 for ma, va, mb, _ in told) / len(told),
            "variance_ratio": math.exp(sum(math.log(vb / va) for _, va, _, vb in told) / len(told)),
            "symmetric_kl": sum(divergence(ma, va, mb, vb) + divergence(mb, vb, ma, va) for ma, va, mb, vb in told) / len(told),
            "wasserstein": (sum((mb - ma) ** 2 + (vb ** 0.5 - va ** 0.5) ** 2 for ma, va, mb, vb in rows) / len(rows)) ** 0.5}


# ---- held against the program

def write_npy(path, shape, values):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(values)}f", *values))


class StatisticsFile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.at = Path(cls.folder.name)
        draw = random.Random(7)
        for part in ("one", "two"):
            write_npy(cls.at / f"{part}.npy", (10, 3, 32, 32), [draw.gauss(0.3, 1) for _ in range(10 * 3 * 32 * 32)])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def call(self, *arguments):
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, cwd=self.at)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def measure(self, data, file, *method):
        self.call("recalibrate", PROJECT / "datasets/phantom/scanner_a.pth", "--arch", "cifar_resnet20", "--data", f"{data}.npy",
                  "--stats-out", file, "--threads", "1", *method)

    def assert_shown(self, file):
        """What the program shows is what the page's formulas give."""
        metadata, layers = read_layers(self.at / file)
        shown = json.loads(self.call("stats", "show", file, "--json"))
        self.assertEqual([layer["name"] for layer in shown["layers"]], list(layers))
        for key in ("semantics", "estimator", "model_sha256", "architecture", "instruction_set"):
            self.assertEqual(shown[key], metadata[key])
        self.assertEqual(shown["images"], int(metadata["images"]))
        for layer in shown["layers"]:
            own = layers[layer["name"]]
            for key in ("values", "images", "batches"):
                self.assertEqual(layer[key], own[key], layer["name"])
            self.assertEqual(layer["mean"], list(own["mean"]))
            self.assertEqual(layer["variance"], list(own["variance"]))
            self.assertEqual(layer["exact"], "sums" in own)
            for channel, (mean, variance) in enumerate(own.get("exact", [])):
                s, q, pivot = own["sums"][channel]
                where = f"{file}: {layer['name']}, channel {channel}"
                # Long double, 2^-64, on numbers as large as the terms; then one rounding to double, 2^-53.
                size = max(abs(pivot), abs(s) / own["values"], abs(mean))
                self.assertLessEqual(abs(Fraction(layer["mean"][channel]) - mean), size / 2 ** 52, where)
                self.assertLessEqual(abs(Fraction(layer["variance"][channel]) - variance),
                                     variance / 2 ** 52 + q / own["values"] / 2 ** 60, where)
        return layers

    def assert_settling(self, file, layers, of_batches):
        for layer in json.loads(self.call("stats", "show", file, "--json"))["layers"]:
            # 1e-9: moments of units are doubles, and their products are rounded before they are added.
            self.assertAlmostEqual(layer["error"] / settling_error(layers[layer["name"]], of_batches), 1, delta=1e-9)

    def test_population(self):
        self.measure("one", "a.bnstats")
        layers = self.assert_shown("a.bnstats")
        self.assertTrue(all("sums" in layer for layer in layers.values()))
        self.assert_settling("a.bnstats", layers, False)

    def test_batch_mean(self):
        self.measure("one", "a.bnstats", "--semantics", "batch", "--estimator", "batch-mean", "--batch", "4")
        layers = self.assert_shown("a.bnstats")
        self.assertEqual({layer["batches"] for layer in layers.values()}, {3})
        self.assert_settling("a.bnstats", layers, True)

    def test_distances(self):
        self.measure("one", "a.bnstats")
        self.measure("two", "b.bnstats", "--semantics", "source")
        a, b = (read_layers(self.at / file)[1] for file in ("a.bnstats", "b.bnstats"))
        for shown in json.loads(self.call("stats", "diff", "a.bnstats", "b.bnstats", "--json"))["layers"]:
            for key, expected in distance(a[shown["layer"]], b[shown["layer"]]).items():
                # 1e-9: logarithms cancel in the program, here they are added.
                self.assertAlmostEqual(shown[key], expected, delta=1e-9 * (1 + abs(expected)), msg=f"{shown['layer']}: {key}")

    def test_an_exponential_average_has_no_sums(self):
        self.measure("one", "a.bnstats", "--semantics", "batch", "--estimator", "ema", "--batch", "5")
        self.assertFalse(any("sums" in layer for layer in self.assert_shown("a.bnstats").values()))

    def test_layers_left_out_are_not_measured(self):
        self.measure("one", "a.bnstats", "--layers", "layer1.*")
        layers = self.assert_shown("a.bnstats")
        self.assertEqual({name for name, layer in layers.items() if layer["values"] > 0},
                         {name for name in layers if name.startswith("layer1.")})
        self.assertTrue(all(("sums" in layer) == (layer["values"] > 0) for layer in layers.values()))

    def test_a_merge_adds_the_sums(self):
        for part in ("one", "two"):
            self.measure(part, f"{part}.bnstats", "--semantics", "source")
        self.call("stats", "merge", "one.bnstats", "two.bnstats", "--out", "both.bnstats")
        parts = [self.assert_shown(f"{part}.bnstats") for part in ("one", "two")]
        for name, layer in self.assert_shown("both.bnstats").items():
            self.assertEqual(layer["values"], sum(part[name]["values"] for part in parts))
            for (s, q, pivot), (s1, q1, pivot1), (s2, q2, _) in zip(layer["sums"], parts[0][name]["sums"], parts[1][name]["sums"]):
                self.assertEqual((s, q, pivot), (s1 + s2, q1 + q2, pivot1))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
