"""Swiss tournament: nobody drops out; each round pairs responses of about equal records that have not met.

A tied match is half a point each. The most points win, among equals the largest summed margin, then the most points of
their opponents (Buchholz), then a coin. With an odd n the last one that had no bye has one: a point. Nobody meets again
as long as all have half of the others left (Dirac, Proc. London Math. Soc. s3-2, 1952), so no more rounds are played.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Games, Strategy
from judgescale.harness.stats.pairing import pair_neighbours
from judgescale.harness.stats.votes import round_off_noise
from judgescale.harness.strategies.knockout import play


@dataclass(frozen=True)
class Swiss(Strategy):
    """Let everybody play a few rounds, against who did as well so far."""

    name: ClassVar[str] = "swiss"
    adaptive: ClassVar[bool] = True  # who meets whom depends on the verdicts
    may_tie: ClassVar[bool] = False
    next_try: ClassVar[str] = "elo"

    rounds: int | None = None  # at most n / 2, rounded up; None = log2(n), rounded up: one at most then won them all

    @property
    def games(self) -> Games:
        """Tell that its decision is a place."""
        return Games("responses it is placed above")

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every pair."""
        return list(combinations(range(n), 2))

    def count_rounds(self, n: int) -> int:
        """Count the rounds that n responses play."""
        return min(self.rounds or (n - 1).bit_length(), (n + 1) // 2)

    def judgments(self, n: int) -> int:
        """Count k judgments for each match: n / 2 of them a round, rounded down."""
        return (self.k or 0) * (n // 2) * self.count_rounds(n)

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Play all rounds; return how many responses each is placed above, (D, n)."""
        size, replay = n + n % 2, np.arange(ask.draws)[:, None]
        points, margin = np.zeros((2, ask.draws, size))
        points[:, n:] = -1  # with an odd n, response n is nobody: who is paired with it has the bye
        met, usable = np.tile(np.eye(size, dtype=bool), (ask.draws, 1, 1)), np.zeros(ask.draws, bool)
        for _ in range(self.count_rounds(n)):
            best_first = np.lexsort((rng.random(points.shape), -points))
            pairs = pair_neighbours(best_first, met)
            met[replay[..., None], pairs, pairs[..., ::-1]] = True
            pairs = np.take_along_axis(pairs, pairs.max(axis=2, keepdims=True).argsort(axis=1), axis=1)  # the bye last
            played = await play(ask, pairs[:, : n // 2], self.k or 0, rng)
            tied = (played.margin == 0) / 2
            points[replay, played.winners] += 1 - tied
            points[replay, played.losers] += tied
            points[replay, pairs[:, n // 2 :].min(axis=2)] += 1
            margin[replay, played.winners] += played.margin
            margin[replay, played.losers] -= played.margin
            usable |= played.usable
        buchholz = (met * points.clip(0)[:, None]).sum(axis=2)  # own points among them, the same for equals
        margin = round_off_noise(margin, np.abs(margin))
        worst_first = np.lexsort((rng.random(points.shape), buchholz, margin, points))
        return np.where(usable[:, None], worst_first.argsort(axis=1)[:, :n] - n % 2, np.nan)
