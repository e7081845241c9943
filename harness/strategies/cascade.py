"""A cascade: a cheap judge first, the next only where it is not sure enough (Trust or Escalate, arXiv 2407.18370).

A judge is as sure as its judgments agree: the share of them that favour the response which most of them do. Where that
reaches its threshold, the sum of its scores decides; else the next judge is asked, whose verdict takes the place of all
before. The last decides whatever is left. Thresholds are calibrated on labelled items (stats/fixed_sequence.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import ClassVar, Self

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.stats.fixed_sequence import check_chances, find_thresholds, is_sure
from judgescale.harness.stats.stopping_rules import cast_votes
from judgescale.harness.stats.tiers import share_out
from judgescale.harness.stats.votes import vote
from judgescale.harness.types import JudgescaleError, Rules


@dataclass(frozen=True)
class Cascade(Strategy):
    """Ask one judge after the other until one is sure; k is the most that an item takes of all of them."""

    name: ClassVar[str] = "cascade"
    adaptive: ClassVar[bool] = True
    stops: ClassVar[bool] = True
    calibrated: ClassVar[bool] = True
    mixes_scales: ClassVar[bool] = True  # no judge's scores are added to another's

    target: float = 0.9  # how often a judge but the last must be right, of what it decides
    delta: float = 0.1  # the chance that calibration misses that
    first: int | None = None  # judgments of each judge but the last, who gives the rest of k; None = all alike
    thresholds: tuple[float, ...] = field(default=(), metadata={"signed_by_default": False})  # of all but the last

    def __post_init__(self) -> None:
        """Raise JudgescaleError for what is no chance, and for thresholds by hand."""
        check_chances(target=self.target, delta=self.delta)
        if type(self.thresholds) is not tuple:
            raise JudgescaleError("strategy.thresholds: are calibrated on labels; leave them out")

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List one question: all the responses at once."""
        return [tuple(range(n))]

    def judgments(self, n: int) -> int:
        """Return k, the most."""
        return self.k or 0

    def caveats(self, rules: Rules) -> list[str]:
        """Say what is promised, and what is not."""
        promised = f"at least {self.target:.0%} right (no tie is), at a confidence of {1 - self.delta:.0%}"
        return [
            f"What a judge but the last decides is {promised}, by labels of other clusters; the last promises nothing."
        ]

    def tiers(self, judges: int) -> tuple[int, ...]:
        """Count the judgments of each judge, the last ones having one more where k cannot be divided."""
        return share_out(self.k or 0, judges, self.first)

    def examine(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which share of the judgments favours the response that most do, and what their sum decides."""
        return np.nansum(cast_votes(scores), axis=1).max(axis=1) / scores.shape[1], vote(scores)

    def calibrate(self, confidence: np.ndarray, right: np.ndarray) -> Self:
        """Find each judge's threshold."""
        return replace(self, thresholds=find_thresholds(confidence, right, self.target, self.delta))

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Ask each judge about what those before it were not sure of, (D, n)."""
        decision, going = np.full((ask.draws, n), np.nan), np.ones(ask.draws, bool)
        asked, sizes = np.zeros(ask.draws, int), self.tiers(len(self.thresholds) + 1)
        for size, end, threshold in zip(sizes, np.cumsum(sizes).tolist(), (*self.thresholds, -inf), strict=True):
            if size and going.any():
                asked[going] = end
                scores = (await ask(np.arange(n)[None], asked)).scores[going, 0, end - size : end]
                confidence, verdict = self.examine(scores)
                unusable = np.isnan(verdict).all(axis=1, keepdims=True)  # then the one before stands
                decision[going] = np.where(unusable, decision[going], verdict)
                going[going] = ~is_sure(confidence, threshold)
        return decision
