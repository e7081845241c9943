"""Active pairing: each match is the one whose outcome is expected to tell most about who is best.

What is known is a posterior of the Bradley-Terry model: log strengths with a normal prior, in Laplace's approximation
(as for paired comparisons in Hybrid-MST, arXiv 1810.08851). What a judgment tells is the mutual information of its
verdict and the identity of the best (Lindley, Annals of Mathematical Statistics 27, 1956; Entropy Search, arXiv
1112.1217), over samples of the posterior. A pair meets once. The strongest by the posterior's mode wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.strategies.elo import award_points, win_matrix
from judgescale.harness.types import JudgescaleError

SAMPLES = 64  # of the posterior, a match: a sum over them is an expectation


@dataclass(frozen=True)
class InformationGain(Strategy):
    """Let that pair meet next whose match tells most."""

    name: ClassVar[str] = "information_gain"
    adaptive: ClassVar[bool] = True  # who meets whom depends on the verdicts
    next_try: ClassVar[str] = "elo"

    matches: int | None = None  # at most all pairs; None = as many as a Swiss tournament plays
    spread: float = 1.0  # of the prior: the standard deviation of log strengths

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every pair."""
        return list(combinations(range(n), 2))
