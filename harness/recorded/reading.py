"""Read the table of a set by column, and check it by column.

Nothing here says what is wrong: a table of which any check fails is read once more by row (sets.py), which says it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from judgescale.harness.long_columns import join_keys
from judgescale.harness.recorded.columns import COUNTS, OK, About, Columns
from judgescale.harness.types import STATUSES

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS = ("prompt", "cluster", "subset", "judge", "variant", "status")
MOST_SHOWN = 4096  # responses of one judgment: more would make too wide a table of scores


class Lists(NamedTuple):
    """Hold a column of lists: row i is `values[ends[i] : ends[i + 1]]`; `there` (N,) is False where it is null."""

    values: np.ndarray
    ends: np.ndarray
    there: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Return how long each list is, 0 where there is none, (N,)."""
        sizes: np.ndarray = np.diff(self.ends)
        return sizes

    def agree(self, first: np.ndarray) -> bool:
        """Tell whether every row is the same as the row `first` (N,) that it names."""
        if (self.sizes != self.sizes[first]).any() or (self.there != self.there[first]).any():
            return False
        row = np.repeat(np.arange(len(first)), self.sizes)
        place = np.arange(self.ends[0], self.ends[-1]) - self.ends[row]
        other = self.ends[first[row]] + place
        return bool((self.values[self.ends[0] : self.ends[-1]] == self.values[other]).all())

    def pad(self, fill: float, width: int) -> np.ndarray:
        """Return the rows as an array (N, width), filled up."""
        sizes = self.sizes
        padded = np.full((len(sizes), width), fill, dtype=self.values.dtype)
        padded[np.arange(width) < sizes[:, None]] = self.values[self.ends[0] : self.ends[-1]]
        return padded


def read_by_column(table: pa.Table, pointwise: bool) -> Columns | None:
    """Read a table that is a set; None where it is not, and where judgments have step scores.

    pointwise: whether a judgment may lack the score of a response.
    """
    import pyarrow as pa

    try:
        return _read(table, pointwise) if len(table) and "steps" not in table.column_names else None
    except (KeyError, pa.ArrowException):
        return None


