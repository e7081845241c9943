"""Long columns of a result, kept as arrays: a row becomes an object only where somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

READ = 4096  # rows made at a time where all are read one by one


@dataclass(frozen=True)
class JudgmentRows(Sequence[Mapping[str, Any]]):
    """Hold rows by column, and for judgments that were bought the keys and ranks of their answers in the store."""

    table: pa.Table
    calls: tuple[list[tuple[bytes, int]], ...] = ()  # one a row; empty where none was bought

    def __len__(self) -> int:
        """Return how many rows there are."""
        return int(self.table.num_rows)

    def __getitem__(self, place: Any) -> Any:
        """Return a row."""
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return next(self._make(place % len(self), 1))

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Yield the rows."""
        for start in range(0, len(self), READ):
            yield from self._make(start, READ)

    def _make(self, start: int, count: int) -> Iterator[Mapping[str, Any]]:
        for place, row in enumerate(self.table.slice(start, count).to_pylist(), start):
            yield row | {"calls": self.calls[place] if self.calls else []}


@dataclass(frozen=True)
class Repeated(Sequence[Any]):
    """Stand for values that come several times, one after the other."""

    values: Sequence[Any]
    times: int

    def __len__(self) -> int:
        """Return how many there are, all together."""
        return len(self.values) * self.times

    def __getitem__(self, place: Any) -> Any:
        """Return the value at a place."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self.values[place % len(self.values)]


@dataclass(frozen=True)
class Cut(Sequence[np.ndarray]):
    """Stand for arrays that lie one after the other in one."""

    values: np.ndarray
    ends: np.ndarray  # (rows,)

    def __len__(self) -> int:
        """Return how many arrays there are."""
        return len(self.ends)

    def __getitem__(self, place: Any) -> Any:
        """Return the array at a place."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self.values[self.ends[place - 1] if place else 0 : self.ends[place]]


def join_keys(*columns: np.ndarray) -> np.ndarray:
    """Join columns of whole numbers from 0 into one, (N,): it orders rows as they do, the first of them before all."""
    key, size = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        several = int(column.max(initial=0)) + 1
        if size * several >= 2**62:  # too many for one number: those that are there are numbered anew
            key = np.unique(key, return_inverse=True)[1].reshape(-1)
            size = int(key.max(initial=0)) + 1
        key, size = key * several + column, size * several
    return key
