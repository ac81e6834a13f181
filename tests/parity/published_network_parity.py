"""configs/cifar10-noise.yaml on the published ResNet-20 and real images: the accuracies of PyTorch (golden values), and what
PyTorch makes of the adapted file. Needs the shared test data."""
import csv
import json
import sys
from pathlib import Path

from support import CifarResNet, ParityCase, main, np, run, torch

SOURCE, SHARED = Path(sys.argv[2]), Path(sys.argv[3])
if not (SHARED / "data").is_dir():
    print(f"SKIPPED: published_network_parity: the shared test data are not at {SHARED}")
    sys.exit(0)

GOLDEN = {"source": "source", "adabn": "adabn", "blend16": "blend_16", "disabled": "disabled", "identity": "identity", "torch-update-bn": "update_bn_batch50"}


def restored(path):
    model = CifarResNet(20)
    state = {k[len("module."):]: v for k, v in torch.load(path, map_location="cpu")["state_dict"].items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(k.endswith("num_batches_tracked") for k in missing)
    return model.eval()


class PublishedNetwork(ParityCase):
    def test_experiment(self):
        run("run", SOURCE / "configs/cifar10-noise.yaml", "--root", SHARED / "data", "--out", self.at / "run")
        results = json.loads((self.at / "run/results.json").read_text())
        golden = json.loads((SHARED / "data/golden/resnet20_500.json").read_text())
        self.assertEqual(results["data"]["target"]["images"], 500)
        for mode in results["modes"]:
            accuracy = mode["metrics"]["accuracy"]["value"]
            self.assertLessEqual(abs(accuracy - golden[f"shifted.{GOLDEN[mode['name']]}.accuracy"]), 1 / 500 + 1e-9, mode["name"])

        original, adapted = SHARED / "data/checkpoints/resnet20-12fca82f.th", self.at / "run/resnet20-adabn.th"
        self.check_bytes(original, adapted)
        self.check_logits(adapted)

    def check_bytes(self, original, adapted):
        """Every byte that differs lies inside the storage of a running mean or variance."""
        before, after = original.read_bytes(), adapted.read_bytes()
        self.assertEqual(len(before), len(after))
        differs = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
        vectors = [v for k, v in torch.load(original, map_location="cpu")["state_dict"].items() if k.endswith(("running_mean", "running_var"))]
        inside = np.zeros(len(before), bool)
        for vector in vectors:
            at = before.find(vector.numpy().tobytes())
            self.assertGreater(at, 0)
            inside[at:at + vector.numel() * 4] = True
        self.assertGreater(len(differs), 0)
        self.assertTrue(inside[differs].all())

    def check_logits(self, adapted):
        """PyTorch with the adapted file gives the probabilities that predictions.csv lists."""
        from PIL import Image
        mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
        with open(self.at / "run/predictions.csv", newline="") as file:
            rows = [r for r in csv.DictReader(file) if r["mode"] == "adabn"]
        self.assertEqual(len(rows), 500)
        pixels = np.stack([np.asarray(Image.open(SHARED / "data/cifar10-noise/test" / r["id"]).convert("RGB")) for r in rows])
        x = torch.from_numpy(np.ascontiguousarray(((pixels.astype(np.float32) / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)))
        with torch.no_grad():
            expected = restored(adapted)(x).softmax(1).numpy()
        found = np.array([[float(r[f"p_{k}"]) for k in range(10)] for r in rows])
        # 1e-3: logits agree to 1e-4 of magnitudes up to 30, and a probability changes by at most a quarter of that.
        self.assertLess(np.abs(found - expected).max(), 1e-3)


if __name__ == "__main__":
    main()
