"""The interval of a mean of credits: a beta interval on an effective number of trials.

Of n right-or-wrong trials its ends are quantiles of Beta(right + 1/4, wrong + 3/4) and Beta(right + 3/4, wrong + 1/4):
halfway between Jeffreys' interval and Clopper and Pearson's, for near 0 and 1 the first covers too little and the
second too much (benchmarks/coverage.py). It never has zero width.

A benchmark's mean is not n trials: units share clusters, weigh differently and earn fractions. It counts as the trials
that would vary as it does, p (1 - p) / variance + 1 (Korn and Graubard, 1998), which are n for independent ones. How
surely few clusters tell the variance is counted in degrees of freedom, and the trials are cut by the square of z / t.
Clusters never make a mean surer than independent units would, which count half a unit more that is right or wrong.
Where all is right, or all wrong, each cluster is one trial. Credits outside [0, 1] have a t interval.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from judgescale.harness.stats.intervals import Interval, Rollup, Units, share_headline
from judgescale.harness.stats.spread import Spread, measure_spread


def find_mean_intervals(units: Units, credit: np.ndarray, headline: Rollup, level: float = 0.95) -> list[Interval]:
    """Find the interval of the headline of every column of credits (U, K).

    None where every section that the headline counts is a single cluster, which tells nothing about the next one.
    """
    credit = np.asarray(credit, dtype=np.float64)
    share = share_headline(units, headline)
    if (spread := measure_spread(units, credit, share)) is None:
        return [None] * credit.shape[1]
    counted, mean = credit[share > 0], share @ credit
    if counted.min() < 0 or counted.max() > 1:
        return [(float(m - h), float(m + h)) for m, h in zip(mean, spread.find_half_width(level), strict=True)]
    mean = np.where(np.minimum(mean, 1 - mean) < 1e-12, mean.round(), mean)  # what rounding leaves of 0 and 1
    whole = np.asarray(np.isin(counted, (0, 1)).all(axis=0))
    single = dataclasses.replace(units, cluster=np.arange(len(share)))
    independent = measure_spread(single, credit, share)
    assert independent is not None  # units are at least as many as clusters
    trials = np.minimum(
        _count_trials(mean, spread, whole, level),
        _count_trials(mean, _add_half_a_unit(mean, independent, whole), whole, level),
    )
    return find_beta_intervals(mean, np.where(np.isinf(trials), spread.clusters, trials), level)


def find_beta_intervals(mean: np.ndarray, trials: np.ndarray, level: float = 0.95) -> list[Interval]:
    """Find the interval of each mean (K,) of as many right-or-wrong trials (K,), which need be no whole numbers."""
    right, wrong = mean * trials, (1 - mean) * trials
    low = np.where(right > 0, stats.beta.ppf((1 - level) / 2, right + 0.25, wrong + 0.75), 0.0)
    high = np.where(wrong > 0, stats.beta.ppf((1 + level) / 2, right + 0.75, wrong + 0.25), 1.0)
    ends = zip(np.minimum(low, mean).tolist(), np.maximum(high, mean).tolist(), strict=True)
    return [(low, high) for low, high in ends]


def _add_half_a_unit(mean: np.ndarray, spread: Spread, whole: np.ndarray) -> Spread:
    """Add half a unit that is right or wrong to the variance of independent units which earn fractions.

    Else units of which nearly all earn the same look surer than so many can be.
    """
    n = spread.clusters
    guess = (mean * n + 0.5) / (n + 1)
    more = (n * spread.variance + 0.5 * guess * (1 - guess) / n) / (n + 0.5)
    return dataclasses.replace(spread, variance=np.where(whole, spread.variance, more))


def _count_trials(mean: np.ndarray, spread: Spread, whole: np.ndarray, level: float) -> np.ndarray:
    """Count the trials that would vary as the mean does: (K,); infinitely many where it does not.

    whole: of which columns all credits are 0 or 1; for independent units of these the mean tells the variance.
    """
    least = 1e-18  # what rounding may leave of none
    alike = np.full_like(mean, np.inf)
    trials = np.divide(mean * (1 - mean), spread.variance, out=alike, where=spread.variance > least) + 1
    known = np.maximum(spread.freedom, np.where(whole, spread.units - 1, np.inf))
    tail = (1 + level) / 2
    cut: np.ndarray = stats.t.ppf(tail, known) / stats.t.ppf(tail, spread.freedom)
    return trials * cut**2
