"""Replay recorded judgments to a strategy, as if they were bought once more in a random order."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from judgescale.harness.contracts import Answers
from judgescale.harness.recorded.pools import Pool, Pools, find_twins


class Replay:
    """Answer a strategy's questions (an `Ask`) from an item's pools, in D independent replays at once.

    Each replay sees its own order of every question's judgments. The first k of that order are the judgments bought,
    so k=8 is a prefix of k=32 in every replay. What it buys of a question is the most that it asks for.
    """

    def __init__(
        self, pools: Mapping[tuple[int, ...], Pool], order: np.ndarray, costs: Mapping[str, float] | None = None
    ) -> None:
        """Take the pools, and the order (D, questions, at least k) of indices into each (see `draw_orders`).

        costs: dollars a judgment of each judge, where `price` is wanted.
        """
        self.draws = len(order)
        self.order = order
        self._row = {question: row for row, question in enumerate(pools)}
        self._size = np.array([len(pool) for pool in pools.values()])
        self._most = np.zeros((self.draws, len(pools)), int)  # that was asked of each question
        size, width = max(map(len, pools.values())), len(next(iter(pools)))
        self._scores = np.full((len(pools), size, width), np.nan)
        self._meta = np.full((len(pools), size), np.nan)
        self._costs = [[costs[j.judge] for j in pool.judgments] for pool in pools.values()] if costs else None
        for row, pool in enumerate(pools.values()):
            self._scores[row, : len(pool)] = pool.scores
            self._meta[row, : len(pool)] = pool.meta

    @property
    def bought(self) -> np.ndarray:
        """Return how many judgments each replay has bought, (D,)."""
        return self._most.sum(axis=1)

    def price(self, weight: np.ndarray) -> float | None:
        """Return dollars a judgment, on average over all that was bought; None where nobody knows.

        weight: (D,), how likely each replay is.
        """
        if self._costs is None:
            return None
        spent = 0.0
        for row, costs in enumerate(self._costs):
            ordered = np.asarray(costs)[np.minimum(self.order[:, row], len(costs) - 1)]
            spent += float(
                weight @ np.where(np.arange(ordered.shape[1]) < self._most[:, [row]], ordered, 0).sum(axis=1)
            )
        return spent / float(weight @ self.bought)

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


class ReplayAll:
    """Answer questions about all items at once (an `AskAll`), in D independent replays."""

    def __init__(
        self,
        pools: Sequence[Pools],
        draws: int,
        rng: np.random.Generator | None,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        """Take the pools of each item, and what draws the orders of their judgments; None = in the order bought."""
        self.draws = draws
        self.sizes = np.array([len({i for question in of_item for i in question}) for of_item in pools])
        sizes = [len(pool) for of_item in pools for pool in of_item.values()]
        # What was bought live was not limited: asked the same way again, no pool is too small.
        self.most, kept = (sys.maxsize, max(sizes)) if rng is None else (min(sizes), min(sizes))
        self._question = np.zeros((len(pools), self.sizes.max()), int)  # which of an item's asks about a response
        self._scores = np.full((draws, len(pools), self.sizes.max(), kept), np.nan)
        self._size = np.zeros(self._question.shape, int)
        for i, of_item in enumerate(pools):
            orders = None if rng is None else draw_orders(of_item, draws, rng, shares)
            for row, (question, pool) in enumerate(of_item.items()):
                order = np.arange(len(pool))[None] if orders is None else orders[:, row, :kept]
                self._question[i, list(question)], self._size[i, list(question)] = row, len(pool)
                self._scores[:, i, list(question), : order.shape[1]] = pool.scores[order].transpose(0, 2, 1)

    async def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Return what has been asked about each response. Raises KeyError where more is asked than a pool holds."""
        asked = np.take_along_axis(counts, np.tile(self._question, (self.draws, 1, 1)), axis=2)
        if (asked > self._size).any() and self.most == sys.maxsize:
            raise KeyError
        return np.where(np.arange(self._scores.shape[3]) < asked[..., None], self._scores, np.nan)


def draw_orders(
    pools: Mapping[tuple[int, ...], Pool],
    draws: int,
    rng: np.random.Generator,
    shares: Mapping[str, float] | None = None,
    queue: Sequence[tuple[str, int]] = (),
) -> np.ndarray:
    """Draw a random order of every question's pool for each replay: (draws, questions, size of the largest pool).

    The order of a smaller pool ends in padding, which nobody may ask for. Questions that the same judgments answer, as
    in a pointwise set, see them in one order: a response brings the same scores to each of its games, as with a live
    judge, which scores it k times and not k times a game. So the games of a tournament are not independent there.

    shares: the judges of a pool take turns, in an order of their own in every replay, so that of the first k judgments
    each has given its share, or about one more or less, as long as it has any: stride scheduling (Waldspurger and
    Weihl, 1995), in which a judge whose share is twice another's comes twice as often, begun at a random phase.

    queue: judges who are asked one after the other, and how often each is: their judgments come first, in this order.
    """
    sizes = np.array([len(p) for p in pools.values()])
    keys = rng.random((draws, len(sizes), sizes.max()))
    if shares:
        for row, pool in enumerate(pools.values()):
            judges = [j.judge for j in pool.judgments]
            for judge in sorted(set(judges)):
                own = np.array([name == judge for name in judges]).nonzero()[0]
                phase = rng.random((draws, 1))
                rank = keys[:, row, own].argsort(axis=1).argsort(axis=1)
                keys[:, row, own] = (rank + phase) / shares[judge]
    for row, pool in enumerate(pools.values() if queue else ()):
        place = np.full(keys[:, row].shape, len(queue))
        for turn, (judge, count) in enumerate(queue):
            own = np.array([j.judge == judge for j in pool.judgments]).nonzero()[0]
            place[:, own] = np.where(keys[:, row, own].argsort(axis=1).argsort(axis=1) < count, turn, len(queue))
        keys[:, row] += place
    keys[:, np.arange(sizes.max()) >= sizes[:, None]] = np.inf
    return share_orders(pools, keys.argsort(axis=2))


def share_orders(pools: Mapping[tuple[int, ...], Pool], order: np.ndarray) -> np.ndarray:
    """Return the orders (D, questions, size) with one for all questions that the same judgments answer."""
    twins = find_twins(pools)
    return order if twins == list(range(len(twins))) else order[:, twins]
