"""Many differences between judges at once, and which of several judges is the best: none is called for luck alone.

The best of many looks better than it is, for it was also the luckiest. All comparisons of a table are therefore tested
together: each has its p-value (stats/paired.py), and is granted what the smallest p-value of all of them would be by
chance, were nobody better than anybody. That is found from draws: every cluster's moves of all headlines are drawn anew
with normal multipliers (Chernozhukov, Chetverikov and Kato, Annals of Statistics 41, 2013), which keeps how headlines
vary together, as neighbouring points of one curve nearly do. It is the one-step method of Westfall and Young
(Resampling-Based Multiple Testing, 1993), and grants less than Holm's where comparisons are alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.intervals import Rollup, Units, share_headline
from judgescale.harness.stats.spread import measure_moves

DRAWS = 4_000
CHUNK = 400  # pairs whose draws are in memory at once
CREDITS = 2_000_000  # differences of credits that are in memory at once
MULTIPLIERS = 2_000_000  # that are in memory at once
ROUNDING = 1e-12


@dataclass(frozen=True)
class Headlines:
    """Hold P headlines on the same units, and B draws of what chance may add to all of them together."""

    value: np.ndarray  # (P,)
    noise: np.ndarray  # (B, P); empty, (0, P), where nothing tells how much they vary
    moves: np.ndarray  # (C, P): L with L'L the covariance of the headlines
    freedom: float  # degrees of freedom of their variances
    credit: np.ndarray  # (U, P) of the units that count
    share: np.ndarray  # (U,)

    def select(self, columns: np.ndarray) -> Headlines:
        """Return some of the headlines, with the same draws."""
        value, noise, moves, credit = (each[..., columns] for each in (self.value, self.noise, self.moves, self.credit))
        return Headlines(value, noise, moves, self.freedom, credit, self.share)


def draw_headlines(units: Units, credit: np.ndarray, headline: Rollup, draws: int = DRAWS) -> Headlines:
    """Measure the headlines of P columns of credits (U, P), and draw what chance may add to them."""
    share = share_headline(units, headline)
    counted = share > 0
    value, found = share @ credit, measure_moves(units, credit, share)
    if found is None:
        nothing = np.empty((0, len(value)))
        return Headlines(value, nothing, nothing, 1.0, credit[counted], share[counted])
    moves = np.sqrt(found.factor)[:, None] * found.moved
    rng, noise = make_rng(0, "headlines"), np.empty((draws, len(value)))
    step = max(1, MULTIPLIERS // len(moves))
    for start in range(0, draws, step):
        some = noise[start : start + step]
        some[:] = rng.standard_normal((len(some), len(moves)), dtype=np.float32) @ moves
    return Headlines(value, noise, moves, found.freedom, credit[counted], share[counted])


@dataclass(frozen=True)
class PairTests:
    """Hold M pairs of headlines: by how much the first is above the second, and how surely."""

    pairs: np.ndarray  # (M, 2)
    gap: np.ndarray  # (M,)
    p: np.ndarray  # (M,), each for itself
    largest: np.ndarray  # (B,), ascending: the largest of all differences, in standard errors, that chance alone draws

    def adjust(self, p: np.ndarray) -> np.ndarray:
        """Return p-values adjusted for all the pairs."""
        if not len(self.largest):
            return np.ones_like(p)
        seen = stats.norm.isf(np.clip(p, 1e-300, 1.0) / 2)
        above = len(self.largest) - np.searchsorted(self.largest, seen - ROUNDING)
        adjusted: np.ndarray = np.maximum((1 + above) / (1 + len(self.largest)), p)
        return adjusted


def compare_pairs(found: Headlines, pairs: np.ndarray, fitted: np.ndarray | None = None) -> PairTests:
    """Compare pairs (M, 2) of headlines, by t tests with the standard errors of stats/paired.py.

    fitted: of which headlines (P,) the decisions come of a model that was fitted to the other clusters.
    """
    gap = found.value[pairs[:, 0]] - found.value[pairs[:, 1]]
    if not len(pairs) or not len(found.noise):
        return PairTests(pairs, gap, np.ones(len(pairs)), np.empty(0))
    largest, p = np.zeros(len(found.noise)), np.empty(len(pairs))
    added = float(found.share @ found.share)
    credit, moves, noise = (np.ascontiguousarray(each.T) for each in (found.credit, found.moves, found.noise))
    step = max(1, min(CHUNK, CREDITS // max(1, len(found.share))))
    for start in range(0, len(pairs), step):
        here = slice(start, start + step)
        i, j = pairs[here].T
        differ = np.abs(credit[i] - credit[j]).max(axis=1)
        differ = np.where(differ > ROUNDING, differ, 1.0)
        variance = ((moves[i] - moves[j]) ** 2).sum(axis=1)
        doubled = np.ones(len(i)) if fitted is None else 1.0 + (fitted[i] | fitted[j])
        error = np.sqrt(doubled * variance + (differ * added) ** 2)
        p[here] = 2 * stats.t.sf(np.abs(gap[here]) / error, found.freedom)
        spread = np.sqrt(np.where(variance > ROUNDING**2, variance, np.inf))
        drawn = noise[i] - noise[j]
        drawn /= spread[:, None]
        largest = np.maximum(largest, np.maximum(drawn.max(axis=0), -drawn.min(axis=0)))
    return PairTests(pairs, gap, p, np.sort(largest))


@dataclass(frozen=True)
class Chances:
    """Hold how often each of P headlines is the highest one, and how far luck alone would lift the highest."""

    best: np.ndarray  # (P,), summing to 1
    luck: float  # how far above its true value the highest one would stand on average, were all equally good


def find_chances(found: Headlines) -> Chances:
    """Find how often each headline is the highest where the benchmark is drawn anew; ties share."""
    if not len(found.noise):
        return Chances(np.full(len(found.value), np.nan), np.nan)
    drawn = found.value + found.noise
    highest = drawn >= drawn.max(axis=1, keepdims=True) - ROUNDING
    best = (highest / highest.sum(axis=1, keepdims=True)).mean(axis=0)
    return Chances(best, float(found.noise.max(axis=1).mean()) if len(found.value) > 1 else 0.0)
