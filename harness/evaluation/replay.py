"""Replay recorded judgments to a strategy, as if they were bought once more in a random order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from judgescale.harness.contracts import Answers
from judgescale.harness.recorded.pools import Pool, find_twins


class Replay:
    """Answer a strategy's questions (an `Ask`) from an item's pools, in D independent replays at once.

    Each replay sees its own order of every question's judgments. The first k of that order are the judgments bought,
    so k=8 is a prefix of k=32 in every replay.
    """

    def __init__(self, pools: Mapping[tuple[int, ...], Pool], order: np.ndarray) -> None:
        """Take the pools, and the order (D, questions, at least k) of indices into each (see `draw_orders`)."""
        self.draws = len(order)
        self.order = order
        self._row = {question: row for row, question in enumerate(pools)}
        size, width = max(map(len, pools.values())), len(next(iter(pools)))
        self._scores = np.full((len(pools), size, width), np.nan)
        self._meta = np.full((len(pools), size), np.nan)
        for row, pool in enumerate(pools.values()):
            self._scores[row, : len(pool)] = pool.scores
            self._meta[row, : len(pool)] = pool.meta

    async def __call__(self, questions: np.ndarray, k: int) -> Answers:
        """Return the first k judgments of each question in every replay. Raises KeyError where one has no pool."""
        shuffle = questions.argsort(axis=-1)
        known = np.take_along_axis(questions, shuffle, axis=-1)  # pools hold response indices ascending
        row = np.array([self._row[tuple(q)] for q in known.reshape(-1, known.shape[-1]).tolist()])
        row = np.broadcast_to(row.reshape(known.shape[:-1]), (self.draws, known.shape[-2]))
        taken = self.order[np.arange(self.draws)[:, None], row, :k]
        scores = self._scores[row[..., None], taken]  # (D, Q, k, m)
        if (shuffle != np.arange(shuffle.shape[-1])).any():
            back = np.broadcast_to(shuffle.argsort(axis=-1)[..., None, :], scores.shape)
            scores = np.take_along_axis(scores, back, axis=3)
        return Answers(scores, self._meta[row[..., None], taken])


def draw_orders(pools: Mapping[tuple[int, ...], Pool], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a random order of every question's pool for each replay: (draws, questions, size of the largest pool).

    The order of a smaller pool ends in padding, which nobody may ask for. Questions that the same judgments answer, as
    in a pointwise set, see them in one order: a response brings the same scores to each of its games, as with a live
    judge, which scores it k times and not k times a game. So the games of a tournament are not independent there.
    """
    sizes = np.array([len(p) for p in pools.values()])
    keys = rng.random((draws, len(sizes), sizes.max()))
    keys[:, np.arange(sizes.max()) >= sizes[:, None]] = np.inf
    return share_orders(pools, keys.argsort(axis=2))


def share_orders(pools: Mapping[tuple[int, ...], Pool], order: np.ndarray) -> np.ndarray:
    """Return the orders (D, questions, size) with one for all questions that the same judgments answer."""
    twins = find_twins(pools)
    return order if twins == list(range(len(twins))) else order[:, twins]
