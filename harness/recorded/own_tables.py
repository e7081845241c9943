"""Turn a table of one's own judgments, the fields of the format jsonl as columns, into the table of a set.

Nothing here says what is wrong: whatever is not plainly right is read by row (formats/jsonl.py), which says it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from judgescale.harness.long_columns import join_keys
from judgescale.harness.recorded.columns import COUNTS
from judgescale.harness.recorded.reading import Lists, read_lists, read_numbers, read_texts
from judgescale.harness.recorded.source import VERDICTS

if TYPE_CHECKING:
    import pyarrow as pa

READ = {
    "prompt", "item", "responses", "gold", "best", "judge", "shown", "scores", "winner", "status", "sample", "variant",
    "subset", "cluster", "meta", "prompt_tokens", "completion_tokens", "chars",
}  # fmt: skip
RIVALS = (("prompt", "item"), ("gold", "best"), ("scores", "winner"))  # of these a table has one at most
TIE = "tie"  # a winner


class _Odd(Exception):
    """A column is not plainly right."""


def make_set_table(table: pa.Table, judge: str | None) -> pa.Table | None:
    """Make the table of a set; None where a column is not plainly right.

    judge: whose all judgments are, where no column says it.
    """
    import pyarrow as pa

    # a column in which nothing stands is none
    table = table.select([f.name for f in table.schema if not pa.types.is_null(f.type) or f.name in VERDICTS])
    names = set(table.column_names)
    if not len(table) or names - READ or any({one, other} <= names for one, other in RIVALS):
        return None
    try:
        return _make(table, judge)
    except (_Odd, KeyError, pa.ArrowException):
        return None


def _make(table: pa.Table, judge: str | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    names, size = set(table.column_names), len(table)
    prompt = _read_text(table, "item" if "item" in names else "prompt")
    made: dict[str, Any] = {"prompt": prompt}
    cluster = _read_text(table, "cluster", "") if "cluster" in names else prompt
    made["cluster"] = pc.if_else(pc.equal(cluster, ""), prompt, cluster)
    made["subset"], made["variant"] = _read_text(table, "subset", ""), _read_text(table, "variant", "")
    if "judge" not in names and not judge:
        raise _Odd
    made["judge"] = table.column("judge") if "judge" in names else _repeat(judge, size)

    responses = _need(read_lists(table.column("responses"), "str"))
    known = responses.pad(-1, int(responses.sizes.max()))
    words = _need(read_texts(pa.chunked_array([_flatten(table.column("responses"))])))[0]
    shown, counts = _find_shown(table, words, known, responses.sizes)
    made |= {"responses": table.column("responses"), "shown": _cut(shown, counts, pa.int16())}
    made["gold"] = _read_gold(table, words, known, responses.sizes)
    if "winner" in names:
        scores, there = _score_winners(table.column("winner"), words, known, shown, counts)
        made["scores"] = _cut(scores, counts, pa.float64(), there)
    else:
        given = _need(read_lists(table.column("scores"), "float64", nullable=True))
        made["scores"], there = table.column("scores"), given.there
        wide = given.pad(np.nan, int(given.sizes.max(initial=0)))
        lone = wide[responses.sizes == 1]
        if ((lone < 0) | (lone > 1)).any():
            raise _Odd
    said = pa.array(["unparsed", "ok"]).take(pa.array(there.astype(np.int8)))
    if "status" in names:
        said = pc.coalesce(table.column("status").cast(pa.string()), said)
    elif not there.all() and "scores" in names and (given.sizes[~there]).any():
        raise _Odd
    made["status"] = said
    made["sample"] = _number_samples(table, made, shown)
    made["meta"] = table.column("meta") if "meta" in names else pa.nulls(size, pa.float64())
    for name in COUNTS:
        made[name] = table.column(name) if name in names else pa.nulls(size, pa.int32())
        if name in names and (_need(read_numbers(made[name], "int32", nullable=True)) < 0).any():
            raise _Odd
    kinds = {"gold": pa.list_(pa.float64()), "scores": pa.list_(pa.float64()), "sample": pa.int16()}
    kinds |= {"meta": pa.float64(), **dict.fromkeys(COUNTS, pa.int32())}
    order = (
        "prompt", "cluster", "subset", "responses", "gold", "judge", "variant", "sample", "shown", "scores", "status",
        "meta", *COUNTS,
    )  # fmt: skip
    return pa.table({name: made[name].cast(kinds[name]) if name in kinds else made[name] for name in order})


def _need(found: Any) -> Any:
    """Return what a reader found; raise where it found nothing."""
    if found is None:
        raise _Odd
    return found


def _repeat(word: str | None, times: int) -> pa.Array:
    import pyarrow as pa

    return pa.array([word]).take(pa.array(np.zeros(times, dtype=np.int8)))


def _read_text(table: pa.Table, name: str, default: str | None = None) -> Any:
    """Read a column of text, or of whole numbers; a default in place of what is missing, if there is one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name not in table.column_names and default is not None:
        return _repeat(default, len(table))
    column = table.column(name)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
        raise _Odd
    column = column.cast(pa.string())
    if column.null_count and default is None:
        raise _Odd
    return pc.fill_null(column, default) if column.null_count else column


