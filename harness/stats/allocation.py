"""Where one more judgment helps most: the expected improvement of the chosen response (the knowledge gradient)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from judgescale.harness.stats.votes import round_off_noise

PRIOR = 2.0  # judgments' worth of belief that a response's scores spread as those of all items do


class Scores(NamedTuple):
    """Describe the scores that each response has so far: (D, N, n) each."""

    mean: np.ndarray  # NaN where there is none
    variance: np.ndarray
    count: np.ndarray  # at least 1, also where there is none


def describe_scores(scores: np.ndarray) -> Scores:
    """Describe scores (D, N, n, k), NaN where a judgment was not bought or not usable."""
    there = ~np.isnan(scores)
    count = there.sum(axis=-1)
    total = np.where(there, scores, 0.0).sum(axis=-1)
    mean = np.where(count, total / np.maximum(count, 1), np.nan)
    deviance = np.where(there, (scores - mean[..., None]) ** 2, 0.0).sum(axis=-1)
    mean = round_off_noise(mean, np.abs(mean))
    return Scores(mean, shrink_variances(deviance, count), np.maximum(count, 1))


def shrink_variances(deviance: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Estimate how far the scores of each response spread, its own and all responses' taken together.

    deviance: (D, …) the sum of squared deviations from the response's mean. count: (D, …) its scores. Each is drawn to
    the common variance of its replay by PRIOR degrees of freedom, as a response with one score has no spread of its
    own. Where no response has two scores, all have the variance 1: then only the order of the margins matters.
    """
    of_replay = tuple(range(1, count.ndim))
    freedom = np.maximum(count - 1, 0)
    repeated = freedom.sum(axis=of_replay, keepdims=True)
    common = deviance.sum(axis=of_replay, keepdims=True) / np.maximum(repeated, 1)
    common = np.where((repeated == 0) | (common == 0), 1.0, common)
    return (deviance + PRIOR * common) / (freedom + PRIOR)


def expect_gain(mean: np.ndarray, variance: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Expect how much one more score of each response would raise the mean of the response that is best after it.

    mean, variance, count: (…, n) of the scores so far; a mean of NaN belongs to no response, and gains nothing. One more
    score moves a mean of c scores by about s = sqrt(variance / (c (c + 1))); it matters as far as it carries the
    response past its rival, the best of the others (Frazier, Powell and Dayanik 2008, SIAM J. Control Optim. 47,
    equation 4.2, with a flat prior).
    """
    known = np.where(np.isnan(mean), -np.inf, mean)
    best, second = np.moveaxis(np.sort(known, axis=-1)[..., -2:], -1, 0)[::-1]
    first = np.arange(known.shape[-1]) == known.argmax(axis=-1)[..., None]
    lag = np.abs(known - np.where(first, second[..., None], best[..., None]))
    return _pass_by_chance(lag, np.sqrt(variance / (count * (count + 1))))


def expect_gain_together(mean: np.ndarray, variance: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Expect the same of one more score of all responses at once: (…, n) to (…, 1), the sum over the rivals."""
    known = np.where(np.isnan(mean), -np.inf, mean)
    leader = known.argmax(axis=-1)[..., None]
    step = variance / (count * (count + 1))
    best = np.take_along_axis(known, leader, axis=-1)
    lag = np.where(known > -np.inf, best, np.inf) - np.where(known > -np.inf, known, 0.0)
    gain = _pass_by_chance(lag, np.sqrt(step + np.take_along_axis(step, leader, axis=-1)))
    return np.where(np.arange(known.shape[-1]) == leader, 0.0, gain).sum(axis=-1, keepdims=True)


def _pass_by_chance(lag: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return E[max(0, X - lag)] for X normal with mean 0 and deviation `step`; 0 for what lags infinitely."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = lag / step
        gain = step * (np.exp(-z * z / 2) / np.sqrt(2 * np.pi) - z * ndtr(-z))
    return np.where(np.isfinite(z), np.maximum(gain, 0.0), 0.0)
