"""Replay recorded judgments to a strategy, as if they were bought once more in a random order."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.contracts import Answers
from judgescale.harness.recorded.pools import Pool, Pools, find_twins
from judgescale.harness.types import Item

CELLS = 2**17  # scores that the replays of one batch of items choose from: more would leave the processor's cache


@dataclass(frozen=True)
class Shelf:
    """Hold the pools of B items about which the same Q questions are asked, as arrays padded to the largest pool."""

    questions: np.ndarray  # (Q, m), ascending
    size: np.ndarray  # (B, Q), judgments there are
    scores: np.ndarray  # (B * Q, largest, m), NaN beyond a pool's own
    meta: np.ndarray  # (B * Q, largest)
    dollars: np.ndarray | None = None  # (B * Q, largest), what each judgment costs, where that is known

    @classmethod
    def fill(cls, of_items: Sequence[Pools], costs: Mapping[str, float] | None = None) -> Shelf:
        """Put the pools of each item side by side; all items name the same questions in the same order.

        costs: dollars a judgment of each judge; empty or None where nobody knows.
        """
        questions, pools = np.array(list(of_items[0])), [pool for pools in of_items for pool in pools.values()]
        sizes = np.array([len(pool) for pool in pools])
        scores = np.full((len(pools), sizes.max(), questions.shape[1]), np.nan)
        meta = np.full(scores.shape[:2], np.nan)
        there = np.arange(sizes.max()) < sizes[:, None]
        scores[there] = np.concatenate([pool.scores for pool in pools])
        meta[there] = np.concatenate([pool.meta for pool in pools])
        dollars = np.zeros(meta.shape) if costs else None
        if costs and dollars is not None:
            dollars[there] = [costs[judge] for pool in pools for judge in pool.judges]
        return cls(questions, sizes.reshape(len(of_items), -1), scores, meta, dollars)

    def find_places(self, questions: np.ndarray) -> np.ndarray:
        """Find the places of questions (…, m), ascending, among ours: (…). Raises KeyError for one that is not there.

        Each is one number, in which it is sought. That of a long question wraps around, so what is found is compared.
        """
        digit = np.arange(questions.shape[-1])
        own, code = ((asked + 1) @ 4099**digit for asked in (self.questions, questions))
        by_code = own.argsort()
        found: np.ndarray = by_code[np.searchsorted(own, code, sorter=by_code).clip(max=len(own) - 1)]
        if (unknown := (self.questions[found] != questions).any(axis=-1)).any():
            raise KeyError(f"no judgment of the question {questions[unknown][0].tolist()}")
        return found


class Replay:
    """Answer a strategy's questions (an `Ask`) from the pools of one item or of several, in D replays at once.

    Each replay sees its own order of every question's judgments. The first k of that order are the judgments bought,
    so k=8 is a prefix of k=32 in every replay. What it buys of a question is the most that it asks for. Replays are
    independent of each other: a strategy cannot tell those of one item from those of another.
    """

    def __init__(self, pools: Pools | Shelf, order: np.ndarray | Sequence[np.ndarray]) -> None:
        """Take the pools, and the order (D, questions, at least k) of indices into each (see `draw_orders`).

        Of a shelf, one such array an item: their D add up.
        """
        self._shelf = pools if isinstance(pools, Shelf) else Shelf.fill([pools])
        orders = [order] if isinstance(order, np.ndarray) else order
        self.order = _join_orders(orders)
        self.draws = len(self.order)
        self._item = np.repeat(np.arange(len(orders)), [len(of_item) for of_item in orders])[:, None]
        self._most = np.zeros((self.draws, len(self._shelf.questions)), int)  # that was asked of each question

    @property
    def bought(self) -> np.ndarray:
        """Return how many judgments each replay has bought, (D,)."""
        return self._most.sum(axis=1)

    @property
    def spent(self) -> np.ndarray | None:
        """Return the dollars that each replay has spent, (D,); None where nobody knows what a judgment costs."""
        shelf = self._shelf
        if shelf.dollars is None:
            return None
        pool = np.arange(len(shelf.questions)) + self._item * len(shelf.questions)  # (D, Q)
        in_order = shelf.dollars[pool[..., None], self.order]
        spent: np.ndarray = in_order.sum(axis=(1, 2), where=np.arange(self.order.shape[2]) < self._most[..., None])
        return spent

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        """Return the first k judgments of each question in every replay.

        Raises KeyError where a question has no pool, or one of fewer than k judgments.
        """
        shelf, replay, wanted = self._shelf, np.arange(self.draws)[:, None], np.asarray(k).reshape(-1, 1)
        shuffle = questions.argsort(axis=-1)
        known = np.take_along_axis(questions, shuffle, axis=-1)  # pools hold response indices ascending
        place = np.broadcast_to(shelf.find_places(known), (self.draws, known.shape[-2]))
        if (wanted > shelf.size[self._item, place]).any():  # (D, 1), or one for all
            raise KeyError(f"a question has no {wanted.max()} judgments")
        self._most[replay, place] = np.maximum(self._most[replay, place], wanted)
        taken = self.order[replay, place, : wanted.max()]
        pool = place + self._item * len(shelf.questions)
        judgment = pool[..., None] * shelf.scores.shape[1] + taken  # (D, Q, k)
        width = known.shape[-1]
        if (shuffle == np.arange(width)).all():
            scores = shelf.scores.reshape(-1, width).take(judgment, axis=0)  # (D, Q, k, m)
        else:
            column = shuffle.argsort(axis=-1)[..., None, :]
            scores = shelf.scores.reshape(-1).take(judgment[..., None] * width + column)
        meta = shelf.meta.reshape(-1).take(judgment)
        if wanted.min() < wanted.max():
            beyond = np.arange(wanted.max()) >= wanted[:, None]  # (D, 1, k)
            scores, meta = np.where(beyond[..., None], np.nan, scores), np.where(beyond, np.nan, meta)
        return Answers(scores, meta)


def batch_items(
    items: Sequence[Item], pools: Sequence[Pools], draws: int, kinds: Sequence[object] = ()
) -> Iterator[list[int]]:
    """Yield the places of items that may be replayed at once, some CELLS at a time.

    They have equally many responses, and the same questions are asked about them. A batch holds the same items in the
    same order, whatever the order of all of them.

    draws: replays of each item. kinds: what else items of a batch must have in common, one an item.
    """
    groups: dict[object, list[int]] = {}
    for place in sorted(range(len(items)), key=lambda place: items[place].id):
        shape = len(items[place].responses), tuple(pools[place]), kinds[place] if kinds else None
        groups.setdefault(shape, []).append(place)
    for places in groups.values():
        sizes = [max(map(len, pools[place].values())) * sum(map(len, pools[place])) for place in places]
        step = max(1, CELLS // max(1, draws * max(sizes)))
        for start in range(0, len(places), step):
            yield places[start : start + step]


def _join_orders(orders: Sequence[np.ndarray]) -> np.ndarray:
    """Put the orders of several items' judgments, (D, questions, size) each, into one array, padded to one size."""
    size = max(order.shape[2] for order in orders)
    if all(order.shape[2] == size for order in orders):
        return np.concatenate(orders)
    return np.concatenate([np.pad(order, ((0, 0), (0, 0), (0, size - order.shape[2]))) for order in orders])


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
            judges = pool.judges
            for judge in sorted(set(judges)):
                own = np.array([name == judge for name in judges]).nonzero()[0]
                phase = rng.random((draws, 1))
                rank = keys[:, row, own].argsort(axis=1).argsort(axis=1)
                keys[:, row, own] = (rank + phase) / shares[judge]
    for row, pool in enumerate(pools.values() if queue else ()):
        place = np.full(keys[:, row].shape, len(queue))
        for turn, (judge, count) in enumerate(queue):
            own = np.array([name == judge for name in pool.judges]).nonzero()[0]
            place[:, own] = np.where(keys[:, row, own].argsort(axis=1).argsort(axis=1) < count, turn, len(queue))
        keys[:, row] += place
    keys[:, np.arange(sizes.max()) >= sizes[:, None]] = np.inf
    first, which = np.unique(find_twins(pools), return_inverse=True)
    return keys[:, first].argsort(axis=2)[:, which]


def share_orders(pools: Mapping[tuple[int, ...], Pool], order: np.ndarray) -> np.ndarray:
    """Return the orders (D, questions, size) with one for all questions that the same judgments answer."""
    twins = find_twins(pools)
    return order if twins == list(range(len(twins))) else order[:, twins]
