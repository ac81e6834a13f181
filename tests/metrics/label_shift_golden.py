"""Golden values of label_shift_test.cpp: SciPy's non-negative least squares, and EM in NumPy.

usage: label_shift_golden.py      Needs numpy and scipy (1.10.1 made the values there); prints C++.
"""
import numpy as np
import scipy.optimize


def uniform(count, seed):
    """The numbers of the test: a linear congruential generator."""
    x, out = seed, []
    for _ in range(count):
        x = (1103515245 * x + 12345) % 2**31
        out.append(x / 2**31)
    return np.array(out)


def show(name, values):
    print(f"const std::vector<double> {name}{{{', '.join(f'{v:.15g}' for v in values)}}};")


for seed in (1, 2, 3):
    a, b = uniform(40, seed).reshape(8, 5) - 0.3, uniform(8, seed + 10) - 0.3
    show(f"nnls{seed}", scipy.optimize.nnls(a, b)[0])

rows = uniform(60, 7).reshape(20, 3) ** 3
rows /= rows.sum(1, keepdims=True)
source = np.array([0.5, 0.3, 0.2])
shares = rows.mean(0)
for _ in range(100):
    weighted = rows * shares / source
    shares = (weighted / weighted.sum(1, keepdims=True)).mean(0)
show("em", shares)
