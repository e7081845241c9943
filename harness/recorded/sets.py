"""Read and write one recorded set. pyarrow is imported where it is used, so that importing this costs nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import isfinite, isnan, nan
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from judgescale.harness import ROOT
from judgescale.harness.recorded.columns import Columns, make_columns
from judgescale.harness.recorded.reading import read_by_column
from judgescale.harness.types import STATUSES, JudgescaleError, Judgment, Record

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 3  # the newest that is read; a set is written with the oldest that can say what it holds
KEY = b"judgescale"
HARD, EASY, MANY = 19, 3, 200_000  # how hard a set is compressed, and one of so many judgments, which would take long

# column -> (kind, may a row be null). Kinds: str, int16, int32, float, and [kind] for a list of them.
COLUMNS: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "prompt": ("str", False),
        "cluster": ("str", False),
        "subset": ("str", False),
        "responses": ("[str]", False),
        "gold": ("[float]", True),
        "judge": ("str", False),
        "variant": ("str", False),
        "sample": ("int16", False),
        "shown": ("[int16]", False),
        "scores": ("[float]", True),
        "status": ("str", False),
        "meta": ("float", True),
        "prompt_tokens": ("int32", True),
        "completion_tokens": ("int32", True),
        "chars": ("int32", True),
        "steps": ("[[float]]", True),
    }
)
IF_ANY = ("steps",)  # columns that a set has only where some row has a value

# what the set says about itself -> (type, default when a writer leaves it out)
META: Mapping[str, tuple[type, Any]] = MappingProxyType(
    {
        "schema": (int, SCHEMA),
        "name": (str, ""),
        "format": (str, "jsonl"),
        "tasks": (list, ["custom"]),
        "varies": (str, ""),
        "pool": (bool, False),
        "order": (str, "as_is"),
        "sources": (list, []),
        "note": (str, ""),
        "prompts": (dict, {}),  # whose prompt each judge (or judge/variant) was asked with; of others nobody tells
        "temperature": (float, None),  # that the judgments were sampled at, 0 = greedy; None where nobody says
        "live": (dict, {}),  # of a set bought live: format, model, revision, engine, sampling, seed
        "pointwise": (bool, False),  # each response was scored alone: its scores are a judgment of any subset of them
    }
)

IF_KNOWN = ("prompts", "temperature", "live", "pointwise")  # left out where a writer does not give them

SHIPPED = ROOT / "results" / "recorded"

ItemFields = tuple[str, str, tuple[str, ...], tuple[float, ...] | None]  # cluster, subset, responses, gold


@dataclass(frozen=True)
class RecordedSet:
    """Hold one set of recorded judgments; `meta` says what varies between them and where they come from.

    In a pointwise set a judgment may lack the score of a response (NaN), as long as it has another.
    """

    path: Path
    name: str
    meta: Mapping[str, Any]
    columns: Columns = field(repr=False)
    chosen: Mapping[str, str] = field(default_factory=dict)  # what part of the file it is: variants, the rule for steps

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """Return every judgment as an object, for whoever looks at them one by one."""
        return self.columns.make_records()

    @property
    def has_gold(self) -> bool:
        """Tell whether every item has its gold labels in the set."""
        return all(about.gold is not None for about in self.columns.items)


def list_shipped_sets() -> dict[str, Path]:
    """Return the sets that come with judgescale: name -> file."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.parquet"))}


