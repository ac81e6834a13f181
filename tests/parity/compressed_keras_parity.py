"""Keras files that users compressed with h5py, adapted: their tree and every value but the moving statistics are unchanged,
and these are what the uncompressed file gets. Oracle: h5py."""
import io
import json
import sys
import zipfile
from pathlib import Path

from support import ParityCase, main, np, read_safetensors, run

try:
    import h5py
except ImportError:
    print("SKIPPED: compressed_keras_parity: h5py is not installed")
    sys.exit(0)

CHANNELS = 48
HOW = {
    "plain": {},
    "gzip": {"compression": "gzip"},
    "gzip9_shuffled": {"compression": "gzip", "compression_opts": 9, "shuffle": True},
    "summed": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"compression": "lzf", "shuffle": True},
    "only_summed": {"fletcher32": True},
    "four_chunks": {"compression": "gzip", "chunks": 13},
    "extendible": {"compression": "gzip", "chunks": 16, "maxshape": None},
}


def layers(rng):
    def values(*shape, low=-1.0, high=1.0):
        return rng.uniform(low, high, shape).astype(np.float32)
    return [
        ("Conv2D", "conv", {"padding": "same", "data_format": "channels_last", "use_bias": False, "activation": "linear", "batch_input_shape": [None, 12, 10, 3]},
         {"kernel": values(3, 3, 3, CHANNELS)}),
        # As training begins: vectors of equal numbers, which compress to a fraction of what they become.
        ("BatchNormalization", "bn", {"axis": -1, "epsilon": 0.001, "momentum": 0.9, "center": True, "scale": True},
         {"gamma": np.ones(CHANNELS, np.float32), "beta": np.zeros(CHANNELS, np.float32), "moving_mean": np.zeros(CHANNELS, np.float32),
          "moving_variance": np.ones(CHANNELS, np.float32)}),
        ("Activation", "relu", {"activation": "relu"}, {}),
        ("BatchNormalization", "bn2", {"axis": -1, "epsilon": 0.001, "momentum": 0.9, "center": True, "scale": True},
         {"gamma": values(CHANNELS), "beta": values(CHANNELS), "moving_mean": values(CHANNELS), "moving_variance": values(CHANNELS, low=0.5)}),
        ("GlobalAveragePooling2D", "pool", {"data_format": "channels_last"}, {}),
        ("Dense", "dense", {"use_bias": False, "activation": "softmax"}, {"kernel": values(CHANNELS, 5)}),
    ]


def model_of(parts):
    return json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": c, "config": {"name": n, **s}} for c, n, s, _ in parts]}})


def dataset(group, name, values, how):
    how = dict(how)
    if "chunks" in how or "maxshape" in how:
        if values.ndim != 1:
            how = {"compression": "gzip"}
        else:
            how["chunks"] = (how["chunks"],)
            if "maxshape" in how:
                how["maxshape"] = (None,)
    group.create_dataset(name, data=values, **how)


def write_h5(path, parts, how, **options):
    with h5py.File(path, "w", **options) as f:
        f.attrs["model_config"], f.attrs["keras_version"], f.attrs["backend"] = model_of(parts), "2.15.0", "tensorflow"
        root = f.create_group("model_weights")
        root.attrs["layer_names"] = np.array([name for _, name, _, _ in parts], "S")
        for _, name, _, weights in parts:
            group = root.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/{role}:0" for role in weights], "S") if weights else np.zeros(0)
            for role, values in weights.items():
                dataset(group, f"{name}/{role}:0", values, how)


def content(path):
    """Every object: attributes, layout, filters and values."""
    found = {}
    with h5py.File(path, "r") as f:
        def visit(name, item):
            attributes = {k: np.asarray(v).tolist() for k, v in item.attrs.items()}
            if isinstance(item, h5py.Dataset):
                found[name] = (attributes, item.shape, item.dtype, item.chunks, item.compression, item.compression_opts, item.shuffle, item.fletcher32, item[()])
            else:
                found[name] = (attributes,)
        f.visititems(visit)
        found["/"] = ({k: np.asarray(v).tolist() for k, v in f.attrs.items()},)
    return found


