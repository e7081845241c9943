"""Replay recorded judgments to a strategy, as if they were bought once more in a random order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from judgescale.harness.contracts import Answers
from judgescale.harness.recorded.pools import Pool


class Replay:
    """Answer a strategy's questions (an `Ask`) from an item's pools, in D independent replays at once.

    Each replay sees its own order of every question's judgments. The first k of that order are the judgments bought,
    so k=8 is a prefix of k=32 in every replay. What it buys of a question is the most that it asks for.
    """

    def __init__(self, pools: Mapping[tuple[int, ...], Pool], order: np.ndarray) -> None:
        """Take the pools, and the order (D, questions, at least k) of indices into each (see `draw_orders`)."""
        self.draws = len(order)
        self.order = order
        self._row = {question: row for row, question in enumerate(pools)}
        self._size = np.array([len(pool) for pool in pools.values()])
        self._most = np.zeros((self.draws, len(pools)), int)  # that was asked of each question
        size, width = max(map(len, pools.values())), len(next(iter(pools)))
        self._scores = np.full((len(pools), size, width), np.nan)
        self._meta = np.full((len(pools), size), np.nan)
        for row, pool in enumerate(pools.values()):
            self._scores[row, : len(pool)] = pool.scores
            self._meta[row, : len(pool)] = pool.meta

    @property
    def bought(self) -> np.ndarray:
        """Return how many judgments each replay has bought, (D,)."""
        return self._most.sum(axis=1)

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        """Return the first k judgments of each question in every replay.

        Raises KeyError where a question has no pool, or one of fewer than k judgments.
        """
        shuffle = questions.argsort(axis=-1)
        known = np.take_along_axis(questions, shuffle, axis=-1)  # pools hold response indices ascending
        row = np.array([self._row[tuple(q)] for q in known.reshape(-1, known.shape[-1]).tolist()])
        row = np.broadcast_to(row.reshape(known.shape[:-1]), (self.draws, known.shape[-2]))
        replay, wanted = np.arange(self.draws)[:, None], np.asarray(k).reshape(-1, 1)  # (D, 1), or one for all
        if (wanted > self._size[row]).any():
            raise KeyError(f"a question has no {wanted.max()} judgments")
        self._most[replay, row] = np.maximum(self._most[replay, row], wanted)
        taken = self.order[replay, row, : wanted.max()]
        scores, meta = self._scores[row[..., None], taken], self._meta[row[..., None], taken]  # (D, Q, k, m), (D, Q, k)
        if (shuffle != np.arange(shuffle.shape[-1])).any():
            back = np.broadcast_to(shuffle.argsort(axis=-1)[..., None, :], scores.shape)
            scores = np.take_along_axis(scores, back, axis=3)
        if wanted.min() < wanted.max():
            beyond = np.arange(wanted.max()) >= wanted[:, None]  # (D, 1, k)
            scores, meta = np.where(beyond[..., None], np.nan, scores), np.where(beyond, np.nan, meta)
        return Answers(scores, meta)


def draw_orders(pools: Mapping[tuple[int, ...], Pool], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a random order of every question's pool for each replay: (draws, questions, size of the largest pool).

    The order of a smaller pool ends in padding, which nobody may ask for.
    """
    sizes = np.array([len(p) for p in pools.values()])
    keys = rng.random((draws, len(sizes), sizes.max()))
    keys[:, np.arange(sizes.max()) >= sizes[:, None]] = np.inf
    return keys.argsort(axis=2)
