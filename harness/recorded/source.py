"""Opening other people's files, and the one line that says where in them something is wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from harness.types import JudgescaleError, Record


@dataclass(frozen=True)
class Source:
    """One opened file: `rows` are its records with their numbers (a line of JSONL, an element of an array)."""

    path: Path
    rows: tuple[tuple[int, Any], ...]
    sha256: str  # of the uncompressed content, so that a re-compressed copy is recognised
    document: bool = False  # the whole file is one JSON object (then it is also the only row)

    @property
    def stem(self) -> str:
        """The file's name without .gz and its extension."""
        name = self.path.name.removesuffix(".gz")
        return name.removesuffix(".jsonl").removesuffix(".json")

    def objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, row in self.rows:
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
    path = source.path if isinstance(source, Source) else source
    place = f", row {row}" if row is not None else ""
    raise JudgescaleError(f"{path}{place}{f', field {field}' if field else ''}: {message}")


def open_source(path: Path) -> Source:
    """Read a plain or gzipped file of JSON: an array, an object, one object a line, or objects one after another."""
    if not path.exists():
        wrong(path, None, None, "does not exist")
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            wrong(path, None, None, f"the gzip data is damaged ({error}); fetch the file again")
    elif path.suffix == ".gz":
        wrong(path, None, None, "ends in .gz but is not gzip data; rename it or fetch it again")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong(path, None, None, f"is not UTF-8 text (byte {error.start}); expected JSON or JSON Lines")
    if not text.strip():
        wrong(path, None, None, "is empty")
    rows, document = _parse(path, text)
    if not rows:
        wrong(path, None, None, "holds no records")
    return Source(path, rows, hashlib.sha256(data).hexdigest(), document)


def _parse(path: Path, text: str) -> tuple[tuple[tuple[int, Any], ...], bool]:
    if text.lstrip().startswith("["):
        return tuple(enumerate(_json(path, None, text), 1)), False
    lines = text.splitlines() if "\r" in text else text.split("\n")  # U+2028 may stand inside a JSON string
    first = next(line for line in lines if line.strip())
    try:
        json.loads(first)
    except RecursionError:
        wrong(path, 1, None, "is nested too deeply to be result data")
    except ValueError:
        # not one record a line: an indented object, or several one after another
        return _stream(path, text)
    rows = tuple((n, _json(path, n, line)) for n, line in enumerate(lines, 1) if line.strip())
    return rows, len(rows) == 1


def _json(path: Path, row: int | None, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        wrong(path, row, None, "is nested too deeply to be result data")
    except ValueError as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        wrong(path, row, None, f"is not valid JSON: {reason}{place}")


def _stream(path: Path, text: str) -> tuple[tuple[tuple[int, Any], ...], bool]:
    decoder = json.JSONDecoder()
    rows: list[tuple[int, Any]] = []
    at = len(text) - len(text.lstrip())
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            wrong(
                path, len(rows) + 1, None, f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
            )
        rows.append((len(rows) + 1, value))
        while at < len(text) and text[at].isspace():
            at += 1
    return tuple(rows), len(rows) == 1


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
