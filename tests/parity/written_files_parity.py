"""What PyTorch makes of the files that we wrote: they load, give our logits, and differ from the original in the
BatchNorm vectors alone."""
import io
import json
import pickle
import struct
import subprocess
import sys
import tarfile
from collections import OrderedDict
from pathlib import Path

from support import PROGRAM, ParityCase, build, images, main, nn, np, read_safetensors, run, torch

NAME = "cifar_resnet20"


def changed_bytes(before, after):
    assert len(before) == len(after), "the file changed its length"
    return np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))


def write_tar(path, state, around=lambda weights: weights):
    """The container of torch 0.1 by torch/serialization.py's legacy_load, which reads it: what wrote it is long gone."""
    storages, tensors, keys = io.BytesIO(), io.BytesIO(), {}
    kinds = {torch.float32: "Float", torch.int64: "Long"}
    for out in (storages, tensors):
        pickle.dump(len(state), out, 2)
    for i, (name, value) in enumerate(state.items()):
        kind = kinds[value.dtype]
        pickle.dump((1000 + i, "cpu", getattr(torch, kind + "Storage")), storages, 2)
        storages.write(struct.pack("<q", value.numel()) + value.contiguous().numpy().tobytes())
        pickle.dump((5000 + i, 1000 + i, getattr(torch, kind + "Tensor")), tensors, 2)
        extents, strides = list(value.shape), list(value.contiguous().stride())
        tensors.write(struct.pack(f"<{2 * len(extents) + 2}q", len(extents), *extents, *strides, 0))
        keys[name] = str(5000 + i)
    pickle.dump([], storages, 2)

    class Keys(pickle.Pickler):
        def persistent_id(self, value):
            return value.key if isinstance(value, Key) else None

    class Key:
        def __init__(self, key):
            self.key = key

    body = io.BytesIO()
    Keys(body, 2).dump(around(OrderedDict((name, Key(key)) for name, key in keys.items())))
    facts = pickle.dumps({"protocol_version": 1000, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2)
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as tar:
        for name, content in (("sys_info", facts), ("pickle", body.getvalue()), ("tensors", tensors.getvalue()), ("storages", storages.getvalue())):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


class WrittenFiles(ParityCase):
    def adapt(self, save):
        model, x = build(NAME), images(NAME, 12)
        np.save(self.at / "x.npy", x.numpy())
        save(model)
        run("recalibrate", self.at / "net.pth", "--arch", NAME, "--data", self.at / "x.npy", "--out", self.at / "adapted.pth")
        return model, x, torch.load(self.at / "adapted.pth")

    def check_only_norms(self, before, after):
        self.assertEqual(list(before), list(after))
        changed = [k for k in before if not torch.equal(before[k], after[k])]
        self.assertTrue(changed and all(k.endswith(("running_mean", "running_var")) for k in changed), changed)

    def check_logits(self, model, state, x, tolerance=1e-4):
        model.load_state_dict(state)
        with torch.no_grad():
            self.assert_logits(self.outputs("adapted.pth", NAME), model(x), tolerance)

    def test_zip_and_legacy(self):
        for legacy in (False, True):
            with self.subTest(legacy=legacy):
                model, x, after = self.adapt(lambda m: torch.save(m.state_dict(), self.at / "net.pth", _use_new_zipfile_serialization=not legacy))
                before = torch.load(self.at / "net.pth")
                self.check_only_norms(before, after)
                self.check_logits(model, after, x)
                raw_before, raw_after = (self.at / "net.pth").read_bytes(), (self.at / "adapted.pth").read_bytes()
                norms_bytes = sum(v.numel() * 4 for k, v in before.items() if k.endswith(("running_mean", "running_var")))
                # Beside the vectors only checksums: at most 12 bytes per zip member (local, descriptor, central).
                members = sum(k.endswith(("running_mean", "running_var")) for k in before)
                self.assertLessEqual(len(changed_bytes(raw_before, raw_after)), norms_bytes + 12 * members)

    def test_trainers_checkpoint(self):
        def save(model):
            state = OrderedDict(("module." + k, v) for k, v in model.state_dict().items())
            torch.save({"epoch": 3, "arch": NAME, "state_dict": state, "optimizer": torch.optim.SGD(model.parameters(), 0.1, momentum=0.9).state_dict()}, self.at / "net.pth")
        model, x, after = self.adapt(save)
        self.check_only_norms(torch.load(self.at / "net.pth")["state_dict"], after["state_dict"])
        self.check_logits(model, {k[len("module."):]: v for k, v in after["state_dict"].items()}, x)

    def test_half_precision(self):
        for dtype in (torch.float16, torch.bfloat16):
            with self.subTest(dtype):
                model, x, after = self.adapt(lambda m: torch.save({k: v.to(dtype) if v.is_floating_point() else v for k, v in m.state_dict().items()}, self.at / "net.pth"))
                self.check_only_norms(torch.load(self.at / "net.pth"), after)
                self.assertTrue(all(v.dtype == dtype for k, v in after.items() if "running" in k))
                self.check_logits(model, after, x)

    def test_views_and_shared_storage(self):
        """Non-contiguous tensors and several tensors in one storage are written where they lie."""
        def save(model):
            state = model.state_dict()
            flat = torch.cat([state["bn1.running_mean"], state["bn1.running_var"]])
            state["bn1.running_mean"], state["bn1.running_var"] = flat[:16], flat[16:]
            wide = torch.zeros(16, 2)
            wide[:, 0] = state["layer1.0.bn1.running_mean"]
            state["layer1.0.bn1.running_mean"] = wide[:, 0]
            torch.save(state, self.at / "net.pth")
        model, x, after = self.adapt(save)
        self.check_only_norms(torch.load(self.at / "net.pth"), after)
        self.check_logits(model, after, x)

    def recalibrate(self, name, out, *options):
        run("recalibrate", self.at / name, "--data", self.at / "x.npy", "--out", self.at / out, *options)

    def test_torchscript(self):
        model, x = build(NAME), images(NAME, 12)
        np.save(self.at / "x.npy", x.numpy())
        for kind, module in (("traced", torch.jit.trace(model, x[:1])), ("scripted", torch.jit.script(model))):
            with self.subTest(kind):
                module.save(self.at / "net.pt")
                self.assertRegex(self.refused("net.pt"), r"holds a TorchScript module of class '__torch__\.support\.[\w.]*CifarResNet', whose code is not read; expected --arch")
                self.recalibrate("net.pt", "adapted.pt", "--arch", NAME)
                after = torch.jit.load(str(self.at / "adapted.pt"))
                self.check_only_norms(torch.jit.load(str(self.at / "net.pt")).state_dict(), after.state_dict())
                with torch.no_grad():
                    self.assert_logits(self.outputs("adapted.pt", NAME), after(x))

    def refused(self, name):
        done = subprocess.run([PROGRAM, "evaluate", self.at / name, "--data", self.at / "x.npy"], capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("\n"), 1)
        return done.stderr

    def test_whole_modules(self):
        """torch.save(model) of stock layers brings its own graph, for any size of image, in both containers."""
        torch.manual_seed(0)
        model = nn.Sequential(OrderedDict([
            ("stem", nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(3, 8, 3, padding="same", bias=False), nn.BatchNorm2d(8), nn.ReLU6())),
            ("body", nn.DataParallel(nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=4, dilation=2), nn.SyncBatchNorm(16, eps=1e-3), nn.Hardswish(),
                                                   nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.Dropout2d(), nn.AvgPool2d(2, 1, 1, count_include_pad=False)))),
            ("pool", nn.AdaptiveAvgPool2d((3, 2))), ("flat", nn.Flatten()), ("fc1", nn.Linear(96, 12)), ("bn", nn.BatchNorm1d(12, affine=False)),
            ("act", nn.SiLU()), ("same", nn.Identity()), ("drop", nn.Dropout()), ("fc2", nn.Linear(12, 5, bias=False)), ("gate", nn.Hardsigmoid()), ("end", nn.Softmax(1))]))
        model.eval()
        for legacy in (False, True):
            for height, width in ((32, 32), (29, 41)):
                with self.subTest(legacy=legacy, height=height):
                    x = torch.randn(9, 3, height, width)
                    np.save(self.at / "x.npy", x.numpy())
                    torch.save(model, self.at / "net.pth", _use_new_zipfile_serialization=not legacy)
                    self.recalibrate("net.pth", "adapted.pth")
                    after = torch.load(self.at / "adapted.pth")
                    self.check_only_norms(model.state_dict(), after.state_dict())
                    run("evaluate", self.at / "adapted.pth", "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors")
                    (y,) = read_safetensors(self.at / "y.safetensors").values()
                    # PyTorch runs SyncBatchNorm on a GPU only; evaluated it is a BatchNorm2d.
                    twin = nn.BatchNorm2d(16, eps=1e-3)
                    twin.load_state_dict(after.body.module[1].state_dict())
                    after.body.module[1] = twin
                    with torch.no_grad():
                        self.assert_logits(y, after.eval()(x))

    def test_module_of_a_users_class(self):
        model, x = build(NAME), images(NAME, 8)
        np.save(self.at / "x.npy", x.numpy())
        torch.save({"epoch": 3, "model": model}, self.at / "net.pth")
        self.assertIn("holds a pickled module of class 'support.CifarResNet', whose code is not in the file; expected --arch with its architecture (it fits "
                      "cifar_resnet20)", self.refused("net.pth"))
        self.recalibrate("net.pth", "adapted.pth", "--arch", NAME)
        after = torch.load(self.at / "adapted.pth")["model"]
        self.check_only_norms(model.state_dict(), after.state_dict())
        with torch.no_grad():
            self.assert_logits(self.outputs("adapted.pth", NAME), after(x))

    def test_tar_of_the_first_versions(self):
        def save(model):
            write_tar(self.at / "net.pth", model.state_dict())
        model, x, after = self.adapt(save)
        self.check_only_norms(torch.load(self.at / "net.pth"), after)
        self.check_logits(model, after, x)

    def test_shards(self):
        model, x = build(NAME), images(NAME, 12)
        np.save(self.at / "x.npy", x.numpy())
        state = model.state_dict()
        halves = list(state)[:50], list(state)[50:]
        names = [f"pytorch_model-{i + 1:05}-of-00002.bin" for i in range(2)]
        for name, keys in zip(names, halves):
            torch.save({k: state[k] for k in keys}, self.at / name)
        index = {"metadata": {"total_size": 1}, "weight_map": {k: n for n, keys in zip(names, halves) for k in keys}}
        (self.at / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2))
        self.recalibrate("pytorch_model.bin.index.json", "adapted.bin.index.json", "--arch", NAME)
        after = {}
        written = json.loads((self.at / "adapted.bin.index.json").read_text())
        self.assertEqual(sorted(set(written["weight_map"].values())), [n.replace("pytorch_model", "adapted") for n in names])
        for name in sorted(set(written["weight_map"].values())):
            after.update(torch.load(self.at / name))
        self.check_only_norms(state, after)
        model.load_state_dict(after)
        with torch.no_grad():
            self.assert_logits(self.outputs("adapted.bin.index.json", NAME), model(x))

    def test_variants(self):
        """The shared files: one network in many containers, each restored, recalibrated and written back."""
        folder = Path(sys.argv[3]) / "data" / "variants" if len(sys.argv) > 3 else Path("none")
        if not folder.is_dir():
            self.skipTest("shared data is absent")
        expected = read_safetensors(folder / "expected.safetensors")
        np.save(self.at / "x.npy", expected["probe"])
        fp16 = "resnet20_fp16"
        for path in sorted(folder.iterdir()):
            if path.suffix == ".onnx" or path.stem == "expected":
                continue
            with self.subTest(path.name):
                stock = path.stem == "sequential_module"
                options = [] if stock else ["--arch", NAME]
                run("evaluate", path, *options, "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors")
                (y,) = read_safetensors(self.at / "y.safetensors").values()
                wanted = expected[f"{path.stem if stock or path.stem == fp16 else 'resnet20'}.logits"]
                self.assert_logits(y, torch.from_numpy(wanted.copy()), 1e-3 if path.stem == fp16 else 1e-4)
                adapted = self.at / f"adapted{path.suffix}"
                run("recalibrate", path, *options, "--data", self.at / "x.npy", "--out", adapted)
                self.check_only_norms(self.load(path), self.load(adapted))
                self.assertEqual(path.stat().st_size, adapted.stat().st_size)

    @staticmethod
    def load(path):
        if path.suffix == ".safetensors":
            return {k: torch.from_numpy(v.copy()) for k, v in read_safetensors(path).items()}
        if path.suffix == ".pt":
            return torch.jit.load(str(path)).state_dict()
        state = torch.load(path)
        return state.state_dict() if isinstance(state, nn.Module) else state.get("state_dict", state)

    def test_identity_policy_is_written(self):
        model, x = build(NAME), images(NAME, 6)
        self.save(model, x)
        run("recalibrate", self.at / "net.pth", "--arch", NAME, "--data", self.at / "x.npy", "--policy", "identity", "--out", self.at / "adapted.pth")
        after = torch.load(self.at / "adapted.pth")
        self.assertTrue(bool((after["bn1.weight"] == 1).all()) and bool((after["bn1.bias"] == 0).all()))
        model.load_state_dict(after)
        with torch.no_grad():
            self.assert_logits(self.outputs("adapted.pth", NAME), model(x))


if __name__ == "__main__":
    main()
