"""Active pairing: the next match is the one whose outcome is expected to tell most about who is best.

What is known is a Bradley-Terry model's posterior in Laplace's approximation, as in Hybrid-MST (arXiv 1810.08851). What
a judgment tells is the mutual information of its verdict and the identity of the best, as in Entropy Search (JMLR 13,
2012), over samples of the posterior. A pair meets once; the strongest at the posterior's mode wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Games, Strategy
from judgescale.harness.stats.strengths import draw_strengths, expect_information, fit_posterior
from judgescale.harness.strategies.elo import award_points
from judgescale.harness.strategies.swiss import Swiss

SAMPLES = 100  # of the posterior, before each match


@dataclass(frozen=True)
class InformationGain(Strategy):
    """Let that pair meet next whose match tells most."""

    name: ClassVar[str] = "information_gain"
    adaptive: ClassVar[bool] = True  # who meets whom depends on the verdicts
    slow: ClassVar[bool] = True
    next_try: ClassVar[str] = "elo"

    matches: int | None = None  # at most all pairs; None = as many as `swiss` plays

    @property
    def games(self) -> Games:
        """Tell that judgments are counted, whatever their scores."""
        return Games("log strength", by_verdicts=True)

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every pair."""
        return list(combinations(range(n), 2))

    def judgments(self, n: int) -> int:
        """Count k judgments for each match."""
        return (self.k or 0) * min(self.matches or Swiss(1).judgments(n), n * (n - 1) // 2)

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Play one match of k judgments after the other; return the log strengths, (D, n)."""
        pairs, replay, matches = np.array(self.questions(n)), np.arange(ask.draws), self.at(1).judgments(n)
        met = np.zeros((ask.draws, len(pairs)), bool)
        won = np.zeros((ask.draws, n, n))
        mode, precision = fit_posterior(won)
        for _ in range(matches):
            if matches < len(pairs):  # else all will meet, in whatever order
                tells = expect_information(draw_strengths(mode, precision, SAMPLES, rng))
            else:
                tells = np.zeros(met.shape)
            match = np.where(met, -np.inf, tells).argmax(axis=1)
            met[replay, match] = True
            answers = await ask(pairs[match][:, None], self.k or 0)
            points = award_points(answers.scores[:, 0])  # (D, k), of the first of the two
            first, second = pairs[match].T
            won[replay, first, second] = np.nansum(points, axis=1)
            won[replay, second, first] = np.nansum(1 - points, axis=1)
            mode, precision = fit_posterior(won)
        usable = won.sum(axis=(1, 2)) > 0
        return np.where(usable[:, None], mode.round(6), np.nan)