def read_set(path: str | os.PathLike[str]) -> RecordedSet:
    """Read the set in a Parquet file (or a shipped set, by its bare name), and check every row.

    Raises JudgescaleError, naming the row and the field, for whatever is not as this module writes it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = Path(path)
    shipped = list_shipped_sets()
    if not file.exists() and str(path) in shipped:
        file = shipped[str(path)]
    if not file.exists():
        raise JudgescaleError(f"{path} does not exist; shipped sets: {', '.join(shipped) or 'none'}")
    if file.is_dir():
        raise JudgescaleError(f"{path} is a folder; name one .parquet file in it")
    try:
        strings = [name for name, (kind, _) in COLUMNS.items() if kind == "str"]
        table = pq.read_table(file, read_dictionary=strings, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise JudgescaleError(
            f"{path} is not a Parquet file ({reason}); make one with: judgescale recorded import FORMAT FILE..."
        ) from None
    meta = _read_meta(str(path), table.schema.metadata or {})
    try:
        columns = _read_columns(str(path), table, meta["pointwise"])
    except UnicodeDecodeError:
        raise JudgescaleError(f"{path}: holds text that is not UTF-8: import the set again") from None
    del table
    pa.default_memory_pool().release_unused()
    return RecordedSet(path=file, name=meta["name"] or file.stem, meta=MappingProxyType(meta), columns=columns)


def write_set(path: str | os.PathLike[str], records: Iterable[Record] | pa.Table, meta: Mapping[str, Any]) -> Columns:
    """Write a set, in the order given: all of it or nothing, and return its columns. `read_set` accepts what it writes.

    records: or a table of COLUMNS without step scores.

    Raises JudgescaleError, naming the row and the field, for records that are no set, and for unknown metadata.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = Path(path)
    rows = records if isinstance(records, pa.Table) else list(records)
    if not len(rows):
        raise JudgescaleError(f"{path}: no judgments to write")
    unknown = sorted(set(meta) - set(META))
    if unknown:
        raise JudgescaleError(f"{path}: unknown metadata {unknown[0]!r}; known: {', '.join(META)}")
    full = {name: meta.get(name, default) for name, (_, default) in META.items()}
    full = {name: value for name, value in full.items() if name not in IF_KNOWN or value != META[name][1]}
    full["schema"] = _find_schema(full, rows)
    full["name"] = full["name"] or file.stem
    _check_meta(str(path), full)
    try:
        about = json.dumps(full, sort_keys=True, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start : error.end])
        raise JudgescaleError(f"{path}: a name in it holds {half}, half a character: mend the source file") from None
    pointwise = bool(full.get("pointwise"))
    table = rows if isinstance(rows, pa.Table) else _build_table(str(path), rows, pointwise)
    columns = _read_columns(str(path), table, pointwise)  # the same checks as `read_set`, before anything is written
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent)
    os.close(handle)
    try:
        table = table.replace_schema_metadata({KEY: about})
        level = HARD if len(table) < MANY else EASY
        pq.write_table(table, temporary, compression="zstd", compression_level=level, use_dictionary=True)
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would follow the file into a shared checkout
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
    return columns


def _read_meta(path: str, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    if KEY not in metadata:
        raise JudgescaleError(
            f"{path} has no 'judgescale' metadata: it is a Parquet file but not a recorded set; "
            "make one with: judgescale recorded import jsonl FILE..."
        )
    try:
        meta = json.loads(metadata[KEY])
        json.dumps(meta, allow_nan=False)
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict):
        raise JudgescaleError(f"{path}: the 'judgescale' metadata is not a JSON object; import the set again")
    _check_meta(path, meta)
    return {**{name: default for name, (_, default) in META.items()}, **meta}


def _find_schema(meta: Mapping[str, Any], rows: list[Record] | pa.Table) -> int:
    """Return the oldest schema that can say what a set holds, so that an older judgescale reads what it understands."""
    if isinstance(rows, list) and any(row.judgment.steps is not None for row in rows):
        return 3
    return 2 if meta.get("pointwise") else 1


def _check_meta(path: str, meta: Mapping[str, Any]) -> None:
    version = meta.get("schema")
    if not isinstance(version, int) or isinstance(version, bool):
        raise JudgescaleError(f"{path}: metadata field schema: {version!r} is not a version number")
    if version > SCHEMA:
        raise JudgescaleError(
            f"{path}: written with schema {version}, this judgescale reads up to {SCHEMA}: install a newer judgescale"
        )
    for name, (kind, _) in META.items():
        if name in meta and not isinstance(meta[name], (int, float) if kind is float else kind):
            raise JudgescaleError(f"{path}: metadata field {name}: {meta[name]!r} is not a {kind.__name__}")
    for place, value, right, what in _list_inner_fields(meta):
        if not right(value):
            raise JudgescaleError(f"{path}: metadata field {place}: {value!r} is not {what}")


