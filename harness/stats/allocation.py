"""Where one more judgment helps most: the expected improvement of the chosen response (the knowledge gradient)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from judgescale.harness.stats.votes import round_off_noise

PRIOR = 2.0  # judgments' worth of belief that a response's scores spread as those of all items do


class Scores(NamedTuple):
    """Describe the scores that each response has so far: (D, N, n) each."""

    mean: np.ndarray  # NaN where there is none
    variance: np.ndarray
    number: np.ndarray  # of the scores; of those asked for where none was usable


def describe_scores(scores: np.ndarray, asked: np.ndarray) -> Scores:
    """Describe scores (D, N, n, k), NaN where a judgment was not asked for or not usable.

    asked: how many were, (D, N, n) or (D, N, 1).
    """
    there = ~np.isnan(scores)
    count = there.sum(axis=-1)
    total = np.where(there, scores, 0.0).sum(axis=-1)
    mean = np.where(count, total / np.maximum(count, 1), np.nan)
    deviance = np.where(there, (scores - mean[..., None]) ** 2, 0.0).sum(axis=-1)
    mean = round_off_noise(mean, np.nan_to_num(np.abs(mean)))
    return Scores(mean, shrink_variances(deviance, count), np.maximum(np.where(count, count, asked), 1))


def shrink_variances(deviance: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Estimate how far the scores of each response spread, from its own and from those of all responses.

    deviance: (D, …) the sum of squared deviations from the response's mean. count: (D, …) its scores. Each is drawn to
    the common variance of its replay by PRIOR degrees of freedom, as a response with one score has no spread of its
    own. Where no response has two scores, all have the variance 1: then only the order of the margins matters.
    """
    of_replay = tuple(range(1, count.ndim))
    freedom = np.maximum(count - 1, 0)
    repeated = freedom.sum(axis=of_replay, keepdims=True)
    common = deviance.sum(axis=of_replay, keepdims=True) / np.maximum(repeated, 1)
    common = np.where(common > 0, common, 1.0)
    return (deviance + PRIOR * common) / (freedom + PRIOR)


def expect_gain(scores: Scores) -> np.ndarray:
    """Expect how much one more score of each response would raise the mean of the response that is best after it.

    Returns (D, N, n). One more score moves a mean of c scores by about s = sqrt(variance / (c (c + 1))), and it matters
    as far as it carries the response past its rival, the best of the others: s f(lag / s) with f(z) = phi(z) - z
    Phi(-z) (the knowledge gradient: Frazier, Powell and Dayanik, SIAM Journal on Control and Optimization 47, 2008,
    section 4; here with a flat prior). A response without any usable score is taken to lie level with its rival.
    """
    known = np.where(np.isnan(scores.mean), -np.inf, scores.mean)
    second, best = np.moveaxis(np.sort(known, axis=-1)[..., -2:], -1, 0)
    first = np.arange(known.shape[-1]) == known.argmax(axis=-1)[..., None]
    rival = np.where(first, second[..., None], best[..., None])
    return _pass_by_chance(_lag(known, rival), np.sqrt(scores.variance / (scores.number * (scores.number + 1))))


def expect_gain_together(scores: Scores) -> np.ndarray:
    """Expect the same of one more score of all of an item's responses: (D, N, 1), the sum over the leader's rivals."""
    known = np.where(np.isnan(scores.mean), -np.inf, scores.mean)
    leader = known.argmax(axis=-1)[..., None]
    step = scores.variance / (scores.number * (scores.number + 1))
    both = np.sqrt(step + np.take_along_axis(step, leader, axis=-1))
    gain = _pass_by_chance(_lag(known, np.take_along_axis(known, leader, axis=-1)), both)
    return np.where(np.arange(known.shape[-1]) == leader, 0.0, gain).sum(axis=-1, keepdims=True)


def _lag(known: np.ndarray, rival: np.ndarray) -> np.ndarray:
    """Return how far apart a response and its rival are; 0 where either has no score."""
    there = np.isfinite(known) & np.isfinite(rival)
    return np.abs(np.subtract(known, rival, out=np.zeros(known.shape), where=there))


def _pass_by_chance(lag: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return E[max(0, X - lag)] for X normal with mean 0 and deviation `step`, which is above 0."""
    z = lag / step
    gain: np.ndarray = step * (np.exp(-z * z / 2) / math.sqrt(2 * math.pi) - z * ndtr(-z))
    return np.maximum(gain, 0.0)


def choose_best(
    gain: np.ndarray, price: np.ndarray, left: np.ndarray, at_once: int, rng: np.random.Generator
) -> np.ndarray:
    """Choose the best unit of each of the best `at_once` items by gain for its price, as far as what is left buys.

    gain: (D, N, units), -inf where nothing can be bought. price: (N, units). left: (D,), in judgments. Returns booleans
    (D, N, units).
    """
    with np.errstate(invalid="ignore"):
        worth = np.where(gain > -np.inf, gain / np.where(price, price, 1), -np.inf)
    unit = worth.argmax(axis=2)  # of each item
    best = worth.max(axis=2)
    order = np.lexsort((rng.random(best.shape), -best), axis=1)[:, :at_once]  # equal ones in random order
    of_item = np.take_along_axis(price[np.arange(len(price)), unit], order, axis=1)
    bought = (of_item.cumsum(axis=1) <= left[:, None] + 1e-9) & (np.take_along_axis(best, order, axis=1) > -np.inf)
    chosen = np.zeros(gain.shape, bool)
    draw, rank = np.nonzero(bought)
    item = order[draw, rank]
    chosen[draw, item, unit[draw, item]] = True
    return chosen
