#!/usr/bin/env python3
"""Trains the demonstration's network on scanner A and shows what scanner B does to it, with and without adapting.

usage: train_demo.py PHANTOM_PROGRAM OUT.pth       (Debian: python3-torch, python3-pil, python3-numpy; CPU, some minutes)

The network is the CIFAR ResNet-20 of He et al. 2016 (option-A shortcuts), which the program knows as `cifar_resnet20`;
the images come from `phantom`, as 8-bit PNG files, with seeds that neither the demonstration nor the evaluation below
uses. Only scanner A is ever seen in training. Written as a float16 state_dict.
"""
import argparse
import copy
import subprocess
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

MEAN, STD = 0.5, 0.25      # as in configs/phantom.yaml
TRAIN_SEED, TEST_SEED = 1000, 2000
BATCH = 50


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.widened = cout - cin

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.widened:  # option A: every other pixel, zero channels on both sides
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.widened // 2, self.widened // 2))
        return F.relu(y + x)


class CifarResNet20(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


def images(phantom, scanner, per_class, seed):
    """Network inputs and labels; classes in the order of their sorted folder names."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([phantom, folder, "--format", "png", "--scanner", scanner, "--per-class", str(per_class), "--seed", str(seed)],
                       check=True)
        root = Path(folder, f"scanner-{scanner}")
        classes = sorted(p.name for p in root.iterdir())
        pixels = [np.asarray(Image.open(f)) for name in classes for f in sorted((root / name).iterdir())]
    grey = (np.stack(pixels).astype(np.float32) / 255 - MEAN) / STD
    x = torch.from_numpy(grey)[:, None].expand(-1, 3, -1, -1).contiguous()
    return x, torch.arange(len(classes)).repeat_interleave(per_class), classes


def train(model, x, y, epochs, generator):
    optimiser = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-3, nesterov=True)
    steps = -(-len(x) // BATCH) * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=steps)
    for epoch in range(epochs):
        model.train()
        total, right = 0.0, 0
        for index in torch.randperm(len(x), generator=generator).split(BATCH):
            z = model(x[index])
            loss = F.cross_entropy(z, y[index], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss) * len(index)
            right += int((z.argmax(1) == y[index]).sum())
        print(f"epoch {epoch + 1:2d}/{epochs}: loss {total / len(x):.3f}, training accuracy {100 * right / len(x):.1f} %", flush=True)


@torch.no_grad()
def accuracy(model, x, y):
    return 100 * float((torch.cat([model(b) for b in x.split(BATCH)]).argmax(1) == y).float().mean())


def batch_norms(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


@torch.no_grad()
def adabn(model, x):
    """Layer by layer: each BatchNorm is measured with every earlier one already on its target statistics."""
    model = copy.deepcopy(model).eval()
    for bn in batch_norms(model):
        count, sums, squares = 0, 0.0, 0.0

        def tap(_, inputs):
            nonlocal count, sums, squares
            v = inputs[0].double()
            count += v.numel() // v.shape[1]
            sums = sums + v.sum((0, 2, 3))
            squares = squares + (v * v).sum((0, 2, 3))

        hook = bn.register_forward_pre_hook(tap)
        for b in x.split(BATCH):
            model(b)
        hook.remove()
        bn.running_mean.copy_(sums / count)
        bn.running_var.copy_(squares / count - (sums / count) ** 2)
    return model


def stored(model):
    """The state as the file holds it: half precision, which the evaluation must feel too."""
    return OrderedDict((k, v.half() if v.is_floating_point() else v) for k, v in model.state_dict().items())


def evaluate(model, phantom):
    a_x, a_y, _ = images(phantom, "A", 50, TEST_SEED)
    b_x, b_y, _ = images(phantom, "B", 50, TEST_SEED)
    on_a, on_b, adapted = accuracy(model, a_x, a_y), accuracy(model, b_x, b_y), accuracy(adabn(model, b_x), b_x, b_y)
    print(f"source on scanner A  {on_a:5.1f} %\nsource on scanner B  {on_b:5.1f} %\nadabn on scanner B   {adapted:5.1f} %")
    print(f"drop {on_a - on_b:.1f} points, {100 * (adapted - on_b) / max(on_a - on_b, 1e-9):.0f} % of it regained")
    return on_a - on_b >= 25 and adapted - on_b >= 2 / 3 * (on_a - on_b)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phantom")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--per-class", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1, help="other counts sum in another order")
    parser.add_argument("--evaluate-only", action="store_true", help="of the file OUT, no training")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(7)
    x, y, classes = images(options.phantom, "A", 1 if options.evaluate_only else options.per_class, TRAIN_SEED)
    model = CifarResNet20(len(classes))
    if not options.evaluate_only:
        print(f"{len(x)} images of {', '.join(classes)}; {sum(p.numel() for p in model.parameters())} parameters")
        train(model, x, y, options.epochs, torch.Generator().manual_seed(7))
        torch.save(stored(model), options.out)
    state = torch.load(options.out)
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return 0 if evaluate(model.eval(), options.phantom) else 1


if __name__ == "__main__":
    sys.exit(main())