def _flatten(column: pa.ChunkedArray) -> pa.Array:
    """Return what is in a column's lists."""
    import pyarrow as pa

    array = column.combine_chunks()
    return (array.chunk(0) if isinstance(array, pa.ChunkedArray) else array).values


def _encode(column: pa.ChunkedArray, words: list[str], more: tuple[str, ...] = ()) -> np.ndarray:
    """Number texts as `words` are, and `more` after them; -2 for a missing one. Raises for a text of neither."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pc.index_in(column.cast(pa.string()), pa.array([*words, *(m for m in more if m not in words)]))
    if places.null_count > column.null_count:
        raise _Odd
    codes: np.ndarray = pc.fill_null(places, -2).to_numpy()
    return codes


def _find_places(known: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Find the places of names (N,) among an item's (N, n). Raises where one is not there."""
    same = known == codes[:, None]
    if not same.any(axis=1).all():
        raise _Odd
    places: np.ndarray = same.argmax(axis=1)
    return places


def _find_shown(
    table: pa.Table, words: list[str], known: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the places of the responses shown, (N, most shown), -1 beyond what was shown, and how many were."""
    import pyarrow as pa

    if "shown" not in table.column_names:
        every = np.arange(known.shape[1])
        return np.where(every < sizes[:, None], every, -1), sizes
    column = table.column("shown")
    inner = column.type.value_type
    if pa.types.is_integer(inner):
        if any(word.lstrip("-").isdigit() for word in words):
            raise _Odd  # a name or a place?
        given = _need(read_lists(column, "int16"))
        return given.pad(-1, int(given.sizes.max())), given.sizes
    given = _need(read_lists(column, "str"))
    codes = _encode(pa.chunked_array([_flatten(column)]), words)
    names = Lists(codes, given.ends, given.there).pad(-1, int(given.sizes.max()))
    places = np.full(names.shape, -1)
    for place in range(names.shape[1]):
        rows = np.flatnonzero(given.sizes > place)
        places[rows, place] = _find_places(known[rows], names[rows, place])
    return places, given.sizes


def _cut(values: np.ndarray, sizes: np.ndarray, kind: Any, there: np.ndarray | None = None) -> pa.Array:
    """Make lists of the first so many of each row; null where one is not there."""
    import pyarrow as pa

    sizes = sizes if there is None else np.where(there, sizes, 0)
    ends = np.r_[0, np.cumsum(sizes)]
    lacks = None if there is None else np.r_[~there, False]
    flat = values[np.arange(values.shape[1]) < sizes[:, None]]
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32(), mask=lacks), pa.array(flat, kind))


def _read_gold(table: pa.Table, words: list[str], known: np.ndarray, sizes: np.ndarray) -> Any:
    """Read which responses are right, from `gold` or `best`; null where neither says it."""
    import pyarrow as pa

    if "gold" in table.column_names:
        gold = _need(read_lists(table.column("gold"), "float64", nullable=True))
        if not np.isin(gold.values, (0, 1)).all():
            raise _Odd
        return table.column("gold")
    if "best" not in table.column_names:
        return pa.nulls(len(table), pa.list_(pa.float64()))
    best = table.column("best")
    if best.null_count:
        raise _Odd
    right = _find_places(known, _encode(_of_text(best), words))
    return _cut((np.arange(known.shape[1]) == right[:, None]).astype(float), sizes, pa.float64())


def _of_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text. Raises for any other."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise _Odd
    return column


def _score_winners(
    column: pa.ChunkedArray, words: list[str], known: np.ndarray, shown: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score the response picked 1 and others 0, all 1/n in a tie, in shown order; and tell where a verdict is there."""
    codes = _encode(_of_text(column), words, (TIE,))
    if TIE in words:
        raise _Odd  # a name or a tie?
    tied, there = codes == len(words), codes >= 0
    picked = np.full(len(codes), -2)
    decided = np.flatnonzero(there & ~tied)
    picked[decided] = _find_places(known[decided], codes[decided])
    scores = (shown == picked[:, None]).astype(float)
    if not scores[decided].any(axis=1).all():
        raise _Odd
    scores[tied] = (1.0 / sizes[tied])[:, None]
    return scores, there


def _number_samples(table: pa.Table, made: dict[str, Any], shown: np.ndarray) -> Any:
    """Read which repeat each judgment is, or count them up."""
    import pyarrow as pa

    if "sample" in table.column_names:
        return table.column("sample")
    texts = [_need(read_texts(_chunk(made[name])))[1] for name in ("prompt", "judge", "variant")]
    key = join_keys(*texts, *(shown + 1).T)
    in_order = np.argsort(key, kind="stable")
    begins = np.r_[True, key[in_order][1:] != key[in_order][:-1]]
    starts = np.flatnonzero(begins)
    count = np.empty(len(key), dtype=np.int64)
    count[in_order] = np.arange(len(key)) - np.repeat(starts, np.diff(np.r_[starts, len(key)]))
    return pa.array(count)


def _chunk(values: Any) -> pa.ChunkedArray:
    import pyarrow as pa

    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
