"""The lowest confidence above which a judge may be believed: thresholds are tested in turn, the strictest first.

Each says "among items of at least this confidence, the judge is right less often than the target", and is rejected by
an exact binomial test at level delta; at the first that is not, the search ends. As one is only tested where all before
were rejected, no correction is needed: the chance that the threshold returned is worse than the target is at most delta
(fixed-sequence testing, in Trust or Escalate, arXiv 2407.18370).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from judgescale.harness.types import JudgescaleError

SLACK = 1e-9  # three thirds are one


def check_chances(**chances: float) -> None:
    """Raise JudgescaleError for one of a strategy's options, by name, that is no chance of more than never."""
    for name, value in chances.items():
        if type(value) in (int, float) and not 0 < value < 1:  # other types: see options.check_types
            raise JudgescaleError(f"strategy.{name}={value}: must be above 0 and below 1")


def find_threshold(confidence: np.ndarray, right: np.ndarray, target: float, delta: float) -> float:
    """Find the lowest confidence at and above which items are right with a chance of at least the target.

    Infinite where not even the highest confidence passes. The items must be independent of each other.

    confidence: (M,). right: (M,) booleans. delta: the chance that items at and above it are right less often.
    """
    levels, place = np.unique(confidence.round(9), return_inverse=True)
    place = place.reshape(-1)
    items = np.bincount(place, minlength=len(levels))[::-1].cumsum()  # of this confidence and more, the highest first
    wrong = np.bincount(place, ~right, minlength=len(levels))[::-1].cumsum()
    passes = stats.binom.cdf(wrong, items, 1 - target) <= delta
    passed = len(levels) if passes.all() else int(passes.argmin())
    return float(levels[::-1][passed - 1]) if passed else math.inf


def find_thresholds(confidence: np.ndarray, right: np.ndarray, target: float, delta: float) -> tuple[float, ...]:
    """Find the threshold of each judge but the last, on the items of which those before it are not sure enough.

    All of them together miss the target with a chance of at most delta, of which each has an equal part.

    confidence: (M, judges), NaN for a judge who was not asked, and so never decides. right: (M, judges) booleans.
    """
    thresholds: list[float] = []
    left = np.ones(len(right), bool)
    for of_judge, is_right in zip(confidence.T[:-1], right.T[:-1], strict=True):
        asked = left & ~np.isnan(of_judge)
        part = delta / (confidence.shape[1] - 1)
        thresholds.append(find_threshold(of_judge[asked], is_right[asked], target, part) if asked.any() else math.inf)
        left &= ~is_sure(of_judge, thresholds[-1])
    return tuple(thresholds)


def is_sure(confidence: np.ndarray, threshold: float) -> np.ndarray:
    """Tell where a confidence reaches a threshold."""
    reached: np.ndarray = confidence >= threshold - SLACK
    return reached
