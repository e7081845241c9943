"""Open other people's files of JSON, and say in one line where in them something is wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, NoReturn, cast

from judgescale.harness.types import JudgescaleError, Record

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = ".parquet"
ROWS = 4096  # rows of a table that are objects at a time
VERDICTS = ("scores", "winner")  # empty where a judgment could not be read


@dataclass(frozen=True)
class Source:
    """Hold one opened file: its records, each with its number (a line of JSONL, an element of an array; from 1)."""

    path: Path
    rows: tuple[tuple[int, Any], ...]
    sha256: str  # of the uncompressed content, so that a re-compressed copy is recognised
    title: str = ""  # what errors call it, where it is no file
    table: pa.Table | None = field(default=None, repr=False, compare=False)  # of a Parquet file, which has no `rows`

    def __str__(self) -> str:
        """Return what error lines call it."""
        return self.title or str(self.path)

    @property
    def stem(self) -> str:
        """Return the file's name without .gz and its extension."""
        name = self.path.name.removesuffix(".gz")
        return name.removesuffix(".jsonl").removesuffix(".json").removesuffix(PARQUET)

    @property
    def is_single_record(self) -> bool:
        """Tell whether the file holds one record only."""
        return len(self.rows) == 1

    def read_objects(self, rows: Iterable[tuple[int, Any]] | None = None) -> Iterator[SourceRow]:
        """Yield the file's rows, or those given. Raises JudgescaleError at the first that is no JSON object."""
        for number, row in self._list_rows() if rows is None else rows:
            if not isinstance(row, dict):
                reject(self, number, None, f"is {_name_type(row)}, not a JSON object")
            yield SourceRow(self, number, row)

    def _list_rows(self) -> Iterator[tuple[int, Any]]:
        """Yield the rows; of a table those fields that have a value, and an empty verdict, which says something."""
        if self.table is None:
            yield from self.rows
            return
        for start in range(0, len(self.table), ROWS):
            for number, row in enumerate(self.table.slice(start, ROWS).to_pylist(), start + 1):
                yield number, {name: row[name] for name in row if row[name] is not None or name in VERDICTS}

    def peek(self) -> Mapping[str, Any]:
        """Return the first record, for telling formats apart; an empty one where there is none, or it is no object."""
        _, row = next(self._list_rows(), (0, None))
        return row if isinstance(row, dict) else {}


@dataclass(frozen=True, slots=True)
class SourceRow:
    """Hold one JSON object of a file, and where in the file it stands."""

    source: Source
    number: int
    fields: Mapping[str, Any]

    def need(self, field: str, *kinds: type) -> Any:
        """Return a field. Raises JudgescaleError where it is missing or of none of these types."""
        return need(self.source, self.number, self.fields, field, *kinds)

    def get(self, field: str, default: Any = None) -> Any:
        """Return a field, or the default where the row has none of this name."""
        return self.fields.get(field, default)

    def reject(self, field: str | None, message: str) -> NoReturn:
        """Raise JudgescaleError with the file, the row, the field and the message."""
        reject(self.source, self.number, field, message)


class ImportedRecord(NamedTuple):
    """A record and the row that it was read from."""

    record: Record
    row: SourceRow
    said: Any = None  # the verdict as it stands in the file, to be named where it cannot be read


@dataclass(frozen=True)
class Imported:
    """Hold what an importer made of the files it was given."""

    records: Iterator[ImportedRecord]
    pool: bool = False  # whether the judges vote together by default
    pointwise: bool = False  # whether each response was scored alone, so that some may lack a score (NaN)
    notes: tuple[str, ...] = ()  # what a user of the set must know, a line each
    unused: tuple[Source, ...] = ()  # files given from which nothing was taken
    temperature: float | None = None  # that the judgments were sampled at, where the files tell one
    prompts: Mapping[str, str] = field(
        default_factory=dict
    )  # whose prompt it was, by judge or judge/variant, where the files tell it


def reject(source: Source | Path, row: int | None, field: str | None, message: str) -> NoReturn:
    """Raise JudgescaleError with the file, the row, the field (as far as they are known) and the message."""
    place = f", row {row}" if row is not None else ""
    raise JudgescaleError(f"{source}{place}{f', field {field}' if field else ''}: {message}")


def open_source(path: Path) -> Source:
    """Read a plain or gzipped file of JSON: an array, an object, one object a line, or objects one after another.

    A Parquet file has its fields as columns.
    """
    if path.suffix == PARQUET and path.exists():
        return Source(path, (), hash_content(path), table=_read_table(path))
    source, rows = open_rows(path)
    return replace(source, rows=tuple(rows))