def _list_inner_fields(meta: Mapping[str, Any]) -> Iterator[tuple[str, Any, Callable[[Any], bool], str]]:
    """List what must hold inside the fields of the metadata: the place, its value, a test, and that in words."""

    def is_text(value: Any) -> bool:
        """Tell whether a value is a string."""
        return isinstance(value, str)

    def is_object(value: Any) -> bool:
        """Tell whether a value is a mapping."""
        return isinstance(value, Mapping)

    if "tasks" in meta:
        yield "tasks", meta["tasks"], lambda tasks: bool(tasks) and all(map(is_text, tasks)), "a list of tasks' names"
    for source in meta.get("sources", ()):
        yield "sources", source, is_object, "an object"
        for name in ("repo", "commit", "licence"):
            yield f"sources.{name}", source.get(name) or "", is_text, "text"
        yield "sources.files", source.get("files") or [], lambda files: isinstance(files, list), "a list"
    for prompt in meta.get("prompts", {}).values():
        yield "prompts", prompt, is_text, "text"
    if "temperature" in meta:
        yield "temperature", meta["temperature"], lambda t: isfinite(t) and t >= 0, "a number, 0 or more"
    if live := meta.get("live"):
        yield "live.format", live.get("format", ""), is_text, "text"
        yield "live.prompt", live.get("prompt", ""), is_text, "text"
        for name in ("engine", "sampling"):
            yield f"live.{name}", live.get(name) or {}, is_object, "an object"


def _arrow_type(kind: str) -> pa.DataType:
    import pyarrow as pa

    types = {"str": pa.string(), "int16": pa.int16(), "int32": pa.int32(), "float": pa.float64()}
    return pa.list_(_arrow_type(kind[1:-1])) if kind.startswith("[") else types[kind]


def _build_table(path: str, rows: list[Record], pointwise: bool) -> pa.Table:
    """Make a table of the records. Raises JudgescaleError, naming the row, where a value is of another type."""
    import pyarrow as pa

    judgments = [row.judgment for row in rows]
    item_columns = ("prompt", "cluster", "subset", "responses", "gold")
    values: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in item_columns}
    values |= {name: [getattr(judgment, name) for judgment in judgments] for name in COLUMNS if name not in values}
    if pointwise:
        values["scores"] = [_write_missing(scores) for scores in values["scores"]]
    columns = {name: kind for name, (kind, _) in COLUMNS.items() if name not in IF_ANY or any(values[name])}
    arrays = []
    for name, kind in columns.items():
        try:
            arrays.append(pa.array(values[name], type=_arrow_type(kind)))
        except (pa.ArrowException, TypeError, OverflowError, ValueError) as error:
            for number, value in enumerate(values[name], 1):  # say which row it was
                try:
                    pa.array([value], type=_arrow_type(kind))
                except (pa.ArrowException, TypeError, OverflowError, ValueError):
                    raise _row_error(path, number, name, f"{value!r} is not {_name_kind(kind)}") from None
            raise JudgescaleError(f"{path}, field {name}: {error}") from None
    return pa.table(arrays, names=list(columns))


def _write_missing(scores: tuple[float, ...] | None) -> Sequence[float | None] | None:
    """Return a judgment's scores with null in place of NaN, which stands for a response without a score."""
    return scores and [None if isinstance(score, float) and isnan(score) else score for score in scores]


def _name_kind(kind: str) -> str:
    """Say in words what kind of value a column holds."""
    words = {"str": "text", "int16": "a whole number below 32768", "int32": "a whole number", "float": "a number"}
    return f"a list, each {_name_kind(kind[1:-1])}" if kind.startswith("[") else words[kind]


def _row_error(path: str, row: int, field: str, message: str) -> JudgescaleError:
    return JudgescaleError(f"{path}, row {row}, field {field}: {message}")


def _read_columns(path: str, table: pa.Table, pointwise: bool) -> Columns:
    """Read a table by column, checked. Raises JudgescaleError, naming the row, where one is not as it must be.

    Whatever is not plainly right is read once more, a row at a time, to find the first that is wrong. So are step
    scores, of which there are few.
    """
    if (found := read_by_column(table, pointwise)) is not None:
        return found
    return make_columns(_read_records(path, table, pointwise))


