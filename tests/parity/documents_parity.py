"""Every JSON document of the program against the schema that ships with it (python3-jsonschema), made by real calls.

usage: documents_parity.py SHIFTNORM PROJECT SHARED
"""
import copy
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import json_schemas as schemas
    import numpy as np
    import torch
    from PIL import Image
    from support import build
except ImportError as missing:
    print(f"SKIPPED: documents_parity: {missing.name} is not installed")
    sys.exit(0)

PROGRAM = Path(sys.argv[1]).resolve()
CHOOSE = ("--arch", "cifar_resnet20", "--preprocess", "cifar10")


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.at = Path(cls.folder.name)
        torch.save(build("cifar_resnet20").state_dict(), cls.at / "net.pth")
        random = np.random.default_rng(7)
        rows = []
        for c in range(10):
            (cls.at / "images" / chr(97 + c)).mkdir(parents=True)
            for i in range(4):
                name = f"images/{chr(97 + c)}/{i}.png"
                Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(cls.at / name)
                rows.append({"path": name, "label": chr(97 + c), "site": "north" if i % 2 else "south",
                             **{f"f{k}": int(random.integers(0, 2)) for k in range(10)}})
        with open(cls.at / "table.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        shutil.copytree(cls.at / "images", cls.at / "plain")
        for image in list((cls.at / "plain").rglob("*.png")):
            image.rename(cls.at / "plain" / f"{image.parent.name}{image.name}")
        for c in range(10):
            (cls.at / "plain" / chr(97 + c)).rmdir()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def call(self, *arguments, expect=0):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, cwd=self.at)
        self.assertEqual(done.returncode, expect, f"{arguments}\n{done.stderr}")
        return done

    def document(self, schema, *arguments):
        return schemas.check(schema, json.loads(self.call(*arguments, "--json").stdout))

    def file(self, schema, path):
        return schemas.check(schema, json.loads((self.at / path).read_text()))

    def run_yaml(self, name, text, *more):
        (self.at / f"{name}.yaml").write_text(
            "seed: 3\nmodel: {checkpoint: net.pth, architecture: cifar_resnet20}\npreprocess: cifar10\n" + text)
        printed = json.loads(self.call("run", f"{name}.yaml", "--out", name, "--json", *more).stdout)
        return printed

    def run_results(self, name, text, *more):
        printed = self.run_yaml(name, text, *more)
        self.assertEqual(printed, self.file("results.json", f"{name}/results.json"))
        return schemas.check("results.json", printed)

    def test_schemas_are_schemas(self):
        for name, schema in schemas.SCHEMAS.items():
            with self.subTest(name):
                schemas.jsonschema.Draft7Validator.check_schema(schema)
                schemas.places(name, schema)  # every reference leads somewhere

    def test_runs(self):
        few = "evaluate: {interval: {resamples: 100}}\n"
        self.run_results("whole", "data: {target: {path: images}, source: {path: images}}\n"
                         "modes: [source, disabled, adabn, {name: twin, policy: adabn}, {policy: blend, prior_images: 8}, "
                         "{policy: mixture, source_weight: 0.5, layers: {include: ['*'], exclude: [layer1.0.bn1], first: 9, last: 19, min_level: 1, max_level: 99}}, "
                         "{name: e, policy: adabn, semantics: batch, estimator: ema, batch: 8, momentum: 0.2}, batch]\n" + few +
                         "export: {mode: adabn, path: a.safetensors}\n")
        self.file("provenance.json", "whole/a.safetensors.provenance.json")
        self.run_results("bca", "data: {target: {path: table.csv}}\nmodes: [source, adabn]\n"
                         "evaluate: {metrics: [accuracy], subgroups: [site], interval: {method: bca, by: site, resamples: 100}}\n")
        self.run_results("held", "data: {target: {path: images, limit: {images: 30, seed: 1}, shift: {gaussian_noise: 2}}}\n"
                         "protocol: {kind: held_out, adapt: 0.5}\nmodes: [source, adabn]\n" + few + "export: {mode: adabn, path: a.safetensors}\n")
        self.assertIn("held in", self.file("provenance.json", "held/a.safetensors.provenance.json")["drawn"])
        self.run_results("stream", "data: {target: {path: images}}\nprotocol: {kind: streaming, batch: 16}\nmodes: [source, adabn]\n" + few)
        self.run_results("domains", "data: {target: {path: table.csv, domain: {key: site, min_images: 25}}}\nmodes: [source, adabn]\n" + few +
                         "export: {mode: adabn, path: a.safetensors}\n")
        self.file("domains.json", "domains/domains.json")
        self.run_results("unlabelled", "data: {target: {path: plain}}\nmodes: [source, adabn]\n")
        findings = ", ".join(f"f{k}" for k in range(10))
        self.run_results("findings", f"data: {{target: {{path: table.csv, label: [{findings}]}}}}\n"
                         "modes: [source, adabn]\nevaluate: {metrics: [auroc, average_precision], interval: {resamples: 100}}\n", "--set", "model.outputs=sigmoid")
        self.document("dry-run.json", "run", "whole.yaml", "--dry-run", "--out", "never")

    def test_sweep(self):
        text = ("data: {target: {path: images}}\nmodes: [source, adabn]\nevaluate: {metrics: [accuracy], interval: {resamples: 100}}\n"
                "sweep: {seed: [1, 2], data.target.shift: [{contrast: 1}, {contrast: 5}]}\n")
        printed = self.run_yaml("sweep", text, "--store", "runs.sqlite")
        self.assertEqual(printed, self.file("sweep.json", "sweep/sweep.json"))
        self.document("sweep.json", "run", "sweep.yaml", "--dry-run", "--out", "sweep")
        printed = self.document("results-table.json", "results", "--store", "runs.sqlite")
        self.assertEqual(printed, json.loads(self.call("results", "--store", "runs.sqlite", "--format", "json").stdout))

    def test_commands(self):
        self.document("job.json", "recalibrate", "net.pth", *CHOOSE, "--data", "images", "--out", "r.safetensors", "--semantics", "source",
                      "--stats-out", "a.bnstats")
        self.document("job.json", "recalibrate", "net.pth", *CHOOSE, "--data", "plain", "--max-images", 12, "--semantics", "source",
                      "--out", "q.safetensors", "--stats-out", "b.bnstats")
        self.document("job.json", "recalibrate", "net.pth", *CHOOSE, "--data", "table.csv", "--domain", "site", "--out", "d.safetensors")
        self.file("domains.json", "d.safetensors.domains.json")
        self.document("job.json", "evaluate", "net.pth", *CHOOSE, "--data", "images", "--predictions", "p.csv", "--outputs", "o.safetensors")
        self.document("job.json", "evaluate", "net.pth", *CHOOSE, "--data", "plain")
        self.document("job.json", "evaluate", "net.pth", *CHOOSE, "--data", "table.csv", "--label", ",".join(f"f{k}" for k in range(10)))
        self.file("provenance.json", "r.safetensors.provenance.json")
        self.document("export.json", "export", "net.pth", "--stats", "a.bnstats", "--policy", "blend", "--prior-images", 4, "--out", "e.onnx")
        self.file("provenance.json", "e.onnx.provenance.json")
        self.document("statistics.json", "stats", "show", "a.bnstats")
        self.document("statistics.json", "inspect", "b.bnstats")
        self.document("stats-diff.json", "stats", "diff", "a.bnstats", "b.bnstats")
        self.document("stats-merge.json", "stats", "merge", "a.bnstats", "b.bnstats", "--out", "ab.bnstats")
        self.document("statistics.json", "stats", "show", "ab.bnstats")
        for where in (("net.pth",), ("net.pth", "--arch", "cifar_resnet20"), ("r.safetensors", "--arch", "cifar_resnet20"), ("e.onnx",),
                      ("net.pth", "--stats", "a.bnstats", "--arch", "cifar_resnet20")):
            self.document("inspect-checkpoint.json", "inspect", *where)
        (self.at / "plain" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
        (self.at / "plain" / "notes.txt").write_text("no image")
        for where in (("images",), ("plain", "--pixels"), ("table.csv", "--preprocess", "cifar10", "--domain", "site")):
            self.document("inspect-data.json", "inspect", *where)
        self.document("init.json", "init", "cifar10", "--out", "start.yaml")

    def test_events(self):
        done = self.call("recalibrate", "net.pth", *CHOOSE, "--data", "images", "--max-images", 3, "--out", "events.safetensors", "--log-format", "json",
                         "--log-level", "debug")
        for line in done.stderr.splitlines():
            schemas.check("event.json", json.loads(line))
        done = self.call("recalibrate", "missing", "--data", "images", "--out", "x", "--log-format", "json", expect=3)
        error = schemas.check("event.json", json.loads(done.stderr))
        self.assertEqual((error["event"], error["exit"]), ("error", 3))

    def test_what_is_not_said_is_refused(self):
        """Else a schema would take anything."""
        document = self.document("init.json", "init", "dicom", "--out", "other.yaml")
        for path in ((), ("outputs",)):
            changed = copy.deepcopy(document)
            at = changed
            for key in path:
                at = at[key]
            at["more"] = 1
            with self.assertRaises(AssertionError):
                schemas.check("init.json", changed)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
