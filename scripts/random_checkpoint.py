#!/usr/bin/env python3
"""Writes a torchvision network with seeded random weights as a state_dict: for trying the program out without a trained one.

usage: random_checkpoint.py ARCHITECTURE OUT.pth [--seed N] [--classes N]      (Debian: python3-torchvision)

BatchNorm gets statistics as of a source data set: those of the network's own activations on seeded noise.
"""
import argparse

import torch
import torchvision


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", help="a classifier of torchvision.models, such as densenet121")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--classes", type=int, default=1000)
    options = parser.parse_args()
    build = getattr(torchvision.models, options.architecture, None)
    if not callable(build):
        parser.error(f"torchvision {torchvision.__version__} has no classifier '{options.architecture}'")
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)  # other counts sum in another order
    model = build(num_classes=options.classes).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain mean of the batches
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(4, 3, 224, 224))
    torch.save(model.state_dict(), options.out)


if __name__ == "__main__":
    main()
