"""Policy matched on the published ResNet-20 and real images against PyTorch (our own formulas, docs/reference/estimators.md):
reference, matched statistics, predictions; the same bits however they are computed. Needs the shared test data."""
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from support import PROGRAM, CifarResNet, ParityCase, main, nn, np, run, torch

SOURCE, SHARED = Path(sys.argv[2]), Path(sys.argv[3])
if not (SHARED / "data").is_dir():
    print(f"SKIPPED: matched_parity: the shared test data are not at {SHARED}")
    sys.exit(0)
from PIL import Image

CHECKPOINT = SHARED / "data/checkpoints/resnet20-12fca82f.th"
NETWORK = [CHECKPOINT, "--arch", "cifar_resnet20", "--preprocess", "cifar10"]
CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
SHARES = {"cat": 0.5, "dog": 0.25, "ship": 0.25}


def restored(path):
    model = CifarResNet(20)
    state = {k[len("module."):]: v for k, v in torch.load(path, map_location="cpu")["state_dict"].items()}
    model.load_state_dict(state, strict=False)
    return model.eval()


def pixels(files):
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    stack = np.stack([np.asarray(Image.open(f).convert("RGB"), np.float32) / 255 for f in files])
    return torch.from_numpy(((stack - mean) / std).transpose(0, 3, 1, 2).copy())


class Hooked:
    """The network with every BatchNorm's mean and variance as statistics(layer, x, module) gives them."""

    def __init__(self, model):
        self.model = model
        self.layers = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
        for name, module in self.layers:
            module.forward = lambda x, name=name, module=module: self.normalised(name, x, module)

    def normalised(self, name, x, module):
        mean, variance = self.statistics(name, x, module)
        shape = (1, -1, 1, 1)
        return ((x.double() - mean.view(shape)) / torch.sqrt(variance.view(shape) + module.eps)).float() * module.weight.view(shape) + module.bias.view(shape)

    @torch.no_grad()
    def __call__(self, x, statistics):
        self.statistics = statistics
        return torch.softmax(self.model(x).double(), 1)


def reference_of(network, x, q=None):
    """Class-wise first and second moments per layer, weighted by labels or by the network's own probabilities."""
    seen = {}

    def source(name, x, module):
        seen[name] = (x.double().mean((2, 3)), (x.double() ** 2).mean((2, 3)))
        return module.running_mean.double(), module.running_var.double()

    p = network(x, source)
    q = p if q is None else q
    return {name: ((q.T @ a) / q.sum(0)[:, None], (q.T @ b) / q.sum(0)[:, None]) for name, (a, b) in seen.items()}


def matched(reference, shares, found):
    pi = torch.tensor([shares.get(c, 0.0) for c in CLASSES], dtype=torch.float64)

    def statistics(name, x, module):
        x = x.double()
        mt, vt = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        m, s = reference[name]
        mr = (pi[:, None] * m).sum(0)
        vr = (pi[:, None] * s).sum(0) - mr ** 2
        r = torch.sqrt((vt + module.eps) / (vr + module.eps))
        mean, variance = mt + r * (module.running_mean.double() - mr), r * r * module.running_var.double()
        dead = vr < 1e-8 * vr.median()
        found[name] = (torch.where(dead, mt, mean), torch.where(dead, vt, variance))
        return found[name]

    return statistics


