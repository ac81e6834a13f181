"""What the parity suites share: networks with random weights, the program, comparisons."""
import copy
import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy as np
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    import torchvision
except ImportError as missing:
    print(f"SKIPPED: {Path(sys.argv[0]).stem}: {missing.name} is not installed")
    sys.exit(0)

PROGRAM = sys.argv[1]
torch.set_num_threads(2)


class Block(nn.Module):
    """He et al. 2016, section 4.2, option-A shortcut."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.half = (cout - cin) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.half:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.half, self.half))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        cin = 16
        for stage in (1, 2, 3):
            blocks = []
            for i in range((depth - 2) // 6):
                cout = 8 << stage
                blocks.append(Block(cin, cout, 2 if stage > 1 and i == 0 else 1))
                cin = cout
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


class WideBlock(nn.Module):
    """Zagoruyko and Komodakis 2016: pre-activation; where the width changes the shortcut starts behind the first one."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(cin)
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.convShortcut = nn.Conv2d(cin, cout, 1, stride, 0, bias=False) if cin != cout else None

    def forward(self, x):
        ready = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(ready))))
        return y + (x if self.convShortcut is None else self.convShortcut(ready))


class WideStage(nn.Module):
    def __init__(self, count, cin, cout, stride):
        super().__init__()
        self.layer = nn.Sequential(*(WideBlock(cin if i == 0 else cout, cout, stride if i == 0 else 1) for i in range(count)))

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, depth, widen):
        super().__init__()
        count = (depth - 4) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.block1 = WideStage(count, 16, 16 * widen, 1)
        self.block2 = WideStage(count, 16 * widen, 32 * widen, 2)
        self.block3 = WideStage(count, 32 * widen, 64 * widen, 2)
        self.bn1 = nn.BatchNorm2d(64 * widen)
        self.fc = nn.Linear(64 * widen, 10)

    def forward(self, x):
        return self.fc(F.relu(self.bn1(self.block3(self.block2(self.block1(self.conv1(x)))))).mean((2, 3)))


def untrained(name):
    if name.startswith("cifar_resnet"):
        return CifarResNet(int(name[len("cifar_resnet"):]))
    if name.startswith("cifar_wrn"):
        return WideResNet(*map(int, name[len("cifar_wrn"):].split("_")))
    # The default initialisation of these two takes minutes.
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, name)(**options)


def build(name, seed=0):
    """A network with random weights and BatchNorm statistics near those of its own activations, as training leaves them."""
    torch.manual_seed(seed)
    model = untrained(name)
    for bn in norms(model).values():
        nn.init.uniform_(bn.weight, 0.5, 1.5)
        nn.init.uniform_(bn.bias, -0.3, 0.3)
        bn.momentum = None  # cumulative average: settles at once
    set_training(model, True)
    # Untrained EfficientNets amplify a mismatch from block to block until PyTorch's own float32 logits differ from its
    # float64 ones by more than the tolerance: they get statistics of the test's images, and a fifth of the disturbance.
    gentle = name.startswith("efficientnet")
    with torch.no_grad():
        model(images(name, 16) if gentle else torch.randn(8, 3, side(name), side(name)))
    strength = 0.2 if gentle else 1
    for bn in norms(model).values():
        bn.momentum = 0.1
        bn.running_mean += strength * 0.1 * bn.running_var.sqrt() * torch.randn_like(bn.running_mean)
        bn.running_var *= torch.empty_like(bn.running_var).uniform_(1 - strength * 0.3, 1 + strength * 0.4)
    return model.eval()


def side(name):
    if name == "inception_v3":
        return 107  # the smallest is 75
    return 32 if name.startswith("cifar_") else 64


def images(name, count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shift = torch.linspace(-0.5, 0.5, 3).view(1, 3, 1, 1)
    return torch.randn(count, 3, side(name), side(name), generator=generator) * 1.3 + shift


def norms(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}


def set_training(model, training):
    """Only the BatchNorms: dropout stays the identity."""
    model.eval()
    for bn in norms(model).values():
        bn.train(training)


def run(*arguments, expect=0):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == expect, f"{' '.join(map(str, arguments))}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def read_safetensors(path):
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    kinds = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
    return {k: np.frombuffer(raw[8 + length:][v["data_offsets"][0]:v["data_offsets"][1]], kinds[v["dtype"]]).reshape(v["shape"])
            for k, v in header.items() if k != "__metadata__"}


class ParityCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.at = Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def save(self, model, x, name="net.pth"):
        torch.save(model.state_dict(), self.at / name)
        np.save(self.at / "x.npy", x.numpy())

    def outputs(self, checkpoint, architecture, *more):
        run("evaluate", self.at / checkpoint, "--arch", architecture, "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors", *more)
        (y,) = read_safetensors(self.at / "y.safetensors").values()
        return y

    def assert_logits(self, found, expected, tolerance=1e-4):
        """Float32 sums in another order: 1e-4 of the largest magnitude."""
        expected = expected.numpy()
        self.assertEqual(found.shape, expected.shape)
        self.assertLess(np.abs(found - expected).max(), tolerance * np.abs(expected).max())

    def assert_statistics(self, found, expected, tolerance=1e-4):
        """found, expected: state_dicts. The floor is for near-zero means and dead channels (PyTorch sums in float32)."""
        for name in expected:
            if not name.endswith("running_mean"):
                continue
            mean, var = expected[name].double(), expected[name.replace("mean", "var")].double()
            got_mean, got_var = found[name].double(), found[name.replace("mean", "var")].double()
            self.assertTrue(bool(((got_mean - mean).abs() <= tolerance * (var.sqrt() + 1e-3 * var.max().sqrt())).all()), name)
            self.assertTrue(bool(((got_var - var).abs() <= tolerance * (var + 1e-3 * var.max())).all()), name.replace("mean", "var"))


def main():
    unittest.main(argv=sys.argv[:1], verbosity=1)