def _read_records(path: str, table: pa.Table, pointwise: bool) -> Iterator[Record]:
    """Yield every row as a Record, checked, with an error that names what is wrong."""
    columns = [_read_column(path, table, name, gaps=pointwise and name == "scores") for name in COLUMNS]
    items: dict[str, ItemFields] = {}
    seen: dict[tuple[str, str, str, tuple[int, ...], int], int] = {}
    for number, (prompt, cluster, subset, responses, gold, *of_judgment) in enumerate(zip(*columns, strict=True), 1):
        item = (cluster, subset, responses, gold)
        known = items.get(prompt)
        if known is None:
            _check_item(path, number, prompt, item)
            items[prompt] = known = item
        elif known != item:
            _refuse_other_item(path, number, prompt, item, known)
        judge, variant, sample, shown, scores, status, meta, prompt_tokens, completion_tokens, chars, steps = (
            of_judgment
        )
        judgment = Judgment(
            judge=judge,
            shown=shown,
            scores=scores,
            status=status,
            sample=sample,
            variant=variant,
            meta=meta,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            chars=chars,
            steps=steps,
        )
        _check_judgment(path, number, judgment, len(responses), pointwise)
        first = seen.setdefault((prompt, judge, variant, shown, sample), number)
        if first != number:
            raise _row_error(
                path,
                number,
                "sample",
                f"the same judgment as row {first} (prompt {prompt!r}, judge {judge!r}, variant {variant!r}, "
                f"shown {list(shown)}, sample {sample})",
            )
        # the item's own tuples are shared by all of its rows: less memory, and later comparisons are by identity
        yield Record(
            prompt=prompt, cluster=known[0], subset=known[1], responses=known[2], gold=known[3], judgment=judgment
        )


def _check_item(path: str, number: int, prompt: str, item: ItemFields) -> None:
    _, _, responses, gold = item
    if not prompt:
        raise _row_error(path, number, "prompt", "is empty")
    if not responses or len(set(responses)) != len(responses):
        raise _row_error(path, number, "responses", f"{list(responses)} must be at least one name, each different")
    if gold is not None and len(gold) != len(responses):
        raise _row_error(path, number, "gold", f"{len(gold)} numbers for {len(responses)} responses")
    if gold is not None and not all(map(isfinite, gold)):
        raise _row_error(path, number, "gold", f"{list(gold)} has a value that is not a finite number")


def _refuse_other_item(path: str, number: int, prompt: str, item: ItemFields, known: ItemFields) -> NoReturn:
    """Raise for a row that describes its item otherwise than the rows before it, and name the field."""
    names = ("cluster", "subset", "responses", "gold")
    field = next(name for name, ours, theirs in zip(names, item, known, strict=True) if ours != theirs)
    raise _row_error(path, number, field, f"differs from an earlier row about the same prompt {prompt!r}")


def _check_judgment(path: str, number: int, judgment: Judgment, size: int, pointwise: bool) -> None:
    """Raise for a judgment of an item of `size` responses that cannot be."""
    shown, scores, status = judgment.shown, judgment.scores, judgment.status
    if status not in STATUSES:
        raise _row_error(path, number, "status", f"{status!r} is none of {', '.join(STATUSES)}")
    if not judgment.judge:
        raise _row_error(path, number, "judge", "is empty")
    if judgment.sample < 0:
        raise _row_error(path, number, "sample", f"{judgment.sample} is negative; repeats count 0, 1, 2, …")
    if not shown or min(shown) < 0 or max(shown) >= size or len(set(shown)) != len(shown):
        raise _row_error(path, number, "shown", f"{list(shown)} must hold different indices into {size} responses")
    if (scores is None) == (status == "ok"):
        raise _row_error(path, number, "scores", f"must be null exactly when status is not ok; status is {status}")
    if scores is not None:
        if len(scores) != len(shown):
            raise _row_error(path, number, "scores", f"{len(scores)} scores for {len(shown)} responses shown")
        if not all(map(isfinite, scores)) and not (pointwise and _has_gaps(path, number, scores)):
            raise _row_error(path, number, "scores", f"{list(scores)} has a value that is not a finite number")
    if judgment.meta is not None and not isfinite(judgment.meta):
        raise _row_error(path, number, "meta", f"{judgment.meta} is not a finite number")
    if judgment.steps is not None:
        _check_steps(path, number, judgment, judgment.steps)


def _check_steps(path: str, number: int, judgment: Judgment, steps: Sequence[Sequence[float]]) -> None:
    """Raise for step scores that are not some for every response that has a score, and none for the others."""
    if judgment.scores is None:
        raise _row_error(path, number, "steps", f"must be null where status is not ok; status is {judgment.status}")
    if len(steps) != len(judgment.shown):
        raise _row_error(
            path, number, "steps", f"step scores of {len(steps)} for {len(judgment.shown)} responses shown"
        )
    for of_response, score in zip(steps, judgment.scores, strict=True):
        if bool(of_response) == isnan(score):
            raise _row_error(
                path, number, "steps", f"{list(of_response)} of a response of score {score}: each needs the other"
            )
        if not all(map(isfinite, of_response)):
            raise _row_error(path, number, "steps", f"{list(of_response)} has a value that is not a finite number")


