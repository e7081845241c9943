"""A judge whose accuracy and whose samples' correlation are known, and what votes of it earn by theory.

Each item has its own chance p that a sample of the judge is right, drawn from Beta(a, b); given p, the samples are
independent. So a sample is right with a / (a + b), and two of an item correlate with 1 / (a + b + 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import erf
from pathlib import Path

import numpy as np
from scipy.special import roots_sh_jacobi

from judgescale.harness.recorded import write_set
from judgescale.harness.types import Judgment, Record
from judgescale.tasks.rewardbench import FOUR

OFFICIAL = {subset: size for subsets in FOUR.values() for subset, size in subsets.items()}  # RewardBench's pairs
BETA_NODES = 60  # of the quadrature over p: exact for a vote of fewer than twice as many


@dataclass(frozen=True)
class SimulatedJudge:
    """Hold what is known of a judge of two responses; its scores are whole numbers from 1 to 10, as a GRM's."""

    accuracy: float  # of a sample that is no tie
    correlation: float  # between two samples of an item; 0 = every item is alike
    margins: tuple[int, ...] = (1,)  # by how much the better score is higher, each as likely
    ties: float = 0.0  # the chance that a sample scores both alike
    signal: float = 0.0  # how far the meta score of a right sample lies above a wrong one's, in standard deviations

    @property
    def beta(self) -> tuple[float, float]:
        """Return a and b."""
        both = 1 / self.correlation - 1
        return self.accuracy * both, (1 - self.accuracy) * both

    @property
    def meta_auc(self) -> float:
        """Return how often the meta score of a right sample lies above a wrong one's."""
        return (1 + erf(self.signal / 2)) / 2

    def draw_chances(self, rng: np.random.Generator, items: int) -> np.ndarray:
        """Draw each item's p, (items,)."""
        return rng.beta(*self.beta, items) if self.correlation else np.full(items, self.accuracy)


def make_records(
    judge: SimulatedJudge, subsets: Mapping[str, int], samples: int, seed: int, name: str = "simulated"
) -> Iterator[Record]:
    """Judge so many pairs of each subset; in half of them the second response is right, and each sample shuffles."""
    rng = np.random.default_rng(seed)
    for subset, size in subsets.items():
        shape = size, samples
        chances = judge.draw_chances(rng, size)
        wins = np.where(rng.random(shape) < chances[:, None], 1, -1)
        lead = wins * rng.choice(judge.margins, shape) * (rng.random(shape) >= judge.ties)  # of the right response
        lower = 1 + np.floor(rng.random(shape) * (10 - np.abs(lead))).astype(int)
        meta = rng.normal(size=shape) + judge.signal * (lead > 0)
        flipped = rng.random(shape) < 0.5
        for i in range(size):
            gold = (1.0, 0.0) if i % 2 else (0.0, 1.0)
            for j in range(samples):
                better, other = lower[i, j] + max(lead[i, j], 0), lower[i, j] + max(-lead[i, j], 0)
                scores = (better, other) if i % 2 else (other, better)
                shown = (1, 0) if flipped[i, j] else (0, 1)
                yield Record(
                    prompt=f"{subset}/{i}",
                    cluster=f"{subset}/{i}",
                    subset=subset,
                    responses=("1", "2"),
                    gold=gold,
                    judgment=Judgment(
                        judge=name,
                        shown=shown,
                        scores=tuple(float(scores[s]) for s in shown),
                        sample=j,
                        meta=round(float(meta[i, j]), 4) if judge.signal else None,
                    ),
                )


def write_simulated_set(
    path: Path,
    judge: SimulatedJudge,
    task: str = "rewardbench",
    subsets: Mapping[str, int] = OFFICIAL,
    samples: int = 32,
    seed: int = 0,
) -> Path:
    """Write a recorded set of the judge for a benchmark of pairs."""
    about = {"name": "simulated", "tasks": [task], "order": "random", "temperature": 0.5}
    write_set(path, make_records(judge, subsets, samples, seed), about)
    return path


def expect_credit(judge: SimulatedJudge, k: int, tie: float) -> float:
    """Return what the sum of k samples earns in expectation, a tied one earning `tie`.

    Given p, the lead of the right response is a sum of k independent ones; p is integrated over its distribution.
    """
    widest = max(judge.margins)
    right = np.zeros(2 * widest + 1)
    for margin in judge.margins:
        right[widest + margin] += (1 - judge.ties) / len(judge.margins)
    chances, weights = np.array([judge.accuracy]), np.array([1.0])
    if judge.correlation:
        a, b = judge.beta
        with np.errstate(divide="ignore", invalid="ignore"):  # at a + b = 1 scipy divides 0 by 0 and drops the result
            chances, weights = roots_sh_jacobi(BETA_NODES, a + b - 1, a)
        weights = weights / weights.sum()
    earned = 0.0
    for p, weight in zip(chances, weights, strict=True):
        one = p * right + (1 - p) * right[::-1]
        one[widest] += judge.ties
        lead = np.ones(1)
        for _ in range(k):
            lead = np.convolve(lead, one)
        middle = k * widest
        earned += weight * (lead[middle + 1 :].sum() + tie * lead[middle])
    return float(earned)


def draw_trusted_votes(
    judge: SimulatedJudge, k: int, voters: int, tie: float, draws: int = 200_000, seed: int = 0
) -> float:
    """Return what the sum of those of k samples earns that the meta scores rank first, by simulation."""
    rng = np.random.default_rng(seed)
    right = rng.random((draws, k)) < judge.draw_chances(rng, draws)[:, None]
    lead = np.where(right, 1, -1) * rng.choice(judge.margins, (draws, k)) * (rng.random((draws, k)) >= judge.ties)
    trust = rng.normal(size=(draws, k)) + judge.signal * (lead > 0)
    chosen = np.argpartition(-trust, voters - 1, axis=1)[:, :voters]
    votes = np.take_along_axis(lead, chosen, axis=1).sum(axis=1)
    return float(((votes > 0) + tie * (votes == 0)).mean())
