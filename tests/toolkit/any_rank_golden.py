#!/usr/bin/python3
"""Prints tests/experiment/any_rank_goldens.hpp: PyTorch's outputs of networks whose input is no image, under their own
statistics and under layer-wise population statistics (one pass for each BatchNorm). Made with PyTorch 1.13:
  /usr/bin/python3 tests/experiment/any_rank_golden.py > tests/experiment/any_rank_goldens.hpp"""
import numpy as np
import torch
from torch import nn

COUNT = 6


def wave(shape, step, offset=0.0, scale=1.0):
    n = int(np.prod(shape))
    return torch.from_numpy((offset + scale * np.sin(step * np.arange(n))).astype(np.float32).reshape(shape))


NETWORKS = {
    "kSequences": ((3, 20), nn.Sequential(
        nn.Conv1d(3, 8, 5, stride=2, padding=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(8, 6, 3, padding=2, dilation=2, groups=2), nn.BatchNorm1d(6), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 4))),
    "kVolumes": ((2, 6, 7, 8), nn.Sequential(
        nn.Conv3d(2, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.AvgPool3d(2),
        nn.Conv3d(4, 5, (2, 3, 3)), nn.BatchNorm3d(5), nn.ReLU(),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(5, 4))),
    "kFeatures": ((10,), nn.Sequential(
        nn.Linear(10, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))),
}


def fill(network):
    for i, (name, value) in enumerate(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        positive = name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight"))
        value.copy_(wave(value.shape, 0.7 + 0.1 * i, 1.0 if positive else 0.0, 0.5))


def recalibrate(network, x):
    for layer in [m for m in network if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm3d))]:
        seen = []
        hook = layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        network(x)
        hook.remove()
        values = seen[0].double().transpose(0, 1).flatten(1)
        layer.running_mean.copy_(values.mean(1))
        layer.running_var.copy_(values.var(1, unbiased=False))


def table(values):
    return "{" + ", ".join(f"{v:.9g}F" for v in values.flatten().tolist()) + "}"


print("#pragma once\n\n#include <vector>\n\n// Made by any_rank_golden.py.\nnamespace shiftnorm::test {\n")
print("struct AnyRankGolden {\n  std::vector<float> source, adabn;  ///< outputs [6, 4]\n};")
with torch.no_grad():
    for name, (shape, network) in NETWORKS.items():
        network.eval()
        fill(network)
        x = wave((COUNT, *shape), 0.13)
        source = network(x)
        recalibrate(network, x)
        print(f"inline const AnyRankGolden {name}{{\n    {table(source)},\n    {table(network(x))}}};")
print("\n}  // namespace shiftnorm::test")
