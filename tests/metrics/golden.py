"""Prints the golden numbers quoted in tests/metrics: python3 golden.py (made with scikit-learn 1.2.1, SciPy 1.10.1).

The data repeat formula_data.hpp: integer formulas, logits that are multiples of 1/16.
"""
import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import (accuracy_score, balanced_accuracy_score, confusion_matrix, log_loss,
                             precision_recall_fscore_support)

IMAGES, CLASSES, BINS = 211, 5, 15
image = np.arange(IMAGES)
labels = np.array([(i * i + 3 * (i // 7)) % CLASSES if i % 3 else (i // 40) % CLASSES for i in range(IMAGES)])


def probabilities(seed):
    i, k = image[:, None], np.arange(CLASSES)[None, :]
    logits = ((i * 37 + k * 101 * seed + i * k * 13 + (i * i) % 89) % 97 - 48) / 16.0
    if seed == 2:
        logits[image % 2 == 0, labels[image % 2 == 0]] += 4
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def expected_calibration_error(p):  # Guo et al. 2017, as their published code does it
    confidence, right = p.max(1), p.argmax(1) == labels
    error = 0.0
    for m in range(BINS):
        inside = (confidence > m / BINS) & (confidence <= (m + 1) / BINS)
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    return error


guesses = {}
for seed in (1, 2):
    p = probabilities(seed)
    guesses[seed] = guess = p.argmax(1)
    print(seed, "accuracy", repr(accuracy_score(labels, guess)))
    print(seed, "balanced_accuracy", repr(balanced_accuracy_score(labels, guess)))
    print(seed, "nll", repr(log_loss(labels, p, labels=range(CLASSES))))
    print(seed, "ece", repr(expected_calibration_error(p)))
    print(seed, "brier", repr(((p - np.eye(CLASSES)[labels]) ** 2).sum(1).mean()))
    print(seed, "confusion", confusion_matrix(labels, guess).tolist())
    for name, values in zip(("precision", "recall", "f1", "support"), precision_recall_fscore_support(labels, guess)):
        print(seed, name, [v.item() for v in values])

first, second = guesses[1] == labels, guesses[2] == labels
b, c = int((first & ~second).sum()), int((~first & second).sum())
print("mcnemar", b, c, repr(binomtest(b, b + c).pvalue))
for b, c in ((0, 5), (3, 9), (10, 12), (60, 229), (2400, 2600), (480, 1900), (1000, 1001), (5000, 9000)):
    print("binomial", b, c, repr(binomtest(b, b + c).pvalue))
