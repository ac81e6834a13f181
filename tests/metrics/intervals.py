"""Prints the intervals quoted in tests/metrics: python3 intervals.py (made with SciPy 1.10.1)."""
import numpy as np
from scipy.optimize import brentq
from scipy.stats import bootstrap, norm, t

Z = norm.ppf(0.975)


def wilson(share, n):
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return centre - half, centre + half


def newcombe(e, f, g, h):  # Newcombe 1998, method 10; second minus first
    n = e + f + g + h
    first, second = (e + f) / n, (e + g) / n
    (l1, u1), (l2, u2) = wilson(first, n), wilson(second, n)
    a = e * h - f * g
    a = a - n / 2 if a > n / 2 else min(a, 0)
    phi = a / np.sqrt(float((e + f) * (g + h) * (e + g) * (f + h)))
    d = second - first
    low = d - np.sqrt((second - l2) ** 2 - 2 * phi * (second - l2) * (u1 - first) + (u1 - first) ** 2)
    high = d + np.sqrt((u2 - second) ** 2 - 2 * phi * (u2 - second) * (first - l1) + (first - l1) ** 2)
    return low, high


def auroc_score(seen, m, n):  # Wilson-like, with Hanley and McNeil's variance (1982)
    def variance(a):
        return (a * (1 - a) + (m - 1) * (a / (2 - a) - a * a) + (n - 1) * (2 * a * a / (1 + a) - a * a)) / (m * n)

    def apart(a):
        return abs(a - seen) - Z * np.sqrt(max(variance(a), 0))

    low = brentq(apart, 1e-12, seen - 1e-6, xtol=1e-15)
    return low, 1.0 if seen == 1 else brentq(apart, seen + 1e-6, 1 - 1e-12, xtol=1e-15)


if __name__ == "__main__":
    print("wilson", *map(repr, wilson(0.98, 100)))
    print("newcombe", *map(repr, newcombe(70, 4, 15, 11)))
    print("auroc score", *map(repr, auroc_score(1, 10, 190)), *map(repr, auroc_score(0.8, 10, 190)))
    numbers = (np.arange(40) * 17 % 41 / 10) ** 1.5
    made = bootstrap((numbers,), lambda x, axis: np.abs(x - 3).mean(axis), n_resamples=99999, method="BCa",
                     random_state=1)
    print("bca", made.confidence_interval)
    print("student", [(df, repr(t.ppf(q, df))) for df, q in ((1, 0.975), (2.5, 0.9), (9, 0.975), (37.8, 0.995),
                                                             (1000, 0.975), (4.4, 0.2))])
