"""Measures of a two-class classifier: F1 of one class and the area under the ROC curve."""

from __future__ import annotations

import numpy as np


def f1(label: np.ndarray, predicted: np.ndarray) -> float:
    """Return the F1 of one class from (N,) booleans; 0 where nothing is, or is said to be, in it.

    2 |label and predicted| / (|label| + |predicted|), van Rijsbergen 1979.
    """
    both, either = int((label & predicted).sum()), int(label.sum() + predicted.sum())
    return 2 * both / either if either else 0.0


def auc(label: np.ndarray, score: np.ndarray) -> float:
    """Return the ROC-AUC of (N,) scores against (N,) boolean labels; NaN unless both classes occur.

    Computed as the Mann-Whitney statistic: the share of (positive, negative) pairs in which the positive scores
    higher, a tie counting one half.
    """
    from scipy.stats import rankdata

    positive = int(label.sum())
    negative = len(label) - positive
    if not positive or not negative:
        return float("nan")
    return float((rankdata(score)[label].sum() - positive * (positive + 1) / 2) / (positive * negative))