def _has_gaps(path: str, number: int, scores: tuple[float, ...]) -> bool:
    """Tell whether scores are finite besides some that are missing. Raises JudgescaleError where all are missing."""
    known = [score for score in scores if not isnan(score)]
    if not known:
        raise _row_error(path, number, "scores", "has no score at all: write null, and a status other than ok")
    return all(map(isfinite, known))


def _read_column(path: str, table: pa.Table, name: str, gaps: bool = False) -> list[Any]:
    """Return a column as Python values: text shared between rows, lists as tuples, None where null.

    gaps: whether a list of numbers may have nulls in it, which are read as NaN.
    """
    import pyarrow as pa

    kind, nullable = COLUMNS[name]
    if name not in table.column_names and name in IF_ANY:
        return [None] * len(table)
    if name not in table.column_names:
        raise JudgescaleError(f"{path}: column {name!r} is missing; a set has: {', '.join(COLUMNS)}")
    column = table.column(name)
    if not _is_of_kind(column.type, kind):
        raise JudgescaleError(f"{path}: column {name!r} is {column.type}, not {_arrow_type(kind)}")
    if not nullable and column.null_count:
        raise _row_error(path, column.is_null().to_pylist().index(True) + 1, name, "is null")
    if kind == "str":
        return _read_texts(column)
    try:
        array = column.cast(_arrow_type(kind)).combine_chunks()
    except pa.ArrowException as error:
        raise JudgescaleError(f"{path}: column {name!r}: {str(error).splitlines()[0]}") from None
    if isinstance(array, pa.ChunkedArray):  # older pyarrow keeps one chunk wrapped
        array = array.chunk(0) if array.num_chunks else pa.array([], type=_arrow_type(kind))
    if not kind.startswith("["):
        return array.to_pylist() if array.null_count < len(array) else [None] * len(array)
    if array.values.null_count and not gaps:
        for number, value in enumerate(array.to_pylist(), 1):
            if value is not None and None in value:
                raise _row_error(path, number, name, f"{value} has a null in it")
    values = _read_values(array.values, kind[1:-1])
    if gaps:
        values = [nan if value != value else value for value in values]  # one NaN object, so that equal rows are equal
    rows: list[Any] = _cut_lists(values, array.offsets.to_pylist())
    if array.null_count:
        valid = array.is_valid().to_pylist()
        return [row if there else None for row, there in zip(rows, valid, strict=True)]
    return rows


def _read_values(array: pa.Array, kind: str) -> list[Any]:
    """Return what is in the lists of a column, one value after another; lists among them as tuples."""
    if kind.startswith("["):
        return _cut_lists(_read_values(array.values, kind[1:-1]), array.offsets.to_pylist())
    values: list[Any] = array.to_pylist() if kind == "str" else array.to_numpy(zero_copy_only=False).tolist()
    return values


def _cut_lists(values: list[Any], ends: list[int]) -> list[tuple[Any, ...]]:
    """Cut values into tuples that begin and end at these places; equal ones are one object."""
    shared: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    rows = []
    for start, end in pairwise(ends):
        row = tuple(values[start:end])
        rows.append(shared.setdefault(row, row))
    return rows


def _read_texts(column: pa.ChunkedArray) -> list[str]:
    """Return a column of text; equal texts of a chunk are one object."""
    import pyarrow as pa

    texts: list[str] = []
    for chunk in column.chunks:
        coded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        words = coded.dictionary.to_pylist()
        texts.extend([words[code] for code in coded.indices.to_pylist()])
    return texts


def _is_of_kind(found: pa.DataType, kind: str) -> bool:
    """Tell whether a column's type is of the right family: other tools write int64 and large_string."""
    import pyarrow as pa

    if kind.startswith("["):
        lists = bool(pa.types.is_list(found) or pa.types.is_large_list(found))
        return lists and _is_of_kind(found.value_type, kind[1:-1])
    if pa.types.is_dictionary(found):
        return _is_of_kind(found.value_type, kind)
    if kind == "str":
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
    return bool(pa.types.is_integer(found) or (kind == "float" and pa.types.is_floating(found)))
