"""Pools: every judgment that a recorded set holds of one question about one item.

In a pointwise set each response was scored alone, so that a judgment of some responses is one of every subset of them
too: it stands in the pool of each such question, with the columns asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from judgescale.harness.options import suggest_strategies
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.types import Item, Judgment, MisfitError


@dataclass(frozen=True)
class Pool:
    """Hold every judgment of one question, as arrays.

    `scores` (n, m): a row a judgment, a column a response in the question's order; a row of NaN is unusable. In a
    pointwise set a judgment may be partial: NaN where a response has no score.
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
        """Return which judgments have scores, be it of some responses only: booleans (n,)."""
        return ~np.isnan(self.scores).all(axis=1)

    @property
    def partial(self) -> np.ndarray:
        """Return which judgments have the scores of some responses and lack others: booleans (n,)."""
        return self.usable & np.isnan(self.scores).any(axis=1)

    def take(self, rows: np.ndarray) -> Pool:
        """Return a pool of these of its judgments, in this order."""
        judgments, shown = tuple(self.judgments[i] for i in rows), tuple(self.shown[i] for i in rows)
        return Pool(judgments, shown, self.scores[rows], self.meta[rows])


Pools = Mapping[tuple[int, ...], Pool]  # an item's questions and their judgments


def list_judgments(pools: Pools) -> Iterator[tuple[Pool, int]]:
    """Yield an item's judgments, each once, as a pool and its row there: in a pointwise set they stand in several."""
    if len(pools) == 1:
        (pool,) = pools.values()
        yield from ((pool, row) for row in range(len(pool)))
        return
    seen: set[int] = set()
    for pool in pools.values():
        for row, judgment in enumerate(pool.judgments):
            if id(judgment) not in seen:
                seen.add(id(judgment))
                yield pool, row


def count_distinct(pools: Sequence[Pools]) -> int:
    """Count the judgments of all items, each once."""
    return sum(1 for of_item in pools for _ in list_judgments(of_item))


def find_twins(pools: Pools) -> list[int]:
    """Return for each question the place of the first one that the same judgments answer.

    It is its own place, but in a pointwise set.
    """
    first: dict[tuple[int, ...], int] = {}
    return [first.setdefault(tuple(map(id, pool.judgments)), place) for place, pool in enumerate(pools.values())]


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
    def _wider(self) -> Mapping[str, list[frozenset[str]]]:
        """Map an item's key to the groups of responses that were shown, those of which any subset was judged."""
        groups = defaultdict(list)
        for prompt, names in self._index:
            groups[prompt].append(names)
        return groups

    @property
    def pointwise(self) -> bool:
        """Tell whether each response was scored alone, so that a judgment is one of any subset of its responses."""
        return bool(self.data.meta.get("pointwise"))

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Return how many responses the judgments look at: each size that is there, ascending."""
        sizes = {len(names) for _, names in self._index}
        return tuple(range(1, max(sizes, default=0) + 1)) if self.pointwise else tuple(sorted(sizes))

    @cached_property
    def variants(self) -> frozenset[str]:
        """Return the variants of these judges' judgments."""
        return frozenset(r.judgment.variant for r in self.data.records if r.judgment.judge in self.judges)

    def count(self, prompts: Set[str] | None = None) -> int:
        """Count the judgments of these judges: all, or those about these prompts."""
        return sum(len(found) for (prompt, _), found in self._index.items() if prompts is None or prompt in prompts)

    def find_pool(self, item: Item, question: Sequence[int]) -> Pool:
        """Return all judgments recorded for a question (indices into the item's responses).

        Raises MisfitError where nothing was recorded, naming the set, the item and what there is.
        """
        names = tuple(item.responses[i] for i in question)
        if (item.prompt, names) not in self._pools:
            found = self._find(item.prompt, frozenset(names))
            if not found:
                raise MisfitError(self._explain_missing(item, names))
            self._pools[item.prompt, names] = _build_pool(names, found)
        return self._pools[item.prompt, names]

    def _find(self, prompt: str, names: frozenset[str]) -> list[tuple[tuple[str, ...], Judgment]]:
        """Return the judgments of these responses, if any, each with the names in the order shown."""
        if not self.pointwise:
            return self._index.get((prompt, names), [])
        shown = (group for group in self._wider.get(prompt, ()) if names <= group)
        return [judged for group in shown for judged in self._index[prompt, group]]

    def has_judgments(self, item: Item, question: Sequence[int]) -> bool:
        """Tell whether any judgment of a question was recorded."""
        return bool(self._find(item.prompt, frozenset(item.responses[i] for i in question)))

    def find_silent_judges(self, item: Item, question: Sequence[int]) -> list[str]:
        """List the judges of whom no judgment of a question was recorded."""
        found = self._find(item.prompt, frozenset(item.responses[i] for i in question))
        spoke = {judgment.judge for _, judgment in found}
        return [judge for judge in self.judges if judge not in spoke]

    def require_judgments(self, item: Item, question: Sequence[int], k: int) -> None:
        """Raise MisfitError where fewer than k judgments of the question were recorded."""
        if k > (have := len(self.find_pool(item, question))):
            raise MisfitError(
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
        told = (
            f"set {self.data.name}, item {item.id}: no judgment of these {len(names)} response(s) together was recorded"
            f" (the set has judgments of {sizes})"
        )
        if len(names) == 1 < len(item.responses):
            return f"{told}; only a pointwise set, of responses scored one by one, can be asked about single ones"
        fitting = suggest_strategies(len(item.responses), self.widths)
        return told + (f"; use {fitting}" if fitting else "")


def _build_pool(names: Sequence[str], found: Sequence[tuple[tuple[str, ...], Judgment]]) -> Pool:
    """Put the judgments' scores into the question's order of responses, the judgments into a fixed order."""
    found = sorted(found, key=lambda f: (f[1].sample, f[1].judge, f[1].variant, f[0]))
    scores = np.full((len(found), len(names)), np.nan)
    meta = np.full(len(found), np.nan)
    for row, (shown, judgment) in enumerate(found):
        if judgment.scores is not None:
            by_name = dict(zip(shown, judgment.scores, strict=True))
            scores[row] = [by_name[name] for name in names]  # NaN where a pointwise judgment lacks one
        if judgment.meta is not None:
            meta[row] = judgment.meta
    return Pool(tuple(j for _, j in found), tuple(shown for shown, _ in found), scores, meta)
