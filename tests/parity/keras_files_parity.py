"""Keras files that we adapted, as h5py sees them: the golden statistics, our outputs with them, and an unchanged tree but
for the moving statistics. Oracle: the shared golden values and oracle/keras/write_back.py."""
import json
import sys
from pathlib import Path

from support import ParityCase, main, np, read_safetensors, run

SHARED = Path(sys.argv[3])
DATA, ORACLE = SHARED / "data/keras", SHARED / "oracle/keras"
if not DATA.is_dir():
    print(f"SKIPPED: keras_files_parity: the shared test data are not at {SHARED}")
    sys.exit(0)
try:
    import h5py  # noqa: F401
except ImportError:
    print("SKIPPED: keras_files_parity: h5py is not installed")
    sys.exit(0)
sys.path.insert(0, str(ORACLE))
import write_back  # noqa: E402
from keras_files import read_model  # noqa: E402

MODELS = [m for m in json.loads((DATA / "catalog.json").read_text()) if m["stem"] != "mnist_tfkeras215"]


class KerasFiles(ParityCase):
    def outputs_of(self, checkpoint, more):
        run("evaluate", checkpoint, *more, "--data", self.at / "probe.npy", "--outputs", self.at / "y.safetensors")
        (y,) = read_safetensors(self.at / "y.safetensors").values()
        return y

    def check(self, model):
        golden = read_safetensors(DATA / f"{model['stem']}.golden.safetensors")
        graph_of = ("--graph", DATA / model["architecture"]) if "architecture" in model else ()
        first = golden["adapt.x"].shape[1] < golden["adapt.x"].shape[3]
        more = (*graph_of, "--layout", "NCHW" if first else "NHWC")
        for name in ("probe", "adapt"):
            np.save(self.at / f"{name}.npy", golden[f"{name}.x"])
        original, adapted = DATA / model["file"], self.at / "adapted"
        run("recalibrate", original, *more, "--data", self.at / "adapt.npy", "--out", adapted)

        architecture = DATA / model["architecture"] if graph_of else None
        wrong, changed = write_back.verify(original, architecture, adapted)
        self.assertEqual(wrong, [])
        layers = read_model(adapted, architecture).bn()
        self.assertEqual(changed, 2 * len(layers))
        self.assertEqual(original.stat().st_size, adapted.stat().st_size)
        for layer in layers:
            mean, var = golden[f"adabn/{layer.name}/mean"], golden[f"adabn/{layer.name}/var"]
            self.assertTrue((np.abs(layer.weights["moving_mean"] - mean) <= 1e-4 * (np.sqrt(var) + 1e-3 * np.sqrt(var.max()))).all(), layer.name)
            self.assertTrue((np.abs(layer.weights["moving_variance"] - var) <= 1e-4 * (var + 1e-3 * var.max())).all(), layer.name)
        for checkpoint, key in ((original, "stored"), (adapted, "adabn")):
            difference = np.abs(self.outputs_of(checkpoint, more) - golden[f"{key}.probe.out"]).max()
            self.assertLessEqual(difference, 1e-4, key)  # probabilities: docs/reference/test-data.md#keras

    def test_every_model(self):
        for model in MODELS:
            with self.subTest(model["stem"]):
                self.check(model)

    def test_no_batch_norm(self):
        run("inspect", DATA / "mnist_tfkeras215.keras", expect=3)


if __name__ == "__main__":
    main()
