"""What others make of the files that `export` and `recalibrate` convert: onnx.checker and ONNX Runtime of ONNX, plain and
with BatchNorms folded, and the format's own definition of safetensors."""
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from support import ParityCase, build, images, main, np, read_safetensors, run, torch

try:
    import onnx
    import onnx.numpy_helper
except ImportError:
    print("SKIPPED: export_parity: onnx is not installed")
    sys.exit(0)

HERE, SHARED, MODULES = Path(__file__).parent, Path(sys.argv[3]), os.environ.get("SHIFTNORM_ORT", "")
if not shutil.which("node") or not (Path(MODULES) / "onnxruntime-node").is_dir():
    print("SKIPPED: export_parity: onnxruntime-node is not there (CMake variable SHIFTNORM_ORT, a node_modules folder)")
    sys.exit(0)

NETWORKS = ["cifar_resnet20", "densenet121", "mobilenet_v2", "efficientnet_b0", "shufflenet_v2_x1_0", "googlenet", "mobilenet_v3_small",
            "vgg11_bn", "cifar_wrn40_2"]


class Exported(ParityCase):
    def runtime(self, model, x):
        """ONNX Runtime's first output."""
        np.ascontiguousarray(x, np.float32).tofile(self.at / "x.f32")
        done = subprocess.run(["node", HERE / "run_onnx.js", self.at / model, self.at / "x.f32", ",".join(map(str, x.shape)), self.at / "y.f32"],
                              capture_output=True, text=True, env={**os.environ, "NODE_PATH": MODULES})
        self.assertEqual(done.returncode, 0, done.stderr)
        return np.fromfile(self.at / "y.f32", np.float32).reshape([int(n) for n in done.stdout.split(",")])

    def check_onnx(self, name, x, expected, norms):
        model = onnx.load(self.at / name)
        onnx.checker.check_model(model, full_check=True)
        self.assertEqual(sum(node.op_type == "BatchNormalization" for node in model.graph.node), norms)
        self.assertEqual(model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "N")
        provenance = json.loads({p.key: p.value for p in model.metadata_props}["shiftnorm"])
        self.assertEqual(provenance["program"], "shiftnorm")
        self.assert_logits(self.runtime(name, x.numpy()), torch.from_numpy(expected.copy()))

    def test_zoo_plain_and_folded(self):
        for name in NETWORKS:
            with self.subTest(name):
                # Fewer images leave deep layers with so few values per channel that near-dead ones amplify rounding.
                model, x = build(name), images(name, 12)
                self.save(model, x)
                norms = sum(isinstance(m, torch.nn.BatchNorm2d) and not key.startswith("aux") for key, m in model.named_modules())
                # Pre-activation networks keep the norms that follow an addition or a concatenation.
                kept = {"densenet121": 62, "cifar_wrn40_2": 18}.get(name, 0)
                run("recalibrate", self.at / "net.pth", "--arch", name, "--data", self.at / "x.npy", "--out", self.at / "adapted.onnx")
                run("recalibrate", self.at / "net.pth", "--arch", name, "--data", self.at / "x.npy", "--out", self.at / "adapted.pth", "--stats-out",
                    self.at / "a.bnstats")
                adapted = self.outputs("adapted.pth", name)
                self.check_onnx("adapted.onnx", x, adapted, norms)
                # Without images the network is made for its usual size, and VGG for no other.
                if name != "vgg11_bn":
                    run("export", self.at / "net.pth", "--stats", self.at / "a.bnstats", "--fold", "--out", self.at / "folded.onnx")
                    self.check_onnx("folded.onnx", x, adapted, kept)

    def test_plain_conversion(self):
        model, x = build("cifar_resnet20"), images("cifar_resnet20", 3)
        self.save(model, x)
        run("export", self.at / "net.pth", "--arch", "cifar_resnet20", "--out", self.at / "net.onnx")
        with torch.no_grad():
            self.check_onnx("net.onnx", x, model(x).numpy(), 19)
        held = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(self.at / "net.onnx").graph.initializer}
        for key, value in model.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                self.assertTrue(np.array_equal(held[key], value.numpy()), key)

    def test_published_network(self):
        file, data = SHARED / "data/checkpoints/resnet20-12fca82f.th", SHARED / "data/cifar10-noise/test"
        if not file.is_file() or not data.is_dir():
            self.skipTest("the published ResNet-20 is not there")
        x = images("cifar_resnet20", 5)
        np.save(self.at / "x.npy", x.numpy())
        how = ("--arch", "cifar_resnet20", "--data", data, "--preprocess", "cifar10", "--max-images", 50)
        run("recalibrate", file, *how, "--out", self.at / "adapted.th", "--stats-out", self.at / "a.bnstats")
        expected = self.outputs("adapted.th", "cifar_resnet20")
        for fold, norms in (((), 19), (("--fold",), 0)):
            run("export", file, "--stats", self.at / "a.bnstats", *fold, "--out", self.at / "net.onnx")
            self.check_onnx("net.onnx", x, expected, norms)

    def test_folded_network(self):
        """PyTorch's own export with its BatchNorms folded, brought back with ten unlabelled training images per class."""
        file, data = SHARED / "data/variants/resnet20_folded.onnx", SHARED / "data/cifar10-noise/test"
        if not file.is_file() or not data.is_dir():
            self.skipTest("the folded ResNet-20 is not there")
        (self.at / "e.yaml").write_text(f"""
model: {{checkpoint: {file}}}
preprocess: cifar10
data: {{target: {{path: {data}}}, source: {{path: {SHARED / "data/cifar10/train"}, limit: {{per_class: 10}}}}}}
modes: [source, adabn]
evaluate: {{metrics: [accuracy]}}
export: {{mode: adabn, path: adapted.onnx}}
""")
        run("run", self.at / "e.yaml", "--out", self.at / "run")
        accuracy = {m["name"]: m["metrics"]["accuracy"]["value"] for m in json.loads((self.at / "run/results.json").read_text())["modes"]}
        self.assertAlmostEqual(accuracy["source"], 0.188, delta=0.0021)  # golden, one image
        self.assertGreaterEqual(accuracy["adabn"], 0.526 - 0.02)  # golden of the unfolded network; the two points
        adapted = self.at / "run/adapted.onnx"
        onnx.checker.check_model(onnx.load(adapted), full_check=True)
        self.assertEqual(adapted.stat().st_size, file.stat().st_size)
        x = images("cifar_resnet20", 5).numpy()
        np.save(self.at / "x.npy", x)
        run("evaluate", adapted, "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors")
        (ours,) = read_safetensors(self.at / "y.safetensors").values()
        shutil.copy(adapted, self.at / "adapted.onnx")
        self.assert_logits(self.runtime("adapted.onnx", x), torch.from_numpy(ours.copy()))

    def test_safetensors(self):
        """Every tensor in its dtype, read by the format's definition: 8 bytes of length, a JSON header, the values."""
        model, x = build("cifar_resnet20"), images("cifar_resnet20", 12)
        self.save(model, x)
        torch.save({k: v.half() if "conv" in k else v for k, v in model.state_dict().items()}, self.at / "net.pth")
        run("recalibrate", self.at / "net.pth", "--arch", "cifar_resnet20", "--data", self.at / "x.npy", "--out", self.at / "adapted.safetensors")
        run("recalibrate", self.at / "net.pth", "--arch", "cifar_resnet20", "--data", self.at / "x.npy", "--out", self.at / "adapted.pth")
        raw = (self.at / "adapted.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8:8 + length])
        self.assertEqual(json.loads(header["__metadata__"]["shiftnorm"])["images"], 12)
        kinds = {"F16": np.float16, "F32": np.float32, "I64": np.int64}
        expected = torch.load(self.at / "adapted.pth")
        self.assertEqual(set(header) - {"__metadata__"}, set(expected))
        for key, value in expected.items():
            begin, end = header[key]["data_offsets"]
            found = np.frombuffer(raw[8 + length + begin:8 + length + end], kinds[header[key]["dtype"]]).reshape(header[key]["shape"])
            self.assertEqual(found.dtype, value.numpy().dtype, key)
            self.assertTrue(np.array_equal(found, value.numpy()), key)


if __name__ == "__main__":
    main()
