"""Double elimination: who has lost two matches is out, so that one unlucky match costs nobody the tournament.

The unbeaten play each other, and so do those beaten once, among them the losers of the round. Byes go round as in the
knockout; a tied match is a coin flip. The two who are left meet in the final.

A pair is judged once. Where two meet again, the same k judgments decide again: in a rematch, and in the second final
that is customary where the unbeaten one loses the first, and that would say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Games, Strategy
from judgescale.harness.stats.pairing import pair_off
from judgescale.harness.strategies.knockout import play


@dataclass(frozen=True)
class DoubleElimination(Strategy):
    """Let pairs play until all but one have lost twice."""

    name: ClassVar[str] = "double_elimination"
    adaptive: ClassVar[bool] = True  # who meets whom depends on the verdicts
    stops: ClassVar[bool] = True  # with every rematch it has a match less to buy
    may_tie: ClassVar[bool] = False
    next_try: ClassVar[str] = "elo"

    @property
    def games(self) -> Games:
        """Tell that two lost games put out."""
        return Games("rounds survived", lives=2)

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every pair."""
        return list(combinations(range(n), 2))

    def judgments(self, n: int) -> int:
        """Count k judgments for each of 2 n - 2 matches, or of all pairs: the most it may cost, without a rematch."""
        return (self.k or 0) * min(2 * n - 2, n * (n - 1) // 2)

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Let pairs play k games a match, round by round; return the rounds that each response survived, (D, n)."""
        survived, usable = np.zeros((ask.draws, n)), np.zeros(ask.draws, bool)
        unbeaten = rng.permuted(np.tile(np.arange(n), (ask.draws, 1)), axis=1)
        once = unbeaten[:, :0]
        while unbeaten.shape[1] + once.shape[1] > 2:
            matches, byes = zip(*map(pair_off, (unbeaten, once)))
            played = await play(ask, np.concatenate(matches, axis=1), self.k or 0, rng)
            usable |= played.usable
            above = matches[0].shape[1]  # matches of the unbeaten
            unbeaten = np.concatenate([played.winners[:, :above], byes[0]], axis=1)
            once = np.concatenate([played.winners[:, above:], played.losers[:, :above], byes[1]], axis=1)
            survived[np.arange(ask.draws)[:, None], np.concatenate([unbeaten, once], axis=1)] += 1
        final = await play(ask, np.concatenate([unbeaten, once], axis=1)[:, None], self.k or 0, rng)
        survived[np.arange(ask.draws)[:, None], final.winners] += 1
        return np.where((usable | final.usable)[:, None], survived, np.nan)
