"""PyTorch's rate of update_bn (train-mode forward passes with cumulative averages) for a network with random weights:
images per second for every layout and batch. One JSON line.

usage: torch_update_bn.py NETWORK THREADS SIDE BATCH... [--weights FILE]     --weights only writes its state_dict
"""
import json
import os
import sys
import time
from pathlib import Path

arguments = sys.argv[1:]
weights = arguments.pop(arguments.index("--weights") + 1) if "--weights" in arguments else None
network, threads, side, batches = arguments[0], int(arguments[1]), int(arguments[2]), [int(b) for b in arguments[3:] if b.isdigit()]
os.environ["OMP_NUM_THREADS"] = str(threads)
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "parity"))
import torch  # noqa: E402  (reads OMP_NUM_THREADS when it is imported)
from support import untrained  # noqa: E402

torch.set_num_threads(threads)
torch.manual_seed(0)
model = untrained(network).train()
if weights:
    torch.save(model.state_dict(), weights)
    sys.exit()
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
print(json.dumps({"version": torch.__version__, "images_per_second": rates, "best": max(rates.values())}))