class Compressed(ParityCase):
    def setUp(self):
        super().setUp()
        rng = np.random.RandomState(2)
        self.parts = layers(rng)
        np.save(self.at / "x.npy", (rng.randn(20, 12, 10, 3) * 2 + 1).astype(np.float32))

    def outputs(self, path):
        run("evaluate", path, "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors")
        (y,) = read_safetensors(self.at / "y.safetensors").values()
        return y

    def check(self, original, adapted, plain):
        before, after = content(original), content(adapted)
        self.assertEqual(list(before), list(after))
        for name in before:
            statistics = "moving_" in name
            self.assertEqual(before[name][:-1] if len(before[name]) > 1 else before[name], after[name][:-1] if len(after[name]) > 1 else after[name], name)
            if len(before[name]) > 1:
                expected = plain[name][-1] if statistics else before[name][-1]
                np.testing.assert_array_equal(after[name][-1], expected, name)

    def test_hdf5(self):
        write_h5(self.at / "plain.h5", self.parts, {})
        reference = self.outputs(self.at / "plain.h5")
        run("recalibrate", self.at / "plain.h5", "--data", self.at / "x.npy", "--out", self.at / "plain.adapted.h5")
        plain, adapted_outputs = content(self.at / "plain.adapted.h5"), self.outputs(self.at / "plain.adapted.h5")
        self.assertGreater(np.abs(adapted_outputs - reference).max(), 1e-2)
        for name, how in HOW.items():
            for libver in ("earliest", "latest"):
                with self.subTest(name, libver=libver):
                    original, out = self.at / f"{name}.{libver}.h5", self.at / f"{name}.{libver}.out.h5"
                    write_h5(original, self.parts, how, libver=libver)
                    if name == "extendible" and libver == "latest":
                        run("evaluate", original, "--data", self.at / "x.npy", expect=3)
                        continue
                    np.testing.assert_array_equal(self.outputs(original), reference)
                    run("recalibrate", original, "--data", self.at / "x.npy", "--out", out)
                    self.check(original, out, plain)
                    np.testing.assert_array_equal(self.outputs(out), adapted_outputs)
                    # Again: what lies at the end by now is changed where it lies, or moves once more.
                    run("recalibrate", out, "--data", self.at / "x.npy", "--policy", "disabled", "--out", self.at / "again.h5")
                    with h5py.File(self.at / "again.h5", "r") as f:
                        np.testing.assert_allclose(f["model_weights/bn/bn/moving_variance:0"][()], 1 - 0.001, rtol=1e-6)

    def test_archive(self):
        """Within .keras nothing may grow: chunks that fit are written, others refused."""
        for name, grows in (("gzip9_shuffled", False), ("gzip", True)):
            parts = [(c, n, s, dict(w)) for c, n, s, w in self.parts]
            if not grows:
                for weights in (parts[1][3], parts[3][3]):
                    for role in ("moving_mean", "moving_variance"):
                        weights[role] = np.frombuffer(np.random.RandomState(1).bytes(4 * CHANNELS), np.uint8).astype(np.float32).repeat(1)[:CHANNELS] + np.float32(0.1234567)
            image = io.BytesIO()
            with h5py.File(image, "w") as f:
                for place, (_, _, _, weights) in zip(["conv2d", "batch_normalization", "activation", "batch_normalization_1", "global_average_pooling2d", "dense"], parts):
                    group = f.create_group(f"layers/{place}/vars")
                    for i, values in enumerate(weights.values()):
                        dataset(group, str(i), values, HOW[name])
            path = self.at / f"{name}.keras"
            with zipfile.ZipFile(path, "w") as z:
                z.writestr("metadata.json", json.dumps({"keras_version": "3.3.0"}))
                z.writestr("config.json", model_of(parts))
                z.writestr("model.weights.h5", image.getvalue())
            self.outputs(path)
            out = self.at / f"{name}.out.keras"
            if grows:
                run("recalibrate", path, "--data", self.at / "x.npy", "--out", out, expect=3)
                continue
            # Round numbers compress to less than any others.
            run("recalibrate", path, "--data", self.at / "x.npy", "--policy", "disabled", "--out", out)
            with zipfile.ZipFile(out) as z:
                self.assertIsNone(z.testzip())
                with h5py.File(io.BytesIO(z.read("model.weights.h5")), "r") as f:
                    np.testing.assert_allclose(f["layers/batch_normalization/vars/3"][()], 1 - 0.001, rtol=1e-6)


class ArrayAxes(ParityCase):
    def test_arrays_in_the_models_own_layout(self):
        """Without --layout, the same as with it; where both fit, it is asked for."""
        rng = np.random.RandomState(5)
        def bn(axis_channels):
            return {r: rng.uniform(0.5, 1.5, axis_channels).astype(np.float32) for r in ("gamma", "beta", "moving_mean", "moving_variance")}
        cases = {  # layer, input, kernel, layout
            "NTC": ("Conv1D", [None, 20, 3], (3, 3, 4)), "NHWC": ("Conv2D", [None, None, None, 3], (3, 3, 3, 4)),
            "NDHWC": ("Conv3D", [None, 6, 7, 8, 2], (3, 3, 3, 2, 4)),
        }
        for layout, (kind, shape, kernel) in cases.items():
            with self.subTest(layout):
                spatial = len(shape) - 2
                parts = [(kind, "conv", {"padding": "same", "data_format": "channels_last", "use_bias": False, "activation": "linear", "batch_input_shape": shape},
                          {"kernel": rng.randn(*kernel).astype(np.float32)}),
                         ("BatchNormalization", "bn", {"axis": -1, "epsilon": 0.001, "momentum": 0.9, "center": True, "scale": True}, bn(4)),
                         (f"GlobalAveragePooling{spatial}D", "pool", {"data_format": "channels_last"}, {})]
                write_h5(self.at / "net.h5", parts, {})
                extents = [e or 9 for e in shape[1:]]
                x = rng.randn(5, *extents).astype(np.float32)
                np.save(self.at / "last.npy", x)
                np.save(self.at / "first.npy", np.moveaxis(x, -1, 1).copy())
                found = []
                for data, more in (("last", ()), ("last", ("--layout", layout)), ("first", ())):
                    run("evaluate", self.at / "net.h5", "--data", self.at / f"{data}.npy", "--outputs", self.at / "y.safetensors", *more)
                    found += read_safetensors(self.at / "y.safetensors").values()
                np.testing.assert_array_equal(found[0], found[1])
                np.testing.assert_array_equal(found[0], found[2])
        parts[0] = ("Conv2D", "conv", {"padding": "same", "data_format": "channels_last", "use_bias": False, "activation": "linear", "batch_input_shape": [None, None, None, 3]},
                    {"kernel": rng.randn(3, 3, 3, 4).astype(np.float32)})
        parts[2] = ("GlobalAveragePooling2D", "pool", {"data_format": "channels_last"}, {})
        write_h5(self.at / "net.h5", parts, {})
        np.save(self.at / "both.npy", rng.randn(5, 3, 7, 3).astype(np.float32))
        run("evaluate", self.at / "net.h5", "--data", self.at / "both.npy", expect=2)
        run("evaluate", self.at / "net.h5", "--data", self.at / "both.npy", "--layout", "NHWC")


if __name__ == "__main__":
    main()
