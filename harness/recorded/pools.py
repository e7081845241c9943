"""Engine `recorded`: answers a strategy's questions from judgments somebody already paid for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.recorded import RecordedSet
from harness.types import Answers, Item, JudgescaleError, Judgment


@dataclass(frozen=True)
class Pool:
    """Every judgment of one question; `scores` (n, m) is in the question's response order, NaN rows are unusable."""

    judgments: tuple[Judgment, ...]
    shown: tuple[tuple[str, ...], ...]  # response names in the order each judgment saw them
    scores: np.ndarray
    meta: np.ndarray

    def __len__(self) -> int:
        return len(self.judgments)

    @property
    def usable(self) -> np.ndarray:
        """Which of its judgments can be used: (n,)."""
        return ~np.isnan(self.scores).any(axis=1)

    def take(self, rows: np.ndarray) -> Pool:
        """These of its judgments, in this order."""
        judgments, shown = tuple(self.judgments[i] for i in rows), tuple(self.shown[i] for i in rows)
        return Pool(judgments, shown, self.scores[rows], self.meta[rows])


@dataclass(frozen=True)
class RecordedEngine:
    """The judgments of the chosen judges of one set."""

    data: RecordedSet
    judges: tuple[str, ...]
    _pools: dict[tuple[str, tuple[str, ...]], Pool] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _index(self) -> Mapping[tuple[str, frozenset[str]], list[tuple[tuple[str, ...], Judgment]]]:
        index = defaultdict(list)
        for r in self.data.records:
            if r.judgment.judge in self.judges:
                shown = tuple(r.responses[i] for i in r.judgment.shown)
                index[r.prompt, frozenset(shown)].append((shown, r.judgment))
        return index

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """How many responses its judgments look at."""
        return tuple(sorted({len(names) for _, names in self._index}))

    def pool(self, item: Item, question: Sequence[int]) -> Pool:
        """All judgments recorded for a question: indices into the item's responses.

        Raises JudgescaleError where nothing was recorded, naming the set, the item and what there is.
        """
        names = tuple(item.responses[i] for i in question)
        if (item.prompt, names) not in self._pools:
            found = self._index.get((item.prompt, frozenset(names)))
            if not found:
                raise JudgescaleError(self._missing(item, names))
            self._pools[item.prompt, names] = _pool(names, found)
        return self._pools[item.prompt, names]

    def has(self, item: Item, question: Sequence[int]) -> bool:
        """Whether any judgment of a question was recorded."""
        return (item.prompt, frozenset(item.responses[i] for i in question)) in self._index

    def _missing(self, item: Item, names: tuple[str, ...]) -> str:
        who = self.judges[0] if len(self.judges) == 1 else f"none of {len(self.judges)} judges"
        if len(names) in self.widths:
            asked = len({prompt for prompt, _ in self._index})
            return (
                f"set {self.data.name}, item {item.id}: {who} has no judgment of {' against '.join(names)} (it has"
                f" some on {asked} prompts); leave it out with judge.names=[…], or import the missing judgments"
            )
        sizes = " or ".join(map(str, self.widths)) if len(self.widths) < 4 else f"{self.widths[0]} and more"
        wide = max(self.widths, default=0) < len(names)
        return (
            f"set {self.data.name}, item {item.id}: no judgment of these {len(names)} response(s) together was recorded"
            f" (the set has judgments of {sizes}); use strategy="
            + ("elo or strategy=knockout" if wide else "single, voting or meta_voting")
        )

    @property
    def size(self) -> int:
        """How many judgments of the chosen judges it holds."""
        return sum(map(len, self._index.values()))

    def require(self, item: Item, question: Sequence[int], k: int) -> None:
        """Raise JudgescaleError if fewer than k judgments of the question were recorded."""
        if k > (have := len(self.pool(item, question))):
            raise JudgescaleError(
                f"strategy.k={k} asks for more than was recorded: set {self.data.name}, item {item.id} has {have}"
                f" judgment(s) of this question; use strategy.k={have} or less"
            )


def _pool(names: Sequence[str], found: Sequence[tuple[tuple[str, ...], Judgment]]) -> Pool:
    found = sorted(found, key=lambda f: (f[1].sample, f[1].judge, f[1].variant, f[0]))
    scores = np.full((len(found), len(names)), np.nan)
    meta = np.full(len(found), np.nan)
    for row, (shown, judgment) in enumerate(found):
        if judgment.scores is not None:
            by_name = dict(zip(shown, judgment.scores, strict=True))
            scores[row] = [by_name[name] for name in names]
        if judgment.meta is not None:
            meta[row] = judgment.meta
    return Pool(tuple(j for _, j in found), tuple(shown for shown, _ in found), scores, meta)


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