def _read(table: pa.Table, pointwise: bool) -> Columns | None:
    texts = {name: read_texts(table.column(name)) for name in TEXTS}
    if None in texts.values():
        return None
    (prompts, prompt), (_, cluster), (_, subset), (judges, judge), (variants, variant), (said, status) = (
        found for found in texts.values() if found
    )
    counts = {name: read_numbers(table.column(name), "int32", nullable=True) for name in COUNTS}
    meta = read_numbers(table.column("meta"), "float64", nullable=True)
    sample = read_numbers(table.column("sample"), "int16")
    responses, gold = read_lists(table.column("responses"), "str"), read_lists(table.column("gold"), "float64", True)
    shown = read_lists(table.column("shown"), "int16")
    scores = read_lists(table.column("scores"), "float64", nullable=True, gaps=pointwise)
    if meta is None or sample is None or responses is None or gold is None or shown is None or scores is None:
        return None
    known: dict[str, Any] = {name: count for name, count in counts.items() if count is not None}
    if len(known) < len(COUNTS) or not set(said) <= set(STATUSES):
        return None
    status_of = np.array([STATUSES.index(word) for word in said], dtype=np.int8)[status]

    # every row of an item says the same of it
    _, first, item = np.unique(prompt, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[first.argsort()] = np.arange(len(first))  # items in the order in which they first come
    item_of, first = rank[item.reshape(-1)], np.sort(first)
    same = first[item_of]
    if (cluster != cluster[same]).any() or (subset != subset[same]).any():
        return None
    if not (responses.agree(same) and gold.agree(same)):
        return None
    columns = [table.column(name).take(first).to_pylist() for name in About._fields]
    items = [
        About(name, cluster, subset, tuple(names), None if right is None else tuple(right))
        for name, cluster, subset, names, right in zip(*columns, strict=True)
    ]
    if not all(map(_is_item, items)):
        return None

    # and every judgment is one of its item
    width = int(shown.sizes.max())
    ok, is_score = status_of == OK, np.arange(width) < shown.sizes[:, None]
    if "" in judges or width > MOST_SHOWN or (sample < 0).any() or not shown.sizes.all() or np.isinf(meta).any():
        return None
    if (scores.there != ok).any() or (scores.sizes[ok] != shown.sizes[ok]).any() or scores.sizes[~ok].any():
        return None
    places = shown.pad(-1, width)
    if (shown.values < 0).any() or (places.max(axis=1) >= responses.sizes).any():
        return None
    by_place = np.sort(places, axis=1)
    if width > 1 and ((by_place[:, 1:] == by_place[:, :-1]) & (by_place[:, 1:] >= 0)).any():
        return None
    wide = scores.pad(np.nan, width)
    lacks = np.isnan(wide) & is_score & ok[:, None]
    if np.isinf(wide).any() or (lacks.any() and not pointwise) or (lacks.sum(axis=1)[ok] == shown.sizes[ok]).any():
        return None
    _, of_order, order = np.unique(join_keys(*(places + 1).T), return_index=True, return_inverse=True)
    orders = tuple(tuple(row[row >= 0].tolist()) for row in places[of_order])
    order = order.reshape(-1).astype(np.int32)
    key = np.sort(join_keys(item_of, judge, variant, order, sample))
    if (key[1:] == key[:-1]).any():
        return None
    return Columns(
        items=tuple(items),
        judges=tuple(judges),
        variants=tuple(variants),
        orders=orders,
        item=item_of,
        judge=judge,
        variant=variant,
        sample=sample.astype(np.int32),
        order=order,
        scores=wide,
        status=status_of,
        meta=meta,
        **known,
    )


def _is_item(about: About) -> bool:
    """Tell whether an item has a name, different responses, and a finite gold number for each or none at all."""
    size = len(about.responses)
    if not about.prompt or not size or len(set(about.responses)) != size:
        return False
    return about.gold is None or (len(about.gold) == size and bool(np.isfinite(about.gold).all()))


def read_texts(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray] | None:
    """Read a column of text: the different words, and which of them stands in each row; None where one is missing."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if column.null_count or not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    array = coded.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # older pyarrow keeps one chunk wrapped
        array = array.chunk(0)
    words, codes = array.dictionary.to_pylist(), array.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return None if None in words or len(set(words)) < len(words) else (words, codes)


def read_numbers(column: pa.ChunkedArray, kind: str, nullable: bool = False) -> np.ndarray | None:
    """Read a column of numbers; of a nullable one as floats, NaN where there is none. None where it cannot be."""
    import pyarrow as pa

    numeric = pa.types.is_integer(column.type) or (kind == "float64" and pa.types.is_floating(column.type))
    if not numeric or (column.null_count and not nullable):
        return None
    numbers: np.ndarray = column.cast(kind).to_numpy()
    if kind == "float64" and int(np.isnan(numbers).sum()) > column.null_count:
        return None
    return numbers.astype(np.float64) if nullable else numbers


def read_lists(column: pa.ChunkedArray, kind: str, nullable: bool = False, gaps: bool = False) -> Lists | None:
    """Read a column of lists; texts as numbers, equal for equal texts. None where it cannot be.

    nullable: whether a list may be missing. gaps: whether a number may be missing in one (NaN).
    """
    import pyarrow as pa

    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return None
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    inner = array.values
    if (array.null_count and not nullable) or (inner.null_count and not gaps):
        return None
    there = np.ones(len(array), dtype=bool) if not array.null_count else array.is_valid().to_numpy(zero_copy_only=False)
    if kind == "str":
        if (found := read_texts(pa.chunked_array([inner]))) is None:
            return None
        values = found[1]
    else:
        floating = kind == "float64" and pa.types.is_floating(inner.type)
        if not (floating or pa.types.is_integer(inner.type)):
            return None
        values = inner.cast(kind).to_numpy(zero_copy_only=False)
    return Lists(values, array.offsets.to_numpy(), there)
