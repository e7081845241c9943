"""The judgments of a set as columns: an array a field and a place a judgment, so that a million are a few arrays.

Everything that counts judgments reads these. One judgment at a time is there as a `Record` for whoever asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np

from judgescale.harness.types import STATUSES, Call, Judgment, Record

OK = STATUSES.index("ok")
COUNTS = ("prompt_tokens", "completion_tokens", "chars")  # columns of whole numbers that may be unknown
LISTS = ("steps", "calls")  # columns that are no arrays
Steps = tuple[tuple[float, ...], ...]


class About(NamedTuple):
    """Hold what a set says of one item: all of its judgments agree on it."""

    prompt: str
    cluster: str
    subset: str
    responses: tuple[str, ...]
    gold: tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Hold N judgments.

    `judge`, `variant` and `order` are numbers that `judges`, `variants` and `orders` spell out, `item` one of `items`.
    Numbers that nobody recorded are NaN.
    """

    items: tuple[About, ...]
    judges: tuple[str, ...]
    variants: tuple[str, ...]
    orders: tuple[tuple[int, ...], ...]  # the places among the item's responses, as they were shown
    item: np.ndarray  # (N,)
    judge: np.ndarray  # (N,)
    variant: np.ndarray  # (N,)
    sample: np.ndarray  # (N,)
    order: np.ndarray  # (N,)
    scores: np.ndarray  # (N, most shown), in the order shown; NaN where there is none, and beyond what was shown
    status: np.ndarray  # (N,), a place in STATUSES; scores are there exactly where it is OK
    meta: np.ndarray  # (N,)
    prompt_tokens: np.ndarray  # (N,)
    completion_tokens: np.ndarray  # (N,)
    chars: np.ndarray  # (N,)
    steps: tuple[Steps | None, ...] = ()  # of each judgment; empty where no judgment has step scores
    calls: tuple[tuple[Call, ...], ...] = ()  # of each judgment; empty where none was bought by this run

    def __len__(self) -> int:
        """Return how many judgments there are."""
        return len(self.item)

    @cached_property
    def widths(self) -> np.ndarray:
        """Return how many responses each of `orders` shows."""
        return np.array([len(order) for order in self.orders], dtype=np.int64)

    @cached_property
    def layout(self) -> np.ndarray:
        """Return `orders` as an array (orders, most shown), filled up with -1."""
        places = np.full((len(self.orders), max(map(len, self.orders), default=0)), -1)
        for row, order in enumerate(self.orders):
            places[row, : len(order)] = order
        return places

    @cached_property
    def sets(self) -> tuple[Sequence[frozenset[int]], np.ndarray]:
        """Return which responses were shown, in whatever order: the different sets, and that of each of `orders`."""
        found, numbers = _number([frozenset(order) for order in self.orders])
        return found, numbers

    def list_judges(self) -> list[str]:
        """List the judges of whom there is a judgment, sorted."""
        return sorted(self.judges[code] for code in np.unique(self.judge).tolist())

    def find_judges(self, names: Iterable[str]) -> np.ndarray:
        """Tell which judgments are by these judges: booleans (N,)."""
        wanted = set(names)
        found: np.ndarray = np.array([judge in wanted for judge in self.judges], dtype=bool)[self.judge]
        return found

    def take(self, rows: np.ndarray) -> Columns:
        """Return these judgments, by their places or by booleans (N,)."""
        taken: dict[str, Any] = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name in _ARRAYS}
        kept = np.arange(len(self))[rows].tolist() if self.steps or self.calls else []
        taken |= {name: tuple(listed[row] for row in kept) for name in LISTS if (listed := getattr(self, name))}
        return replace(self, **taken)

    def make_judgment(self, row: int) -> Judgment:
        """Make the judgment at a place an object of its own."""
        shown, known = self.orders[self.order[row]], self.status[row] == OK
        scores = self.scores[row, : len(shown)].tolist() if known else ()
        return Judgment(
            judge=self.judges[self.judge[row]],
            shown=shown,
            # one NaN object, so that equal judgments are equal
            scores=tuple(nan if isnan(score) else score for score in scores) if known else None,
            status=STATUSES[self.status[row]],
            sample=int(self.sample[row]),
            variant=self.variants[self.variant[row]],
            meta=None if isnan(self.meta[row]) else float(self.meta[row]),
            steps=self.steps[row] if self.steps else None,
            calls=self.calls[row] if self.calls else (),
            **{name: None if isnan(count := getattr(self, name)[row]) else int(count) for name in COUNTS},
        )

    def make_records(self) -> tuple[Record, ...]:
        """Make every judgment an object, together with what it is about."""
        of_items = [about._asdict() for about in self.items]
        return tuple(
            Record(**of_items[item], judgment=self.make_judgment(row)) for row, item in enumerate(self.item.tolist())
        )


_ARRAYS = frozenset(f.name for f in fields(Columns) if f.type == "np.ndarray")


def make_columns(records: Iterable[Record]) -> Columns:
    """Put records that were checked into columns."""
    return put_in_columns((About(r.prompt, r.cluster, r.subset, r.responses, r.gold), (r.judgment,)) for r in records)


def put_in_columns(judged: Iterable[tuple[About, Sequence[Judgment]]]) -> Columns:
    """Put judgments that were checked into columns, some at a time with the item that they are about."""
    items: dict[str, tuple[int, About]] = {}
    item: list[int] = []
    judgments: list[Judgment] = []
    for about, of_item in judged:
        place, _ = items.setdefault(about.prompt, (len(items), about))
        item += [place] * len(of_item)
        judgments += of_item
    judges, judge = _number([j.judge for j in judgments])
    variants, variant = _number([j.variant for j in judgments])
    orders, order = _number([j.shown for j in judgments])
    scores = np.full((len(judgments), max(map(len, orders), default=0)), np.nan)
    for row, j in enumerate(judgments):
        if j.scores is not None:
            scores[row, : len(j.scores)] = j.scores
    return Columns(
        items=tuple(about for _, about in items.values()),
        judges=judges,
        variants=variants,
        orders=orders,
        item=np.array(item, dtype=np.int32),
        judge=judge,
        variant=variant,
        sample=np.array([j.sample for j in judgments], dtype=np.int32),
        order=order,
        scores=scores,
        status=np.array([STATUSES.index(j.status) for j in judgments], dtype=np.int8),
        meta=_fill([j.meta for j in judgments]),
        **{name: _fill([getattr(j, name) for j in judgments]) for name in COUNTS},
        steps=tuple(j.steps for j in judgments) if any(j.steps is not None for j in judgments) else (),
        calls=tuple(j.calls for j in judgments) if any(j.calls for j in judgments) else (),
    )


def _number(values: Sequence[Any]) -> tuple[tuple[Any, ...], np.ndarray]:
    """Number values by when they first come; return the different ones and each one's number."""
    numbers: dict[Any, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    return tuple(numbers), np.array(codes, dtype=np.int32)


def _fill(values: Sequence[float | None]) -> np.ndarray:
    """Make an array of numbers, NaN for None."""
    return np.array([nan if value is None else value for value in values], dtype=np.float64)
