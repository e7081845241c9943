"""Items with their texts out of a benchmark's rows: of local files (JSON, JSON Lines, Parquet; gzipped) or the Hub.

What is wrong in one is a JudgescaleError that names the file or data set, the row (from 1) and the field.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

from judgescale.harness.recorded.source import Source, need, opened, sha256, text_key, wrong
from judgescale.harness.types import Item, JudgescaleError, Loaded
from judgescale.tasks.hub import Hub, hub

ROLES = ("system", "user", "assistant")
SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".parquet")
BATCH = 256  # rows of a Parquet file in memory at once

Turns = tuple[tuple[str, str], ...]  # (role, content)
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A row of a file, or an object within one: then `within` is where, and its fields are called `within`.field."""

    source: Source
    number: int
    fields: Mapping[str, Any]
    within: str = ""

    def wrong(self, field: str, message: str) -> NoReturn:
        wrong(self.source, self.number, self.within + field, message)

    def get(self, field: str, *kinds: type) -> Any:
        name = self.within + field
        fields = {self.within + key: value for key, value in self.fields.items()} if self.within else self.fields
        return need(self.source, self.number, fields, name, *kinds)

    def text(self, field: str, empty: bool = False) -> str:
        """A field that is text; `empty` where the benchmark's own files hold empty ones."""
        value: str = self.get(field, str)
        if not empty and not value.strip():
            self.wrong(field, "is empty")
        try:
            value.encode()
        except UnicodeEncodeError:
            self.wrong(field, "holds half a character (a lone surrogate), which no model can be sent")
        return value

    def name(self, field: str) -> str:
        """A field that is text or a whole number, as text."""
        return str(value) if isinstance(value := self.get(field, str, int), int) else self.text(field)

    def inner(self, field: str) -> Row:
        return Row(self.source, self.number, self.get(field, dict), f"{self.within}{field}.")

    def elements(self, field: str) -> list[tuple[Row, str]]:
        """The elements of a list, each as a field of its own: "responses[0]", …"""
        names = ((f"{field}[{i}]", value) for i, value in enumerate(self.get(field, list)))
        return [(Row(self.source, self.number, {name: value}, self.within), name) for name, value in names]

    def texts(self, field: str) -> list[str]:
        """A list of at least one text, or one text alone."""
        if isinstance(self.get(field, str, list), str):
            return [self.text(field)]
        texts = [element.text(name) for element, name in self.elements(field)]
        if not texts:
            self.wrong(field, "is an empty list")
        return texts

    def turns(self, field: str, empty: bool = False) -> Turns:
        """A conversation ending with the user's turn: a list of {"role", "content"}, or the user's text alone."""
        if isinstance(self.get(field, str, list), str):
            return (("user", self.text(field, empty)),)
        said = []
        for row, name in self.elements(field):
            message = row.inner(name)
            if (role := message.text("role")) not in ROLES:
                message.wrong("role", f"{role!r} is none of {', '.join(ROLES)}")
            said.append((role, message.text("content", empty)))
        if not said or said[-1][0] != "user":
            self.wrong(field, "does not end with the user's turn")
        return tuple(said)


class Placed(NamedTuple):
    """An item and the row it was read from."""

    item: Item
    row: Row


