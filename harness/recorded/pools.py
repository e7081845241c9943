"""Pools: every judgment that a recorded set holds of one question about one item.

In a pointwise set each response was scored alone, so that a judgment of some responses is one of every subset of them
too: it stands in the pool of each such question, with the columns asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

import numpy as np

from judgescale.harness.long_columns import join_keys
from judgescale.harness.options import suggest_strategies
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.columns import Columns, make_columns
from judgescale.harness.types import Item, Judgment, MisfitError, Record


@dataclass(frozen=True, slots=True)
class Pool:
    """Hold every judgment of one question: which of a set's they are, and what they say.

    `scores` (n, m): a row a judgment, a column a response in the question's order; a row of NaN is unusable. In a
    pointwise set a judgment may be partial: NaN where a response has no score.
    `meta` (n,): a meta RM's score of each judgment, NaN where none was recorded.
    """

    columns: Columns
    rows: np.ndarray  # (n,), their places in the columns
    scores: np.ndarray
    meta: np.ndarray

    def __len__(self) -> int:
        """Return how many judgments there are, usable or not."""
        return len(self.rows)

    @property
    def judges(self) -> list[str]:
        """Return whose each judgment is."""
        return [self.columns.judges[code] for code in self.columns.judge[self.rows].tolist()]

    @property
    def judgments(self) -> tuple[Judgment, ...]:
        """Return the judgments as objects, for whoever looks at them one by one."""
        return tuple(self.columns.make_judgment(row) for row in self.rows.tolist())

    @property
    def shown(self) -> tuple[tuple[str, ...], ...]:
        """Return the names of the responses in the order in which each judgment saw them."""
        columns = self.columns
        pairs = zip(columns.item[self.rows].tolist(), columns.order[self.rows].tolist(), strict=True)
        return tuple(tuple(columns.items[item].responses[i] for i in columns.orders[order]) for item, order in pairs)

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
        return Pool(self.columns, self.rows[rows], self.scores[rows], self.meta[rows])


Pools = Mapping[tuple[int, ...], Pool]  # an item's questions and their judgments


def make_pool(
    judgments: Sequence[Judgment], shown: Sequence[tuple[str, ...]], scores: np.ndarray, meta: np.ndarray
) -> Pool:
    """Make a pool of judgments that are in no set. shown: the names of the responses that each saw, in order."""
    names = tuple(sorted({name for of_judgment in shown for name in of_judgment}))
    records = [
        Record(
            prompt="",
            cluster="",
            subset="",
            responses=names,
            gold=None,
            judgment=replace(judgment, shown=tuple(map(names.index, saw))),
        )
        for judgment, saw in zip(judgments, shown, strict=True)
    ]
    return Pool(make_columns(records), np.arange(len(records)), scores, meta)


def find_rows(pools: Sequence[Pools]) -> np.ndarray:
    """Find which of the set's judgments are about these items, each once, in the order of items and questions."""
    every = [pool.rows for of_item in pools for pool in of_item.values()]
    rows = np.concatenate(every) if every else np.zeros(0, dtype=np.int64)
    if all(len(of_item) == 1 for of_item in pools):
        return rows
    found: np.ndarray = rows[np.sort(np.unique(rows, return_index=True)[1])]  # those of a pointwise set are in several
    return found


@dataclass(frozen=True)
class Asked:
    """Hold the judgments of P questions about equally many responses, M of them, one question after the other."""

    turn: np.ndarray  # (P,), each question's place among those of all items
    place: np.ndarray  # (P,), of each question's item
    questions: Sequence[tuple[int, ...]]  # P of them
    pools: Sequence[Pool]  # P of them
    sizes: np.ndarray  # (P,)
    rows: np.ndarray  # (M,), places in the set's columns
    scores: np.ndarray  # (M, m)

    def take(self, kept: np.ndarray) -> Asked:
        """Return some of the questions, by booleans (P,)."""
        some, of_some = np.flatnonzero(kept).tolist(), np.repeat(kept, self.sizes)
        questions, pools = [self.questions[p] for p in some], [self.pools[p] for p in some]
        return Asked(
            self.turn[kept],
            self.place[kept],
            questions,
            pools,
            self.sizes[kept],
            self.rows[of_some],
            self.scores[of_some],
        )

    @property
    def number(self) -> np.ndarray:
        """Return which question each judgment answers, (M,)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def item(self) -> np.ndarray:
        """Return the place of each judgment's item, (M,)."""
        return np.repeat(self.place, self.sizes)


