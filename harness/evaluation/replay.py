"""Replay recorded judgments to a strategy, as if they were bought once more in a random order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from judgescale.harness.contracts import Answers
from judgescale.harness.recorded.pools import Pool


class Replay:
    """An Ask that replays a pool: each of D replays sees its own random order of every question's judgments.

    The first k of that order are the judgments bought, so k=8 is a prefix of k=32 in every replay.
    """

    def __init__(self, pools: Mapping[tuple[int, ...], Pool], order: np.ndarray) -> None:
        """`order`: (D, questions, at least k), indices into each question's pool (see `shuffles`)."""
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
        shuffle = questions.argsort(axis=-1)
        known = np.take_along_axis(questions, shuffle, axis=-1)  # pools hold response indices ascending
        row = np.array([self._row[tuple(q)] for q in known.reshape(-1, known.shape[-1]).tolist()])
        row = np.broadcast_to(row.reshape(known.shape[:-1]), (self.draws, known.shape[-2]))
        taken = self.order[np.arange(self.draws)[:, None], row, :k]
        scores = self._scores[row[..., None], taken]  # (D, Q, k, m)
        back = np.broadcast_to(shuffle.argsort(axis=-1)[..., None, :], scores.shape)
        return Answers(np.take_along_axis(scores, back, axis=3), self._meta[row[..., None], taken])


def shuffles(pools: Mapping[tuple[int, ...], Pool], draws: int, rng: np.random.Generator) -> np.ndarray:
    """A random order of every question's pool for each of `draws` replays: (draws, questions, largest pool)."""
    sizes = np.array([len(p) for p in pools.values()])
    keys = rng.random((draws, len(sizes), sizes.max()))
    keys[:, np.arange(sizes.max()) >= sizes[:, None]] = np.inf  # shorter pools: their padding comes last
    return keys.argsort(axis=2)