@dataclass(frozen=True)
class Data:
    """What a benchmark's reader reads: a file or folder of this machine, or data sets of the Hub.

    `used` fills while rows are read: the files, and the SHA-256 of what is in each. A reader may add to `notes`: one
    line each, what must be known about the items; and to `partial`: sections whose rows are not the owners' in number.
    """

    path: Path | None
    hub: Hub | None = None
    used: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    partial: set[str] = field(default_factory=set)

    @property
    def shown(self) -> str:
        return f"task.path={self.path}" if self.hub is None else f"task.hub.id={'+'.join(self.hub.id)}"

    def rows(self, pattern: str = "**/*") -> Iterator[Row]:
        """Every row; of a folder, those of the data files that fit the pattern, by name."""
        if self.hub is None:
            for file in self.files(pattern):
                yield from self.of(file)
            return
        for part in self.hub.parts():
            source, count = Source(Path(part.shown), (), "", f"data set {part.shown}"), 0
            for count, fields in enumerate(self.hub.rows(part), 1):
                yield Row(source, count, fields)
            if not count:
                wrong(source, None, None, "holds no rows")

    def files(self, pattern: str) -> list[Path]:
        """The file itself, or the folder's data files of that pattern, by name; JudgescaleError without any."""
        if self.path is None:
            raise JudgescaleError("task.path: these files are not on the Hub; give a local copy with task.path=FOLDER")
        if self.path.is_file():
            return [self.path]
        found = sorted(p for p in self.path.glob(pattern) if p.is_file() and p.name.endswith(SUFFIXES))
        if not found:
            raise JudgescaleError(f"{self.shown}: no data file {pattern} in this folder ({', '.join(SUFFIXES)})")
        return found

    def of(self, file: Path) -> Iterator[Row]:
        """The rows of one file."""
        if file.suffix == ".parquet":
            yield from _parquet(file)
            self.used[file] = sha256(file)
            return
        source, rows = opened(file)
        self.used[file] = source.sha256
        for number, fields in source.objects(rows):
            yield Row(source, number, fields)

    def origin(self) -> Mapping[str, Any]:
        """What is needed to get the same rows again; no place of this machine."""
        if self.hub is not None:
            return self.hub.origin()
        root = self.path if self.path and self.path.is_dir() else None
        return {"files": {(p.relative_to(root).as_posix() if root else p.name): sha for p, sha in self.used.items()}}


Read = Callable[[Data], Iterable[Placed]]


def reader(read: Read, path: Any, hub_options: Any = None) -> Callable[[], Loaded] | None:
    """A task's `read` for its options `path` and `hub`: None without both; the path wins over the Hub."""
    if path is None:
        return None if (found := hub(hub_options)) is None else partial(_distinct, read, None, found)
    if not isinstance(path, str) or not path.strip():
        raise JudgescaleError(f"task.path={path}: must be the path of a file or folder")
    return partial(_distinct, read, Path(os.path.expanduser(path)))


def _distinct(read: Read, path: Path | None, hub: Hub | None = None) -> Loaded:
    data = Data(path, hub)
    if path is not None and not path.exists():
        raise JudgescaleError(f"{data.shown}: there is no such file or folder")
    items: dict[str, Item] = {}
    places: dict[str, str] = {}
    for item, row in read(data):
        if items.setdefault(item.id, item) is not item:
            wrong(row.source, row.number, None, f"item {item.id} is there already: {places[item.id]}")
        places[item.id] = f"{row.source}, row {row.number}"
    if not items:
        raise JudgescaleError(f"{data.shown}: there is no item in it")
    return Loaded(list(items.values()), data.origin(), tuple(data.notes), frozenset(data.partial))


def _parquet(path: Path) -> Iterator[Row]:
    """A batch of rows in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source, number = Source(path, (), ""), 0
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(BATCH, use_threads=False):
                for fields in batch.to_pylist():
                    number += 1
                    yield Row(source, number, fields)
    except (pa.ArrowException, OSError) as error:
        wrong(path, None, None, f"is not a Parquet file ({str(error).splitlines()[0]}); fetch it again")
    if not number:
        wrong(path, None, None, "holds no records")


def question_key(conversation: Any) -> str:
    """What items about one conversation share; of the conversation as it was read."""
    return text_key(json.dumps(conversation, sort_keys=True, default=str))


def unranked(name: str, responses: Sequence[T]) -> list[T]:
    """In an order drawn by the item's name: where a file puts the right response first, places must not tell."""
    return [responses[i] for i in sorted(range(len(responses)), key=lambda i: text_key(name, str(i)))]
