"""By how much one judge is above another on the same units, and the interval of that.

A t interval on the differences' jackknife over clusters (stats/spread.py), which holds its level where clusters are
few. To the variance it adds that of two units more, one for either side, which differ as the most different one does:
the (1/2, 1/2) that Agresti and Min (2005) add to the two discordant cells, so that no difference is certain. Where
units are independent and right or wrong, and few of them tell the two apart, the interval leaves 0 out only where the
exact test of McNemar rejects.

Where the credits are those of a model that was fitted without each cluster in turn, the clusters share its errors:
the variance is doubled, as Nadeau and Bengio (Machine Learning 52, 2003) correct it for cross-validation. In place of
1/n they take 1/n + (tested at once) / (trained on), and here that is 1/n + 1/(n - 1).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from judgescale.harness.stats.intervals import Interval, Rollup, Units, share_headline
from judgescale.harness.stats.spread import measure_spread

FEW = 25  # discordant pairs below which the exact test decides


def paired_difference(
    units: Units,
    credit_a: np.ndarray,
    credit_b: np.ndarray,
    headline: Rollup,
    level: float = 0.95,
    fitted: bool = False,
) -> tuple[float, Interval]:
    """Return by how much a's headline is above b's on the same units, and its interval. credit: (U,) each.

    fitted: whether either comes of a model that was fitted to the other clusters of these units.

    The interval is None where all that the headline counts is one cluster a section.
    """
    a, b = np.asarray(credit_a, dtype=np.float64), np.asarray(credit_b, dtype=np.float64)
    share = share_headline(units, headline)
    difference = float(share @ (a - b))
    if (spread := measure_spread(units, (a - b)[:, None], share)) is None:
        return difference, None
    a, b, shares, cluster = a[share > 0], b[share > 0], share[share > 0], units.cluster[share > 0]
    largest = np.abs(a - b).max() or 1.0
    variance = (1 + fitted) * spread.variance[0] + (largest**2) * (shares @ shares) ** 2
    half = float(stats.t.ppf((1 + level) / 2, spread.freedom[0]) * np.sqrt(variance))
    low, high = difference - half, difference + half
    if min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) <= 1:
        low, high = max(low, -1.0), min(high, 1.0)
    alone = len(set(cluster.tolist())) == len(cluster)
    if alone and np.allclose(shares, shares[0]) and np.isin([a, b], (0, 1)).all():
        only_a, only_b = int((a > b).sum()), int((a < b).sum())
        if only_a + only_b < FEW and compute_mcnemar_p(only_a, only_b) > 1 - level:
            low, high = min(low, 0.0), max(high, 0.0)
    return difference, (low, high)


def compute_mcnemar_p(only_a: int, only_b: int) -> float:
    """Return the p-value of McNemar's exact test, from how many units only a and only b got right."""
    return float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
