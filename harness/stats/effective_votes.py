"""How many independent votes some correlated ones are worth: Kish's effective number, and the correlation it takes.

Nine judges who make the same mistakes on the same items are worth about two (arXiv 2605.29800).
"""

from __future__ import annotations

import math

import numpy as np


def count_effective_votes(votes: float, correlation: float) -> float:
    """Count the independent votes whose mean varies as that of so many correlated ones: n / (1 + (n - 1) rho).

    Kish's effective sample size (Survey Sampling, 1965). More than n where errors make up for each other; infinite
    where they cancel out.
    """
    shared = 1 + (votes - 1) * correlation
    return votes / shared if shared > 0 else math.inf


def correlate_within(value: np.ndarray, group: np.ndarray, kind: np.ndarray) -> float | None:
    """Correlate the values of one group with each other: the mean over all pairs of two rows of one group.

    Each kind's values are first put on one scale, mean 0 and variance 1 over all its rows, so that with one row of
    every kind in each group this is the mean of the kinds' pairwise correlations. A kind whose values are all alike
    correlates with nothing, and is left out. None where no two groups have a pair.

    value: (M,). group: (M,) whole numbers from 0, as the item. kind: (M,) whole numbers from 0, as the judge.
    """
    rows = np.bincount(kind)
    mean = np.bincount(kind, value) / np.maximum(rows, 1)
    deviation = np.sqrt(np.bincount(kind, (value - mean[kind]) ** 2) / np.maximum(rows, 1))
    varies = deviation[kind] > 1e-12
    z, of = (value - mean[kind])[varies] / deviation[kind][varies], group[varies]
    size = np.bincount(of)
    if (size > 1).sum() < 2:
        return None
    return float((np.bincount(of, z) ** 2 - np.bincount(of, z**2)).sum() / (size * (size - 1)).sum())
