"""Opening other people's files, and the one line that says where in them something is wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn, cast

from judgescale.harness.types import JudgescaleError, Record


@dataclass(frozen=True)
class Source:
    """One opened file: `rows` are its records with their numbers (a line of JSONL, an element of an array)."""

    path: Path
    rows: tuple[tuple[int, Any], ...]
    sha256: str  # of the uncompressed content, so that a re-compressed copy is recognised
    title: str = ""  # what errors call it, where it is no file

    def __str__(self) -> str:
        return self.title or str(self.path)

    @property
    def stem(self) -> str:
        """The file's name without .gz and its extension."""
        name = self.path.name.removesuffix(".gz")
        return name.removesuffix(".jsonl").removesuffix(".json")

    @property
    def document(self) -> bool:
        """Whether it is a single record."""
        return len(self.rows) == 1

    def objects(self, rows: Iterable[tuple[int, Any]] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows, or those given, of which each must be an object."""
        for number, row in self.rows if rows is None else rows:
            if not isinstance(row, dict):
                wrong(self, number, None, f"is {_spoken(row)}, not a JSON object")
            yield number, row

    def first(self) -> Mapping[str, Any]:
        """The first record, for telling formats apart; empty when it is no object."""
        row = self.rows[0][1]
        return row if isinstance(row, dict) else {}


class Row(NamedTuple):
    """A record and where it was read."""

    record: Record
    source: Source
    number: int
    said: Any = None  # the verdict as it stands in the file, to be named where it cannot be read


@dataclass(frozen=True)
class Imported:
    """What an importer hands back; `meta` holds what it knows about the set beyond what can be counted."""

    rows: Iterator[Row]
    tasks: tuple[str, ...]
    pool: bool = False
    notes: tuple[str, ...] = ()
    unused: tuple[Source, ...] = ()  # files given from which nothing was taken


def wrong(source: Source | Path, row: int | None, field: str | None, message: str) -> NoReturn:
    place = f", row {row}" if row is not None else ""
    raise JudgescaleError(f"{source}{place}{f', field {field}' if field else ''}: {message}")


def open_source(path: Path) -> Source:
    """Read a plain or gzipped file of JSON: an array, an object, one object a line, or objects one after another."""
    source, rows = opened(path)
    return replace(source, rows=tuple(rows))


def opened(path: Path) -> tuple[Source, Iterator[tuple[int, Any]]]:
    """The same without its rows, and its rows as they are read: where each is a line, one is in memory at a time."""
    if not path.exists():
        wrong(path, None, None, "does not exist")
    source = Source(path, (), sha256(path))
    first = next((line for _, line in _lines(path)), None)
    if first is None:
        wrong(path, None, None, "is empty")
    return source, _by_line(path) if _is_record(first) else _values(path)


def sha256(path: Path) -> str:
    """Of the uncompressed content."""
    try:
        with _content(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        wrong(path, None, None, f"the gzip data is damaged ({error}); fetch the file again")


def _content(path: Path) -> BinaryIO:
    """The file's bytes, uncompressed."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    if path.suffix == ".gz" and not zipped:
        wrong(path, None, None, "ends in .gz but is not gzip data; rename it or fetch it again")
    return cast(BinaryIO, gzip.open(path)) if zipped else path.open("rb")


def _decoded(path: Path, data: bytes, at: int = 0) -> str:
    try:
        return data.decode("utf-8" if at else "utf-8-sig")
    except UnicodeDecodeError as error:
        wrong(path, None, None, f"is not UTF-8 text (byte {at + error.start}); expected JSON or JSON Lines")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers; U+2028, which may stand inside a JSON string, ends none."""
    at = 0
    with _content(path) as file:
        for number, line in enumerate(file, 1):
            if (text := _decoded(path, line, at)).strip():
                yield number, text
            at += len(line)


def _is_record(line: str) -> bool:
    """Whether a file's first line is a record of its own, not the start of an array or of an object of many lines."""
    if line.lstrip().startswith("["):
        return False
    try:
        json.loads(line)
    except RecursionError:
        return True  # said when its row is read
    except ValueError:
        return False
    return True


def _by_line(path: Path) -> Iterator[tuple[int, Any]]:
    return ((number, _json(path, number, line)) for number, line in _lines(path))


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    """The elements of an array, or values one after another."""
    with _content(path) as file:
        text = _decoded(path, file.read())
    at = _skipped(text, 0)
    if text[at] == "[":
        if not (rows := _json(path, None, text)):
            wrong(path, None, None, "holds no records")
        yield from enumerate(rows, 1)
        return
    decoder, number = json.JSONDecoder(), 0
    while at < len(text):
        number += 1
        value, at = _json(path, number, text, partial(decoder.raw_decode, idx=at))
        yield number, value
        at = _skipped(text, at)


def _skipped(text: str, at: int) -> int:
    """The place of the next character that is no space."""
    return next((i for i in range(at, len(text)) if not text[i].isspace()), len(text))


def _json(path: Path, row: int | None, text: str, load: Callable[[str], Any] = json.loads) -> Any:
    try:
        return load(text)
    except RecursionError:
        wrong(path, row, None, "is nested too deeply to be result data")
    except ValueError as error:
        reason = str(error)
        if isinstance(error, json.JSONDecodeError):
            reason = f"{error.msg} (line {error.lineno}, column {error.colno})"
        wrong(path, row, None, f"is not valid JSON: {reason}")


def _spoken(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)


def need(source: Source, number: int, row: Mapping[str, Any], field: str, *kinds: type) -> Any:
    """A field that must be there, of one of these types."""
    if field not in row:
        have = ", ".join(map(str, list(row)[:8]))
        wrong(source, number, field, f"is missing; the record has: {have or 'nothing'}")
    value = row[field]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(dict.fromkeys(_spoken(kind()) for kind in kinds))
        wrong(source, number, field, f"is {_spoken(value)}, expected {expected}")
    return value


def as_number(value: Any) -> float | None:
    """A JSON number as a float (an integer too large for one is infinite), None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def text_key(*texts: str) -> str:
    """A short key that is equal for equal texts and gives none of them away."""
    return "q-" + hashlib.sha256("\x1f".join(texts).encode(errors="surrogatepass")).hexdigest()[:16]


def common_names(sources: Sequence[Source]) -> list[str]:
    """The files' names as they go into a set: relative to the folder they share, never the path before it."""
    folders = [source.path.resolve().parent.parts for source in sources]
    shared = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared += 1
    return [Path(*source.path.resolve().parts[shared:]).as_posix() for source in sources]
