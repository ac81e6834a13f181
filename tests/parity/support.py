"""What the parity suites share: networks with random weights, the program, comparisons."""
import copy
import functools
import json
import os
import re
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
EVERYTHING = bool(os.environ.get("SHIFTNORM_PARITY_ALL"))
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


class CheXNet(nn.Module):
    """As its reimplementations wrap it; save() gives it the names of torchvision before 0.2."""

    def __init__(self):
        super().__init__()
        self.densenet121 = torchvision.models.densenet121()
        self.densenet121.classifier = nn.Sequential(nn.Linear(1024, 14), nn.Sigmoid())

    def forward(self, x):
        return self.densenet121(x)

    def saved(self):
        return {"module." + re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", k): v for k, v in self.state_dict().items()}


class XrvDenseNet(torchvision.models.DenseNet):
    """torchxrayvision's: one channel, 18 outputs, and op_norm as its utils.py writes it."""

    def __init__(self):
        super().__init__(32, (6, 12, 24, 16), 64, num_classes=18)
        self.features.conv0 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.register_buffer("op_threshs", torch.linspace(0.05, 0.9, 18))

    def forward(self, x):
        outputs = torch.sigmoid(super().forward(x))
        points = self.op_threshs.expand(outputs.shape[0], -1)
        new = torch.zeros(outputs.shape)
        below = outputs < points
        new[below] = outputs[below] / (points[below] * 2)
        new[~below] = 1.0 - ((1.0 - outputs[~below]) / ((1 - points[~below]) * 2))
        return new


OTHERS = {"chexnet": CheXNet, "xrv_densenet121": XrvDenseNet}


def untrained(name):
    if name in OTHERS:
        return OTHERS[name]()
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
    # Untrained networks with squeeze-and-excitation amplify a mismatch from block to block until PyTorch's own float32
    # logits differ from its float64 ones by more than the tolerance: they get statistics of the test's images, and a fifth
    # of the disturbance.
    gentle = name.startswith(("efficientnet", "regnet_y"))
    with torch.no_grad():
        model(images(name, 16) if gentle else torch.randn(8, channels(name), side(name), side(name)))
    strength = 0.2 if gentle else 1
    for bn in norms(model).values():
        bn.momentum = 0.1
        bn.running_mean += strength * 0.1 * bn.running_var.sqrt() * torch.randn_like(bn.running_mean)
        bn.running_var *= torch.empty_like(bn.running_var).uniform_(1 - strength * 0.3, 1 + strength * 0.4)
    return model.eval()


# What an architecture was made for, where that is not 224.
SIDES = {"inception_v3": 299, "efficientnet_b1": 240, "efficientnet_b2": 288, "efficientnet_b3": 300, "efficientnet_b4": 380,
         "efficientnet_b5": 456, "efficientnet_b6": 528, "efficientnet_v2_s": 384, "efficientnet_v2_m": 480}


@functools.lru_cache(maxsize=None)
def large(name):
    """More than 60 million parameters, or convolutions in groups on which PyTorch spends a quarter of an hour."""
    return name.endswith(("_8gf", "_16gf", "_32gf")) or sum(p.numel() for p in untrained(name).parameters()) > 60e6


def side(name):
    if name.startswith("cifar_"):
        return 32
    if EVERYTHING and not large(name):
        return SIDES.get(name, 224)
    return 107 if name == "inception_v3" else 64  # the smallest that inception takes is 75


def channels(name):
    return 1 if name == "xrv_densenet121" else 3


def images(name, count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shift = torch.linspace(-0.5, 0.5, channels(name)).view(1, -1, 1, 1)
    return torch.randn(count, channels(name), side(name), side(name), generator=generator) * 1.3 + shift


def norms(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}


def set_training(model, training):
    """Only the BatchNorms: dropout stays the identity."""
    model.eval()
    for bn in norms(model).values():
        bn.train(training)


def run(*arguments, expect=0, folder=None):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, cwd=folder)
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
        torch.save(model.saved() if hasattr(model, "saved") else model.state_dict(), self.at / name)
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

    @staticmethod
    def deviation(found, expected):
        """The largest of any BatchNorm vector, in units of assert_statistics."""
        worst = 0.0
        for name in expected:
            if name.endswith("running_mean"):
                mean, var = expected[name].double(), expected[name.replace("mean", "var")].double()
                off_mean = (found[name].double() - mean).abs() / (var.sqrt() + 1e-3 * var.max().sqrt())
                off_var = (found[name.replace("mean", "var")].double() - var).abs() / (var + 1e-3 * var.max())
                worst = max(worst, off_mean.max().item(), off_var.max().item())
        return worst

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
