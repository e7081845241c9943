"""Knockout tournament: n - 1 matches of k judgments each, the losers drop out (arXiv 2505.14674, section 3.3).

The bracket is drawn by the seed. With an odd number alive one of them has a bye, each round another one. A tied match
is decided by a coin flip.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, NamedTuple

import numpy as np

from judgescale.harness.contracts import Ask, Games, Strategy
from judgescale.harness.stats.votes import round_off_noise


@dataclass(frozen=True)
class Knockout(Strategy):
    """Let pairs play until one response is left."""

    name: ClassVar[str] = "knockout"
    adaptive: ClassVar[bool] = True  # who meets whom depends on the verdicts
    may_tie: ClassVar[bool] = False
    next_try: ClassVar[str] = "elo"

    @property
    def games(self) -> Games:
        """Tell that one lost game puts out."""
        return Games("rounds survived", lives=1)

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every pair."""
        return list(combinations(range(n), 2))

    def judgments(self, n: int) -> int:
        """Count k judgments for each of the n - 1 matches."""
        return (self.k or 0) * (n - 1)

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Let pairs play k games a match, round by round; return the rounds that each response survived, (D, n)."""
        survived, usable = np.zeros((ask.draws, n)), np.zeros(ask.draws, bool)
        alive = rng.permuted(np.tile(np.arange(n), (ask.draws, 1)), axis=1)
        while alive.shape[1] > 1:
            bye, paired = alive[:, : alive.shape[1] % 2], alive[:, alive.shape[1] % 2 :]
            pairs = paired.reshape(ask.draws, -1, 2)
            played = await play(ask, pairs, self.k or 0, rng)
            usable |= played.usable
            alive = np.concatenate([played.winners, bye], axis=1)  # whoever had the bye queues behind the winners
            np.put_along_axis(survived, alive, np.take_along_axis(survived, alive, axis=1) + 1, axis=1)
        return np.where(usable[:, None], survived, np.nan)


class Played(NamedTuple):
    """Hold what came of Q matches in each of D replays: arrays (D, Q) of responses and summed margins, and (D,)."""

    winners: np.ndarray
    losers: np.ndarray
    margin: np.ndarray  # by how much the winner won, 0 where a coin decided
    usable: np.ndarray  # whether any judgment of the replay's matches was


async def play(ask: Ask, pairs: np.ndarray, k: int, rng: np.random.Generator) -> Played:
    """Let (D, Q, 2) pairs of responses meet in matches of k judgments each."""
    margins = (await ask(pairs, k)).scores @ [1, -1]  # (D, Q, k)
    known = np.nan_to_num(margins)
    total = round_off_noise(known.sum(axis=2), np.abs(known).max(axis=2))
    winners = take_winners(pairs, total, rng)
    return Played(winners, pairs.sum(axis=2) - winners, np.abs(total), ~np.isnan(margins).all(axis=(1, 2)))


def take_winners(pairs: np.ndarray, margin: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take the winner of each match by the sign of its summed margin (D, Q): (D, Q, 2) response indices to (D, Q)."""
    second = np.where(margin == 0, rng.random(margin.shape) < 0.5, margin < 0)
    return np.take_along_axis(pairs, second[..., None].astype(int), axis=2)[..., 0]