def join_questions(pools: Sequence[Pools]) -> list[Asked]:
    """Join the judgments of all questions about equally many responses, in the order of items and questions."""
    asked: dict[int, list[tuple[int, int, tuple[int, ...], Pool]]] = {}
    turn = count()
    for place, of_item in enumerate(pools):
        for question, pool in of_item.items():
            asked.setdefault(len(question), []).append((next(turn), place, question, pool))
    found = []
    for of_width in asked.values():
        turns, places, questions, of_questions = zip(*of_width, strict=True)
        sizes = np.array([len(pool) for pool in of_questions])
        rows = np.concatenate([pool.rows for pool in of_questions])
        scores = np.concatenate([pool.scores for pool in of_questions])
        found.append(Asked(np.array(turns), np.array(places), questions, of_questions, sizes, rows, scores))
    return found


def count_distinct(pools: Sequence[Pools]) -> int:
    """Count the judgments of all items, each once."""
    return len(find_rows(pools))


def find_twins(pools: Pools) -> list[int]:
    """Return for each question the place of the first one that the same judgments answer.

    It is its own place, but in a pointwise set.
    """
    if len(pools) == 1:
        return [0]
    first: dict[tuple[int, bytes], int] = {}
    asked = ((id(pool.columns), pool.rows.tobytes()) for pool in pools.values())
    return [first.setdefault(judgments, place) for place, judgments in enumerate(asked)]


def take_only_pool(pools: Pools) -> Pool:
    """Return the pool of an item about which a single question is asked."""
    (pool,) = pools.values()
    return pool


@dataclass(frozen=True)
class Sorted:
    """Hold judgments sorted by item and by which responses were shown: G groups, each a slice of them."""

    sets: Sequence[frozenset[int]]  # the places among the item's responses that were shown
    item: np.ndarray  # (G,), ascending
    shown: np.ndarray  # (G,), which of `sets`, ascending within an item
    ends: np.ndarray  # (G + 1,)
    rows: np.ndarray  # (M,), places in the set's columns, in the fixed order of a pool
    scores: np.ndarray  # (M, most shown), by the responses' places, ascending
    rank: np.ndarray  # (M,), the fixed order of a pool: by sample, judge, variant, and the names in the order shown