def _read_table(path: Path) -> pa.Table:
    """Read a Parquet file. Raises JudgescaleError where it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        reject(path, None, None, f"is not a Parquet file ({str(error).splitlines()[0]})")
    if not len(table):
        reject(path, None, None, "holds no records")
    return table


def open_rows(path: Path) -> tuple[Source, Iterator[tuple[int, Any]]]:
    """Open a file as `open_source` does, but return its rows apart, to be read one after another.

    Where each row is a line, only one of them is in memory at a time.
    """
    if not path.exists():
        reject(path, None, None, "does not exist")
    source = Source(path, (), hash_content(path))
    first = next((line for _, line in _read_lines(path)), None)
    if first is None:
        reject(path, None, None, "is empty")
    return source, _parse_lines(path) if _is_record(first) else _parse_values(path)


def hash_content(path: Path) -> str:
    """Return the SHA-256 of a file's uncompressed content. Raises JudgescaleError where the gzip data is damaged."""
    try:
        with _open_content(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        reject(path, None, None, f"the gzip data is damaged ({error}); fetch the file again")


def _open_content(path: Path) -> BinaryIO:
    """Open a file for reading its bytes, uncompressed."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    if path.suffix == ".gz" and not zipped:
        reject(path, None, None, "ends in .gz but is not gzip data; rename it or fetch it again")
    return cast(BinaryIO, gzip.open(path)) if zipped else path.open("rb")


def _decode(path: Path, data: bytes, at: int = 0) -> str:
    """Decode UTF-8 that starts at this byte of the file; a byte-order mark may stand at its beginning."""
    try:
        return data.decode("utf-8" if at else "utf-8-sig")
    except UnicodeDecodeError as error:
        reject(path, None, None, f"is not UTF-8 text (byte {at + error.start}); expected JSON or JSON Lines")


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers; U+2028, which may be in a JSON string, ends no line."""
    at = 0
    with _open_content(path) as file:
        for number, line in enumerate(file, 1):
            if (text := _decode(path, line, at)).strip():
                yield number, text
            at += len(line)


def _is_record(line: str) -> bool:
    """Tell whether a file's first line is a whole record, not the start of an array or of an object of many lines."""
    if line.lstrip().startswith("["):
        return False
    try:
        json.loads(line)
    except RecursionError:
        return True  # said when its row is read
    except ValueError:
        return False
    return True


def _parse_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the value in each line, with the line's number."""
    return ((number, _parse_json(path, number, line)) for number, line in _read_lines(path))


def _parse_values(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the elements of an array, or values one after another, counted from 1."""
    with _open_content(path) as file:
        text = _decode(path, file.read())
    at = _skip_space(text, 0)
    if text[at] == "[":
        if not (rows := _parse_json(path, None, text)):
            reject(path, None, None, "holds no records")
        yield from enumerate(rows, 1)
        return
    decoder, number = json.JSONDecoder(), 0
    while at < len(text):
        number += 1
        value, at = _parse_json(path, number, text, partial(decoder.raw_decode, idx=at))
        yield number, value
        at = _skip_space(text, at)


def _skip_space(text: str, at: int) -> int:
    """Return the place of the next character that is no space."""
    return next((i for i in range(at, len(text)) if not text[i].isspace()), len(text))


def _parse_json(path: Path, row: int | None, text: str, load: Callable[[str], Any] = json.loads) -> Any:
    try:
        return load(text)
    except RecursionError:
        reject(path, row, None, "is nested too deeply to be result data")
    except ValueError as error:
        reason = str(error)
        if isinstance(error, json.JSONDecodeError):
            reason = f"{error.msg} (line {error.lineno}, column {error.colno})"
        reject(path, row, None, f"is not valid JSON: {reason}")


def _name_type(value: Any) -> str:
    """Say what kind of JSON value this is."""
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)


def need(source: Source, number: int, row: Mapping[str, Any], field: str, *kinds: type) -> Any:
    """Return a field of a row. Raises JudgescaleError where it is missing or of none of these types."""
    if field not in row:
        have = ", ".join(map(str, list(row)[:8]))
        reject(source, number, field, f"is missing; the record has: {have or 'nothing'}")
    value = row[field]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(dict.fromkeys(_name_type(kind()) for kind in kinds))
        reject(source, number, field, f"is {_name_type(value)}, expected {expected}")
    return value


def to_number(value: Any) -> float | None:
    """Return a JSON number as a float (an integer too large for one as infinity), None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def hash_texts(*texts: str) -> str:
    """Return a short key that is equal for equal texts and gives none of them away."""
    return "q-" + hashlib.sha256("\x1f".join(texts).encode(errors="surrogatepass")).hexdigest()[:16]


def shorten_names(sources: Sequence[Source]) -> list[str]:
    """Return the files' names as they go into a set: relative to the folder they share, never the path before it."""
    folders = [source.path.resolve().parent.parts for source in sources]
    shared = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared += 1
    return [Path(*source.path.resolve().parts[shared:]).as_posix() for source in sources]
