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

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from judgescale.harness.stats.intervals import Interval, Rollup, Units, share_headline
from judgescale.harness.stats.power import find_smallest_difference
from judgescale.harness.stats.spread import measure_moves, measure_spread

CHUNK = 2_000_000  # differences that are in memory at once
FEW = 25  # discordant pairs below which the exact test decides
ROUNDING = 1e-12  # two ways to the same credit differ by less than this


@dataclass(frozen=True)
class Paired:
    """Hold by how much one is above another on the same units, and what that difference rests on."""

    gap: float
    interval: Interval  # None where all that the headline counts is one cluster a section
    p: float | None  # two-sided; below 1 - level exactly where the interval leaves 0 out; None with the interval
    seen: float | None  # the smallest difference that so many units show with 80 % power at the 5 % level; None: none
    won: int  # units with more credit than the other's
    lost: int
    exact_p: float | None  # McNemar's, where all credits are 0 or 1: it takes units for independent and alike


def compare_paired(
    units: Units,
    credit_a: np.ndarray,
    credit_b: np.ndarray,
    headline: Rollup,
    level: float = 0.95,
    fitted: bool = False,
) -> Paired:
    """Measure by how much a's headline is above b's on the same units. credit: (U,) each.

    fitted: whether either comes of a model that was fitted to the other clusters of these units.
    """
    a, b = np.asarray(credit_a, dtype=np.float64), np.asarray(credit_b, dtype=np.float64)
    share = share_headline(units, headline)
    differ = np.where(np.abs(a - b) > ROUNDING, a - b, 0.0)  # noise alone would be sure of its sign
    gap = float(share @ differ)
    spread = measure_spread(units, differ[:, None], share)
    counted = share > 0
    a, b, differ, shares, cluster = a[counted], b[counted], differ[counted], share[counted], units.cluster[counted]
    won, lost = int((differ > 0).sum()), int((differ < 0).sum())
    whole = bool(np.isin([a, b], (0, 1)).all())
    exact = compute_mcnemar_p(won, lost) if whole else None
    if spread is None:
        return Paired(gap, None, None, None, won, lost, exact)
    largest = np.abs(differ).max() or 1.0
    error = float(np.sqrt((1 + fitted) * spread.variance[0] + (largest**2) * (shares @ shares) ** 2))
    freedom = float(spread.freedom[0])
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    low, high, p = gap - half, gap + half, float(2 * stats.t.sf(abs(gap) / error, freedom))
    if min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) <= 1:
        low, high = max(low, -1.0), min(high, 1.0)
    alone = len(set(cluster.tolist())) == len(cluster)
    if exact is not None and alone and np.allclose(shares, shares[0]) and won + lost < FEW:
        p = max(p, exact)
        if exact > 1 - level:
            low, high = min(low, 0.0), max(high, 0.0)
    seen = _find_seen(shares, differ, gap, float(spread.variance[0]), freedom)
    return Paired(gap, (low, high), p, seen, won, lost, exact)


def compare_columns(
    units: Units, credit: np.ndarray, pairs: np.ndarray, headline: Rollup, fitted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare pairs (M, 2) of P columns of credits (U, P): the gap and the p of `compare_paired` for each, (M,).

    A p is NaN where it has none. fitted: which columns come of a model that was fitted to the other clusters, (P,).
    """
    share = share_headline(units, headline)
    counted = share > 0
    gap, p = np.empty(len(pairs)), np.full(len(pairs), np.nan)
    columns, moves = np.ascontiguousarray(credit[counted].T), measure_moves(units, credit, share)
    share, cluster = share[counted], units.cluster[counted]
    whole = np.asarray(np.isin(columns, (0, 1)).all(axis=1))
    plain = len(set(cluster.tolist())) == len(cluster) and np.allclose(share, share[:1])
    moved = None if moves is None else np.ascontiguousarray(moves.moved.T)
    step = max(1, CHUNK // max(1, len(share)))
    for start in range(0, len(pairs), step):
        here = slice(start, start + step)
        i, j = pairs[here].T
        differ = columns[i] - columns[j]
        sizes = np.abs(differ)
        differ[sizes <= ROUNDING] = 0.0
        largest = sizes.max(axis=1, initial=0.0)
        gap[here] = differ @ share
        if moves is None or moved is None:
            continue
        variance, freedom = moves.measure_variances(moved[i] - moved[j])
        largest = np.where(largest > ROUNDING, largest, 1.0)
        error = np.sqrt((1 + (fitted[i] | fitted[j])) * variance + (largest**2) * (share @ share) ** 2)
        p[here] = 2 * stats.t.sf(np.abs(gap[here]) / error, freedom)
        if plain:
            won, lost = (differ > 0).sum(axis=1), (differ < 0).sum(axis=1)
            few = whole[i] & whole[j] & (won + lost < FEW)
            exact = np.minimum(1.0, 2 * special.bdtr(np.minimum(won, lost).astype(float), won + lost, 0.5))
            p[here] = np.where(few, np.maximum(p[here], exact), p[here])
    return gap, p


def _find_seen(share: np.ndarray, differ: np.ndarray, gap: float, variance: float, freedom: float) -> float | None:
    """Find the smallest difference that is seen 4 times of 5; None where the units that differ could not make it.

    The units count as so many independent ones as would vary as they do, cut by the square of z / t as intervals are.
    """
    discordant = float(share @ differ**2)
    alone = discordant - gap**2
    if variance <= ROUNDING**2 or alone <= ROUNDING:
        return None
    cut = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, freedom)) ** 2
    seen = find_smallest_difference(discordant, alone / variance * float(cut))
    return seen if seen <= float(share @ np.abs(differ)) + ROUNDING else None


def compute_mcnemar_p(only_a: int, only_b: int) -> float:
    """Return the p-value of McNemar's exact test, from how many units only a and only b got right."""
    return min(1.0, 2 * float(special.bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