@dataclass(frozen=True)
class RecordedJudgments:
    """Find the judgments of some judges of one set by item and question."""

    data: RecordedSet
    judges: tuple[str, ...]

    @cached_property
    def _sorted(self) -> Sorted:
        """Sort the judgments of these judges."""
        columns = self.data.columns
        rows = np.flatnonzero(columns.find_judges(self.judges))
        sets, set_of = columns.sets
        rank = join_keys(
            columns.sample[rows],
            _rank(columns.judges)[columns.judge[rows]],
            _rank(columns.variants)[columns.variant[rows]],
            _rank_names(columns, rows),
        )
        rank = np.unique(rank, return_inverse=True)[1].reshape(-1)
        item, shown = columns.item[rows], set_of[columns.order[rows]]
        in_order = np.argsort(join_keys(item, shown, rank), kind="stable")
        rows, item, shown, rank = rows[in_order], item[in_order], shown[in_order], rank[in_order]
        starts = np.flatnonzero(np.r_[True, (np.diff(item) != 0) | (np.diff(shown) != 0)]) if len(rows) else rows
        # where in a judgment's scores that of each response stands, the responses ascending
        places = np.where(columns.layout < 0, np.iinfo(np.int64).max, columns.layout).argsort(axis=1, kind="stable")
        scores = np.take_along_axis(columns.scores[rows], places[columns.order[rows]], axis=1)
        return Sorted(sets, item[starts], shown[starts], np.r_[starts, len(rows)], rows, scores, rank)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        """Map an item's key to its place among the set's items."""
        return {about.prompt: place for place, about in enumerate(self.data.columns.items)}

    @cached_property
    def _numbers(self) -> Mapping[frozenset[int], int]:
        """Map which responses were shown to the number of that set."""
        return {shown: number for number, shown in enumerate(self._sorted.sets)}

    @property
    def pointwise(self) -> bool:
        """Tell whether each response was scored alone, so that a judgment is one of any subset of its responses."""
        return bool(self.data.meta.get("pointwise"))

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Return how many responses the judgments look at: each size that is there, ascending."""
        sizes = {len(self._sorted.sets[number]) for number in np.unique(self._sorted.shown).tolist()}
        return tuple(range(1, max(sizes, default=0) + 1)) if self.pointwise else tuple(sorted(sizes))

    @cached_property
    def variants(self) -> frozenset[str]:
        """Return the variants of these judges' judgments."""
        columns = self.data.columns
        return frozenset(columns.variants[code] for code in np.unique(columns.variant[self._sorted.rows]).tolist())

    def count(self, prompts: Set[str] | None = None) -> int:
        """Count the judgments of these judges: all, or those about these prompts."""
        if prompts is None:
            return len(self._sorted.rows)
        wanted = np.array([about.prompt in prompts for about in self.data.columns.items], dtype=bool)
        return int(wanted[self.data.columns.item[self._sorted.rows]].sum())

    def find_pool(self, item: Item, question: Sequence[int]) -> Pool:
        """Return all judgments recorded for a question (indices into the item's responses).

        Raises MisfitError where nothing was recorded, naming the set, the item and what there is.
        """
        places, groups = self._find(item, question)
        columns, found = self.data.columns, self._sorted
        if not groups:
            raise MisfitError(self._explain_missing(item, tuple(item.responses[i] for i in question)))
        if len(groups) == 1:
            here = slice(int(found.ends[groups[0]]), int(found.ends[groups[0] + 1]))
            scores = found.scores[here]
            shown = sorted(found.sets[found.shown[groups[0]]])
            if shown != places or scores.shape[1] > len(places):
                scores = scores[:, [shown.index(place) for place in places]]
            rows = found.rows[here]
        else:  # of a pointwise set, in which different judgments are of different responses
            at = np.concatenate([np.arange(found.ends[g], found.ends[g + 1]) for g in groups])
            at = at[np.argsort(found.rank[at], kind="stable")]
            rows = found.rows[at]
            # (n, m): where in a judgment's scores that of each response asked for stands
            stands = (columns.layout[columns.order[rows]][:, None] == np.array(places)[:, None]).argmax(axis=2)
            scores = np.take_along_axis(columns.scores[rows], stands, axis=1)
        return Pool(columns, rows, scores, columns.meta[rows])

    def _find(self, item: Item, question: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the places of a question's responses in the set, and the groups of judgments that were shown them."""
        if (number := self._places.get(item.prompt)) is None:
            return [], []
        known = self.data.columns.items[number].responses
        places = list(question)
        if known != item.responses:
            try:
                places = [known.index(item.responses[i]) for i in question]
            except ValueError:
                return [], []
        found, wanted = self._sorted, frozenset(places)
        begin, end = self._groups[number], self._groups[number + 1]
        if self.pointwise:
            return places, [g for g in range(begin, end) if wanted <= found.sets[found.shown[g]]]
        if (which := self._numbers.get(wanted)) is None:
            return places, []
        group = begin + int(np.searchsorted(found.shown[begin:end], which))
        return places, [group] if group < end and found.shown[group] == which else []

    @cached_property
    def _groups(self) -> list[int]:
        """Return where each item's groups begin, and the number of them all."""
        starts: list[int] = np.searchsorted(self._sorted.item, np.arange(len(self.data.columns.items) + 1)).tolist()
        return starts

    def has_judgments(self, item: Item, question: Sequence[int]) -> bool:
        """Tell whether any judgment of a question was recorded."""
        return bool(self._find(item, question)[1])

    def find_silent_judges(self, item: Item, question: Sequence[int]) -> list[str]:
        """List the judges of whom no judgment of a question was recorded."""
        spoke = set(self.find_pool(item, question).judges) if self.has_judgments(item, question) else set()
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
            asked = len(np.unique(self._sorted.item))
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


def _rank(names: Sequence[object]) -> np.ndarray:
    """Return the place of each name when they are sorted, equal for equal names."""
    places = {name: place for place, name in enumerate(sorted(set(names)))}  # type: ignore[type-var]
    return np.array([places[name] for name in names], dtype=np.int64)


def _rank_names(columns: Columns, rows: np.ndarray) -> np.ndarray:
    """Rank judgments by the names of the responses in the order shown, (M,)."""
    numbers: dict[tuple[str, ...], int] = {}
    responses = [numbers.setdefault(about.responses, len(numbers)) for about in columns.items]
    pairs, pair = np.unique(
        join_keys(np.array(responses, dtype=np.int64)[columns.item[rows]], columns.order[rows]), return_inverse=True
    )
    first = np.full(len(pairs), len(rows))
    np.minimum.at(first, pair.reshape(-1), np.arange(len(rows)))
    items, orders = columns.item[rows[first]].tolist(), columns.order[rows[first]].tolist()
    named = [
        tuple(columns.items[item].responses[i] for i in columns.orders[order])
        for item, order in zip(items, orders, strict=True)
    ]
    return _rank(named)[pair.reshape(-1)]
