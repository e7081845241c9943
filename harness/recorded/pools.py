"""Pools: every judgment that a recorded set holds of one question about one item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from judgescale.harness.recorded import RecordedSet
from judgescale.harness.types import Item, JudgescaleError, Judgment


@dataclass(frozen=True)
class Pool:
    """Hold every judgment of one question, as arrays.

    `scores` (n, m): a row a judgment, a column a response in the question's order; a row of NaN is unusable.
    `meta` (n,): a meta RM's score of each judgment, NaN where none was recorded.
    """

    judgments: tuple[Judgment, ...]
    shown: tuple[tuple[str, ...], ...]  # response names in the order each judgment saw them
    scores: np.ndarray
    meta: np.ndarray

    def __len__(self) -> int:
        """Return how many judgments there are, usable or not."""
        return len(self.judgments)

    @property
    def usable(self) -> np.ndarray:
        """Return which judgments have scores: booleans (n,)."""
        return ~np.isnan(self.scores).any(axis=1)

    def take(self, rows: np.ndarray) -> Pool:
        """Return a pool of these of its judgments, in this order."""
        judgments, shown = tuple(self.judgments[i] for i in rows), tuple(self.shown[i] for i in rows)
        return Pool(judgments, shown, self.scores[rows], self.meta[rows])


Pools = Mapping[tuple[int, ...], Pool]  # an item's questions and their judgments


def take_only_pool(pools: Pools) -> Pool:
    """Return the pool of an item about which a single question is asked."""
    (pool,) = pools.values()
    return pool


@dataclass(frozen=True)
class RecordedJudgments:
    """Find the judgments of some judges of one set by item and question; each pool is built once."""

    data: RecordedSet
    judges: tuple[str, ...]
    _pools: dict[tuple[str, tuple[str, ...]], Pool] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _index(self) -> Mapping[tuple[str, frozenset[str]], list[tuple[tuple[str, ...], Judgment]]]:
        """Map an item's key and the responses shown to (their names in shown order, judgment)."""
        index = defaultdict(list)
        for r in self.data.records:
            if r.judgment.judge in self.judges:
                shown = tuple(r.responses[i] for i in r.judgment.shown)
                index[r.prompt, frozenset(shown)].append((shown, r.judgment))
        return index

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Return how many responses the judgments look at: each size that occurs, ascending."""
        return tuple(sorted({len(names) for _, names in self._index}))

    def count(self, prompts: Set[str] | None = None) -> int:
        """Count the judgments of these judges: all, or those about these prompts."""
        return sum(len(found) for (prompt, _), found in self._index.items() if prompts is None or prompt in prompts)

    def find_pool(self, item: Item, question: Sequence[int]) -> Pool:
        """Return all judgments recorded for a question (indices into the item's responses).

        Raises JudgescaleError where nothing was recorded, naming the set, the item and what there is.
        """
        names = tuple(item.responses[i] for i in question)
        if (item.prompt, names) not in self._pools:
            found = self._index.get((item.prompt, frozenset(names)))
            if not found:
                raise JudgescaleError(self._explain_missing(item, names))
            self._pools[item.prompt, names] = _build_pool(names, found)
        return self._pools[item.prompt, names]

    @cached_property
    def _judged(self) -> frozenset[str]:
        """Return the keys of the items about which there is any judgment."""
        return frozenset(prompt for prompt, _ in self._index)

    def has_item(self, item: Item) -> bool:
        """Tell whether any judgment about an item was recorded."""
        return item.prompt in self._judged

    def has_judgments(self, item: Item, question: Sequence[int]) -> bool:
        """Tell whether any judgment of a question was recorded."""
        return (item.prompt, frozenset(item.responses[i] for i in question)) in self._index

    def require_judgments(self, item: Item, question: Sequence[int], k: int) -> None:
        """Raise JudgescaleError where fewer than k judgments of the question were recorded."""
        if k > (have := len(self.find_pool(item, question))):
            raise JudgescaleError(
                f"strategy.k={k} asks for more than was recorded: set {self.data.name}, item {item.id} has {have}"
                f" judgment(s) of this question; use strategy.k={have} or less"
            )

    def _explain_missing(self, item: Item, names: tuple[str, ...]) -> str:
        """Say which judgments the set lacks, and what to do about it."""
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


def _build_pool(names: Sequence[str], found: Sequence[tuple[tuple[str, ...], Judgment]]) -> Pool:
    """Put the judgments' scores into the question's order of responses, the judgments into a fixed order."""
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