class Matched(ParityCase):
    def setUp(self):
        super().setUp()
        self.train = self.linked("train", {c: 40 for c in CLASSES})
        self.target = self.linked("test", {"cat": 40, "dog": 20, "ship": 20})
        with open(self.at / "target.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["path", "label"])
            rows.writerows([str(f.relative_to(self.at)), f.parent.name] for f in self.target)

    def linked(self, part, counts):
        files = []
        for name, count in counts.items():
            (self.at / part / name).mkdir(parents=True)
            for file in sorted((SHARED / "data/cifar10" / part / name).iterdir())[:count]:
                link = self.at / part / name / file.name
                link.symlink_to(file)
                files.append(link)
        return files

    def reference(self, name, *more):
        run("reference", *NETWORK, "--data", self.at / "train", "--out", self.at / name, *more)
        return self.at / name

    def adapted(self, name, *more):
        shares = ",".join(f"{k}={v}" for k, v in SHARES.items())
        run("recalibrate", *NETWORK, "--data", self.at / "test", "--policy", "matched", "--shares", shares, "--out", self.at / name, *more)
        return self.at / name

    def check_statistics(self, file, expected):
        """1e-4: PyTorch sums layers' inputs in float32 convolutions; means in units of the deviation."""
        model = restored(file)
        for name, module in model.named_modules():
            if not isinstance(module, nn.BatchNorm2d):
                continue
            mean, variance = expected[name]
            deviation = torch.sqrt(variance + module.eps)
            self.assertLess(float(((module.running_mean.double() - mean).abs() / deviation).max()), 1e-4, name)
            self.assertLess(float(((module.running_var.double() - variance).abs() / (variance + 1e-3 * variance.mean())).max()), 1e-4, name)

    def test_against_pytorch(self):
        for labelled in (False, True):
            with self.subTest(labelled=labelled):
                file = self.reference(f"{labelled}.bnref", *([] if labelled else ["--by-outputs"]))
                network = Hooked(restored(CHECKPOINT))
                q = torch.eye(10, dtype=torch.float64)[[CLASSES.index(f.parent.name) for f in self.train]] if labelled else None
                found = {}
                p = network(pixels(self.target), matched(reference_of(network, pixels(self.train), q), SHARES, found))
                self.check_statistics(self.adapted(f"{labelled}.th", "--reference", file), found)
                out = self.at / f"{labelled}.csv"
                run("evaluate", *NETWORK, "--data", self.at / "target.csv", "--classes", ",".join(CLASSES), "--mode", "matched", "--shares", "labels", "--reference", file, "--predictions", out)
                with open(out, newline="") as table:
                    rows = {"/".join(Path(r["id"]).parts[-2:]): r for r in csv.DictReader(table)}
                guess = {n: int(np.argmax([float(v) for k, v in r.items() if k.startswith("p_")])) for n, r in rows.items()}
                same = sum(guess[f"{f.parent.name}/{f.name}"] == int(p[i].argmax()) for i, f in enumerate(self.target))
                self.assertGreaterEqual(same, len(self.target) - 1)

    def test_same_bits(self):
        whole = self.reference("whole.bnref", "--by-outputs")
        expected = self.adapted("a.th", "--reference", whole, "--threads", "1").read_bytes()
        for number, more in enumerate((["--threads", "2"], ["--threads", "4"], ["--memory", "1M"])):
            self.assertEqual(self.adapted(f"b{number}.th", "--reference", whole, *more).read_bytes(), expected, more)
        for file in self.target:  # another order
            file.rename(file.with_name(file.stem[::-1] + file.suffix))
        self.assertEqual(self.adapted("c.th", "--reference", whole).read_bytes(), expected)

    def test_merged_references(self):
        whole = self.reference("whole.bnref", "--by-outputs")
        expected = self.adapted("a.th", "--reference", whole).read_bytes()
        everything = self.at / "everything"
        (self.at / "train").rename(everything)
        parts = []
        for part in range(3):
            for name in CLASSES:
                (self.at / "train" / name).mkdir(parents=True)
                for file in sorted((everything / name).iterdir())[part::3]:
                    (self.at / "train" / name / file.name).symlink_to(file.readlink())
            parts.append(self.reference(f"part{part}.bnref", "--by-outputs"))
            (self.at / "train").rename(self.at / f"train{part}")
        run("stats", "merge", *parts, "--out", self.at / "merged.bnref")
        self.assertEqual(self.adapted("m.th", "--reference", self.at / "merged.bnref").read_bytes(), expected)

    def test_estimated_shares(self):
        """Of a mild shift the shares are told, of noise they are not; recalibrate then writes nothing."""
        file = self.reference("r.bnref")
        document = {}
        for name, data in (("clean", self.at / "target.csv"), ("noise", SHARED / "data/cifar10-noise/test")):
            (self.at / f"{name}.yaml").write_text(json.dumps({
                "name": name, "model": {"checkpoint": str(CHECKPOINT), "architecture": "cifar_resnet20", "reference": str(file)}, "preprocess": "cifar10",
                "data": {"target": {"path": str(data)}, "classes": CLASSES}, "modes": ["source", "adabn", "matched"]}))
            run("run", self.at / f"{name}.yaml", "--out", self.at / name)
            document[name] = json.loads((self.at / name / "results.json").read_text())["modes"][2]["mixture"]
        shares = {c["name"]: c["share"] for c in document["clean"]["classes"]}
        self.assertTrue(document["clean"]["tells"])
        self.assertLess(sum(abs(shares[c] - SHARES.get(c, 0)) for c in CLASSES) / 2, 0.15)
        self.assertFalse(document["noise"]["tells"])
        done = subprocess.run([PROGRAM, "recalibrate", *map(str, NETWORK), "--data", SHARED / "data/cifar10-noise/test", "--policy", "matched", "--reference", file, "--out", self.at / "n.th"],
                              capture_output=True, text=True, env=os.environ)
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot tell the shares of the classes", done.stderr)
        self.assertFalse((self.at / "n.th").exists())

    def test_from_the_source_sample(self):
        """A run makes the reference from data.source: the same statistics as from a file."""
        file = self.reference("r.bnref")
        (self.at / "x.yaml").write_text(json.dumps({
            "name": "x", "model": {"checkpoint": str(CHECKPOINT), "architecture": "cifar_resnet20"}, "preprocess": "cifar10",
            "data": {"target": {"path": str(self.at / "target.csv")}, "source": {"path": str(self.at / "train")}, "classes": CLASSES},
            "modes": ["source", {"name": "matched", "policy": "matched", "shares": SHARES}], "export": {"mode": "matched", "path": "x.th"}}))
        run("run", self.at / "x.yaml", "--out", self.at / "x")
        self.assertEqual((self.at / "x/x.th").read_bytes(), self.adapted("y.th", "--reference", file).read_bytes())


if __name__ == "__main__":
    main()
