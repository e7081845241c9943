"""Whether something is right as often as it is said to be: the expected calibration error, and how much of it is luck.

Items are put into bins of about equal mass by confidence; the error is the mean distance, over items, between a bin's
confidence and the share of it that is right (Guo et al., ICML 2017, with bins of equal mass as Nguyen and O'Connor,
EMNLP 2015). Items of equal confidence always share a bin. The error is never below 0, so that a perfectly calibrated
judge has one too: `luck` is what it would have on average on so many items of these confidences, by simulation, and
`luck_high` what it would exceed one time in twenty. Where items of one cluster are right together, there are fewer
independent ones: luck grows by the square root of the design effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 10
WORLDS = 500  # of the simulation: the mean is known to a few percent of itself


@dataclass(frozen=True)
class Calibration:
    """Hold an expected calibration error, what luck alone makes of it, and its bins (B,), by confidence."""

    error: float
    luck: float
    luck_high: float
    confidence: np.ndarray
    right: np.ndarray
    count: np.ndarray


def measure_calibration(
    confidence: np.ndarray,
    right: np.ndarray,
    design_effect: float,
    rng: np.random.Generator,
    by_mass: bool = True,
    bins: int = BINS,
) -> Calibration:
    """Measure how far N items are right as often as their confidence says.

    confidence, right: (N,), 0 to 1; `right` may be the chance of being right. design_effect: by how much the variance
    of the mean error is larger than that of independent items. by_mass: whether bins are of equal mass, or of equal
    width: confidences that a model gave, fitted without each item in turn, are lower by a trifle where the item is
    right, and a cut between equal ones would sort them by that.
    """
    value, place, count = np.unique(np.round(confidence, 12), return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - count / 2) / len(right) if by_mass else np.clip(value, 0, 1 - 1e-12)
    bin_of_value = np.unique((middle * bins).astype(int), return_inverse=True)[1]
    in_bin = np.bincount(bin_of_value, count)
    said, was = np.bincount(bin_of_value, count * value), np.bincount(bin_of_value[place], right)
    worlds = rng.binomial(count, np.clip(value, 0, 1), size=(WORLDS, len(value))) - count * value
    missed = np.array([np.bincount(bin_of_value, world) for world in worlds])
    by_luck = np.abs(missed).sum(axis=1) / len(right) * np.sqrt(max(design_effect, 1.0))
    return Calibration(
        float(np.abs(was - said).sum() / len(right)),
        float(min(by_luck.mean(), 1.0)),
        float(min(np.quantile(by_luck, 0.95), 1.0)),
        said / in_bin,
        was / in_bin,
        in_bin.astype(int),
    )
