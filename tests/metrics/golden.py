"""Prints the golden numbers quoted in tests/metrics: python3 golden.py (made with scikit-learn 1.2.1, SciPy 1.10.1).

The data repeat formula_data.hpp: integer formulas, logits that are multiples of 1/16.
"""
import numpy as np
from mpmath import betainc, findroot, mpf
from scipy.stats import binomtest
from scipy.stats import norm
from sklearn.metrics import (accuracy_score, average_precision_score, balanced_accuracy_score, cohen_kappa_score,
                             confusion_matrix, f1_score, log_loss, precision_recall_fscore_support, roc_auc_score,
                             roc_curve)

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


def rounded(seed):  # ranks must not depend on the last digit of an exponential
    return np.round(probabilities(seed) * 1024) / 1024


def expected_calibration_error(p):  # Guo et al. 2017, as their published code does it
    confidence, right = p.max(1), p.argmax(1) == labels
    error = 0.0
    for m in range(BINS):
        inside = (confidence > m / BINS) & (confidence <= (m + 1) / BINS)
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    return error


def adaptive_calibration_error(p):  # Nguyen & O'Connor 2015: bins of equal counts
    confidence, right = p.max(1), p.argmax(1) == labels
    order = np.argsort(confidence, kind='stable')
    return sum(abs((right[b] - confidence[b]).sum()) for b in np.array_split(order, BINS)) / IMAGES


def sensitivity(truth, score, specificity):
    false_positive, true_positive, _ = roc_curve(truth, score, drop_intermediate=False)
    return true_positive[false_positive <= 1 - specificity + 1e-12].max()


def delong(truth, *scores):  # DeLong, DeLong & Clarke-Pearson 1988, by the definition: every pair compared
    positive, negative = [], []
    for score in scores:
        x, y = score[truth == 1], score[truth == 0]
        wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
        positive.append(wins.mean(1))
        negative.append(wins.mean(0))
    covariance = np.cov(positive) / len(positive[0]) + np.cov(negative) / len(negative[0])
    return [p.mean() for p in positive], covariance


def bca(values, point, jackknife, level):  # as scipy.stats.bootstrap does it (1.10, _bca_interval)
    values = np.sort(values)
    z0 = norm.ppf(((values < point).sum() + (values <= point).sum()) / (2 * len(values)))
    u = jackknife.mean() - jackknife
    a = (u ** 3).sum() / (6 * (u ** 2).sum() ** 1.5)
    z = z0 + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    return np.quantile(values, norm.cdf(z0 + z / (1 - a * z)))


guesses = {}
for seed in (1, 2):
    p = probabilities(seed)
    guesses[seed] = guess = p.argmax(1)
    print(seed, "accuracy", repr(accuracy_score(labels, guess)))
    print(seed, "balanced_accuracy", repr(balanced_accuracy_score(labels, guess)))
    print(seed, "nll", repr(log_loss(labels, p, labels=range(CLASSES))))
    print(seed, "ece", repr(expected_calibration_error(p)))
    print(seed, "brier", repr(((p - np.eye(CLASSES)[labels]) ** 2).sum(1).mean()))
    one_hot = np.eye(CLASSES)[labels]
    print(seed, "macro_f1", repr(f1_score(labels, guess, average="macro")))
    print(seed, "micro_f1", repr(f1_score(labels, guess, average="micro")))
    print(seed, "cohen_kappa", repr(cohen_kappa_score(labels, guess)))
    print(seed, "quadratic_kappa", repr(cohen_kappa_score(labels, guess, weights="quadratic")))
    r = rounded(seed)
    first_three = np.argsort(-r, axis=1, kind="stable")[:, :3]  # scikit-learn puts the last of equal scores first
    print(seed, "top3_accuracy", repr((first_three == labels[:, None]).any(1).mean()))
    print(seed, "auroc", repr(np.mean([roc_auc_score(one_hot[:, k], r[:, k]) for k in range(CLASSES)])))
    print(seed, "average_precision", repr(average_precision_score(one_hot, r)))
    for percent in (90, 95):
        print(seed, f"sensitivity_at_{percent}_specificity",
              repr(np.mean([sensitivity(one_hot[:, k], r[:, k], percent / 100) for k in range(CLASSES)])))
    print(seed, "adaptive_ece", repr(adaptive_calibration_error(p)))
    print(seed, "confusion", confusion_matrix(labels, guess).tolist())
    for name, values in zip(("precision", "recall", "f1", "support"), precision_recall_fscore_support(labels, guess)):
        print(seed, name, [v.item() for v in values])

first, second = guesses[1] == labels, guesses[2] == labels
b, c = int((first & ~second).sum()), int((~first & second).sum())
print("mcnemar", b, c, repr(binomtest(b, b + c).pvalue))
for b, c in ((0, 5), (3, 9), (10, 12), (60, 229), (2400, 2600), (480, 1900), (1000, 1001), (5000, 9000)):
    print("binomial", b, c, repr(binomtest(b, b + c).pvalue))

# Two classes: is it class 3? Scores rounded to sixteenths, so that there are ties.
truth = (labels == 3).astype(int)
scores = [np.round(probabilities(seed)[:, 3] * 16) / 16 for seed in (1, 2)]
for seed, score in zip((1, 2), scores):
    print(seed, "binary auroc", repr(roc_auc_score(truth, score)), "average_precision",
          repr(average_precision_score(truth, score)), "sensitivity_at_90_specificity",
          repr(sensitivity(truth, score, 0.9)))
areas, covariance = delong(truth, *scores)
variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
print("delong", areas, covariance.tolist(), "difference", areas[1] - areas[0], variance,
      repr(2 * norm.sf(abs(areas[1] - areas[0]) / variance ** 0.5)))

a, v = areas[1], covariance[1, 1]
x, y = scores[1][truth == 1], scores[1][truth == 0]
wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
parts = np.array([wins.mean(1).var(ddof=1) / len(x), wins.mean(0).var(ddof=1) / len(y)])
freedom = parts.sum() ** 2 / (parts ** 2 / [len(x) - 1, len(y) - 1]).sum()  # Satterthwaite
# scipy.stats.t.ppf is 1e-9 off where the degrees of freedom are no whole number; mpmath is exact.
quantile = float(findroot(lambda t: betainc(freedom / 2, 0.5, 0, freedom / (freedom + t * t), regularized=True) / 2 - mpf("0.025"), 2))
half = quantile * v ** 0.5 / (a * (1 - a))
print("delong on the logit scale", *(repr(1 / (1 + np.exp(-(np.log(a / (1 - a)) + x)))) for x in (-half, half)))

k = np.arange(200)
print("bca", bca((k * k * 7 % 211) / 211, 0.55, np.arange(1, 31) ** 0.5, 0.9).tolist())
print("normal", [norm.cdf(x).item() for x in (-8, -1.5, 0.25, 3)],
      [norm.ppf(q).item() for q in (1e-12, 0.025, 0.3, 0.975)])

# Findings with unknown labels: output j of image i is unknown where (i + j) % 4 == 0.
p = rounded(2)
rows = []
for j in range(CLASSES):
    known = (image + j) % 4 != 0
    rows.append((roc_auc_score((labels == j)[known], p[known, j]),
                 average_precision_score((labels == j)[known], p[known, j])))
print("findings auroc, average_precision", np.mean(rows, axis=0).tolist())
