"""Values of label_free_test.cpp from NumPy and SciPy: label_free_golden.py"""
import numpy as np
from scipy.optimize import linear_sum_assignment


def outputs(seed, images, classes, sharp):
    """The same rows as in the test: a formula, exact in both languages up to the rounding of sin and exp."""
    i, k = np.meshgrid(np.arange(images), np.arange(classes), indexing="ij")
    z = sharp * np.sin(1.0 + 0.7 * i * (k + 1) + 1.3 * k * k + seed)
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def cot(p, counts):
    column = np.repeat(np.arange(p.shape[1]), counts)
    cost = 1 - p[:, column]
    return 1 - cost[linear_sum_assignment(cost)].sum() / len(p)


if __name__ == "__main__":
    p, wide = outputs(1, 60, 5, 3), outputs(2, 4, 7, 3)
    for name, m in (("tall", p), ("wide", wide)):
        print("nuclear", name, repr(np.linalg.norm(m, "nuc") / np.sqrt(min(m.shape) * len(m))))
    for seed, images, classes in ((4, 300, 40), (6, 501, 1000)):
        m = outputs(seed, images, classes, 3)
        print("nuclear", images, classes, repr(np.linalg.norm(m, "nuc") / np.sqrt(min(m.shape) * len(m))))
    g = p.argmax(1)
    spread = sum((g == k).sum() * ((p[g == k].mean(0) - p.mean(0)) ** 2).sum() for k in range(5) if (g == k).any())
    print("dispersion", repr(np.log(spread / 4)))
    print("cot", repr(cot(p, [12] * 5)), repr(cot(p, [30, 15, 9, 6, 0])))
    print("entropy", repr((p * np.log(p)).sum(1)[:2]))
    s = outputs(5, 200, 5, 4)
    y = (s.argmax(1) + (np.arange(200) % 7 == 0)) % 5
    c = np.array([[((s.argmax(1) == j) & (y == k)).sum() / (y == k).sum() for k in range(5)] for j in range(5)])
    w = np.clip(np.linalg.solve(c, np.bincount(g, minlength=5) / 60), 0, None)
    print("bbse", repr(w / w.sum()), np.bincount(y, minlength=5))
