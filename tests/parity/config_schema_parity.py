"""configs/schema.json against python3-jsonschema: it is a schema, it takes what the parser takes, and refuses what is wrong.

usage: config_schema_parity.py SHIFTNORM PROJECT SHARED
"""
import copy
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"SKIPPED: config_schema_parity: {missing.name} is not installed")
    sys.exit(0)

PROGRAM, PROJECT = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
TEMPLATES = ("cifar10", "dicom", "imagenet")


class Loader(yaml.SafeLoader):
    """YAML 1.2, as the program reads it: `off` and `no` are words, dates are texts."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def template(name):
    return subprocess.run([PROGRAM, "init", name, "--out", "-"], check=True, capture_output=True, text=True).stdout


def texts():
    for file in sorted((PROJECT / "configs").glob("*.yaml")):
        yield file.name, file.read_text()
    for name in TEMPLATES:
        yield f"init {name}", template(name)


def changed(config, path, value):
    out = copy.deepcopy(config)
    at = out
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return out


def parses(config):
    """Whether the program's own parser takes it; files need not be there."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "c.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        return subprocess.run([PROGRAM, "run", file, "--dry-run"], capture_output=True, cwd=folder).returncode == 0


class Schema(unittest.TestCase):
    def setUp(self):
        self.schema = json.loads((PROJECT / "configs/schema.json").read_text())
        self.validator = jsonschema.Draft7Validator(self.schema)

    def test_is_a_schema(self):
        jsonschema.Draft7Validator.check_schema(self.schema)

    def test_every_configuration_and_template_is_valid(self):
        seen = 0
        for name, text in texts():
            with self.subTest(name):
                self.assertEqual([f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in self.validator.iter_errors(yaml.load(text, Loader))], [])
                seen += 1
        self.assertGreaterEqual(seen, 7)

    def test_what_is_wrong_is_refused_by_both(self):
        config = yaml.load(template("cifar10"), Loader)
        self.assertTrue(parses(config))
        wrong = [(("sead",), 7), (("seed",), "seven"), (("seed",), -1), (("model", "checkpoint"), ["a.th"]), (("model", "chekpoint"), "a.th"), (("data", "target", "shift"), {"fog": 6}),
                 (("data", "target", "shift"), {"fogg": 2}), (("data", "target", "limit"), {"per_klass": 2}), (("modes", 1), "adabm"), (("modes", 2, "policy"), "blends"),
                 (("modes", 3, "estimator"), "median"), (("evaluate", "metrics"), ["acuracy"]), (("evaluate", "interval", "level"), "high"), (("protocol",), {"kind": "transductiv"}),
                 (("sweep",), {"seed": 3}), (("sweep",), {"seed": []}), (("preprocess",), "cifar11"), (("modes", 3, "shuffle"), "maybe"), (("data", "target", "label"), {"column": "x"}), (("export",), {"mode": "adabn"})]
        for path, value in wrong:
            with self.subTest(f"{'.'.join(map(str, path))} = {value}"):
                bad = changed(config, path, value)
                self.assertFalse(self.validator.is_valid(bad), "the schema takes it")
                self.assertFalse(parses(bad), "the parser takes it")

    def test_what_is_written_is_read_alike_by_every_version_of_yaml(self):
        """Oracle: PyYAML, which reads YAML 1.1, where on, y and 1:30 are no texts."""
        odd = ["on", "Off", "yes", "NO", "y", "N", "true", "False", "null", "Null", "~", "1", "1.5", "1e3", "1.0e+3", "0o7", "010", "0x1F", "0b1", "1:30", "1_000", ".inf", "-.INF", ".nan", "2020-01-01",
               "2020-01-01T00:00:00Z", "=", "<<", "- a", "a: b", "# c", "&x", "*x", "!t", "%d", "@d", "`b", "|", ">", "{", "]", ",", "?", ":", "'", '"', "a b", "\u00e4", "tab\there", "plain", "A/b.c-d_9"]
        config = yaml.load(template("cifar10"), Loader)
        config["data"]["target"]["labels"] = "t.csv"
        config["data"]["target"]["where"] = {key: odd for key in odd}
        config["data"]["target"]["label"] = {"column": "y", "split": "|", "none": "no"}
        config["data"]["classes"] = odd
        config["modes"] = ["source", {"name": "off", "policy": "adabn", "semantics": "batch", "estimator": "ema", "shuffle": "on", "momentum": 1e-7}]
        config.pop("export", None)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "c.yaml"
            file.write_text(json.dumps(config))
            told = subprocess.run([PROGRAM, "run", file, "--dry-run", "--json"], capture_output=True, text=True, cwd=folder)
        self.assertEqual(told.returncode, 0, told.stderr)
        text = json.loads(told.stdout)["config"]
        for loader in (yaml.SafeLoader, Loader):
            read = yaml.load(text, loader)
            self.assertEqual(read["data"]["target"]["where"], {key: odd for key in odd})
            self.assertEqual(read["data"]["target"]["label"], config["data"]["target"]["label"] | {"none": ["no"]})
            self.assertEqual(read["data"]["classes"], odd)
            self.assertEqual(read["modes"][1]["name"], "off")
            self.assertEqual(read["modes"][1]["momentum"], 1e-7)

    def test_what_is_right_is_taken_by_both(self):
        config = yaml.load(template("cifar10"), Loader)
        right = [(("data", "target", "shift"), {"fog": 5, "contrast": 1}), (("modes", 2), {"policy": "mixture", "prior_images": 4}), (("protocol",), {"kind": "held_out", "adapt": 0.3, "by": "image"}),
                 (("protocol",), {"kind": "streaming", "batch": 16}), (("sweep",), {"data.target.shift": [{}, {"fog": 1}], "seed": [1, 2]}), (("evaluate", "interval"), {"method": "bca", "resamples": 100}),
                 (("modes", 1), {"policy": "adabn", "semantics": "batch", "shuffle": "on"}), (("modes", 1), {"policy": "adabn", "semantics": "batch", "shuffle": False}),
                 (("data", "target", "label"), {"column": "Finding Labels", "split": "|", "none": ["No Finding"]}), (("data", "target", "label"), {"tag": "ViewPosition", "map": {"PA": "x"}}),
                 (("preprocess",), [{"to_float": {"scale": 255}}, {"normalize": {"mean": [0.5] * 3, "std": [0.2] * 3}}])]
        for path, value in right:
            with self.subTest(f"{'.'.join(map(str, path))} = {value}"):
                good = changed(config, path, value)
                self.assertEqual([e.message for e in self.validator.iter_errors(good)], [])
                good.pop("sweep", None)  # a dry run of a sweep looks at its files
                self.assertTrue(parses(good), "the parser refuses it")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
