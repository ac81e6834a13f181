"""PyTorch's rate of update_bn (train-mode forward passes with cumulative averages) for a torchvision network with random
weights: images per second for every layout and batch. One JSON line.

usage: torch_update_bn.py NETWORK THREADS SIDE BATCH...
"""
import json
import os
import sys
import time

network, threads, side, batches = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [int(b) for b in sys.argv[4:]]
os.environ["OMP_NUM_THREADS"] = str(threads)
import torch  # noqa: E402  (reads OMP_NUM_THREADS when it is imported)
import torchvision  # noqa: E402

torch.set_num_threads(threads)
torch.manual_seed(0)
model = getattr(torchvision.models, network)().train()
for module in model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.momentum = None
rates = {}
with torch.no_grad():
    for layout in (torch.contiguous_format, torch.channels_last):
        net = model.to(memory_format=layout)
        for batch in batches:
            x = torch.randn(batch, 3, side, side).to(memory_format=layout)
            net(x)
            start, done = time.perf_counter(), 0
            while done == 0 or time.perf_counter() - start < 3:
                net(x)
                done += batch
            rates[f"{'channels-last' if layout is torch.channels_last else 'default'}, batch {batch}"] = done / (time.perf_counter() - start)
print(json.dumps({"torch": torch.__version__, "images_per_second": rates, "best": max(rates.values())}))
