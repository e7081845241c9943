"""Pools: every judgment that a recorded set holds of one question about one item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from judgescale.harness.recorded import RecordedSet
from judgescale.harness.types import Item, JudgescaleError, Judgment


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


Pools = Mapping[tuple[int, ...], Pool]  # an item's questions and their judgments


def only(pools: Pools) -> Pool:
    """Return the pool of an item about which one question is asked."""
    (pool,) = pools.values()
    return pool


@dataclass(frozen=True)
class RecordedJudgments:
    """Find the judgments of the chosen judges of one set by item and question; its pools are made once."""

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
