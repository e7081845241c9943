"""Knockout tournament: n - 1 matches of k judgments each, the losers go home (arXiv 2505.14674, section 3.3).

A seeded bracket; with an odd number alive one of them has a bye, another one each round; a tied match is a coin flip.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.stats.votes import without_noise
from judgescale.harness.types import Rules


@dataclass(frozen=True)
class Knockout(Strategy):
    """Let pairs play until one response is left."""

    name: ClassVar[str] = "knockout"
    adaptive: ClassVar[bool] = True  # who meets whom depends on the verdicts
    next_try: ClassVar[str] = "elo"

    def questions(self, n: int) -> list[tuple[int, ...]]:
        return list(combinations(range(n), 2))

    def judgments(self, n: int) -> int:
        return (self.k or 0) * (n - 1)

    def caveats(self, rules: Rules) -> list[str]:
        if rules.tie != "zero":
            return []
        return ["A tied match is decided by a coin, so ties cost less here than the protocol's zero."]

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Rounds survived, (D, n): the champion's is the largest. NaN where no judgment of any match was usable."""
        survived, usable = np.zeros((ask.draws, n)), np.zeros(ask.draws, bool)
        alive = rng.permuted(np.tile(np.arange(n), (ask.draws, 1)), axis=1)
        while alive.shape[1] > 1:
            bye, paired = alive[:, : alive.shape[1] % 2], alive[:, alive.shape[1] % 2 :]
            pairs = paired.reshape(ask.draws, -1, 2)
            margins = (await ask(pairs, self.k or 0)).scores @ [1, -1]  # (D, matches, k)
            known = np.nan_to_num(margins)
            winners = take_winners(pairs, without_noise(known.sum(axis=2), np.abs(known).max(axis=2)), rng)
            usable |= ~np.isnan(margins).all(axis=(1, 2))
            alive = np.concatenate([winners, bye], axis=1)  # whoever had the bye queues behind the winners
            np.put_along_axis(survived, alive, np.take_along_axis(survived, alive, axis=1) + 1, axis=1)
        return np.where(usable[:, None], survived, np.nan)


def take_winners(pairs: np.ndarray, margin: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Who wins each match, by the sign of the summed margin: (D, Q, 2) response indices to (D, Q)."""
    second = np.where(margin == 0, rng.random(margin.shape) < 0.5, margin < 0)
    return np.take_along_axis(pairs, second[..., None].astype(int), axis=2)[..., 0]
