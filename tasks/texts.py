"""Read a benchmark's items with their texts: local files (JSON, JSON Lines, Parquet; gzipped or not) or the Hub.

Whatever is wrong with the data is a JudgescaleError that names the file or data set, the row (from 1) and the field.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

from judgescale.harness.errors import advise_local_copy
from judgescale.harness.recorded.source import Source, SourceRow, hash_content, hash_texts, need, open_rows, reject
from judgescale.harness.types import Item, JudgescaleError, Loaded
from judgescale.tasks.hub import Hub, read_hub_options

ROLES = ("system", "user", "assistant")
SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".parquet")
BATCH = 256  # rows of a Parquet file in memory at once

Turns = tuple[tuple[str, str], ...]  # (role, content)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RawRow(SourceRow):
    """Hold one row of the raw data, or an object inside a row: then `within` is the path to it, ending in a dot.

    Every `get_…` returns a checked field. Raises JudgescaleError where the field is missing or of another type.
    """

    within: str = ""

    def reject(self, field: str | None, message: str) -> NoReturn:
        """Raise JudgescaleError that says what is wrong with a field, and where it is."""
        reject(self.source, self.number, self.within + field if field else None, message)

    def need(self, field: str, *kinds: type) -> Any:
        """Return a field. Raises JudgescaleError where it is missing or of none of these types."""
        name = self.within + field
        fields = {self.within + key: value for key, value in self.fields.items()} if self.within else self.fields
        return need(self.source, self.number, fields, name, *kinds)

    def get_text(self, field: str, empty: bool = False) -> str:
        """Return a text. `empty` allows an empty one, where the benchmark's own files hold such texts."""
        value: str = self.need(field, str)
        if not empty and not value.strip():
            self.reject(field, "is empty")
        try:
            value.encode()
        except UnicodeEncodeError:
            self.reject(field, "holds half a character (a lone surrogate), which no model can be sent")
        return value

    def get_name(self, field: str) -> str:
        """Return a text or a whole number, as text."""
        return str(value) if isinstance(value := self.need(field, str, int), int) else self.get_text(field)

    def get_object(self, field: str) -> RawRow:
        """Return an object inside the row as a row of its own, whose fields errors call `field`.name."""
        return RawRow(self.source, self.number, self.need(field, dict), f"{self.within}{field}.")

    def get_elements(self, field: str) -> list[tuple[RawRow, str]]:
        """Return the elements of a list, each as a row with one field that is called "responses[0]" or the like."""
        names = ((f"{field}[{i}]", value) for i, value in enumerate(self.need(field, list)))
        return [(RawRow(self.source, self.number, {name: value}, self.within), name) for name, value in names]

    def get_texts(self, field: str) -> list[str]:
        """Return a list of at least one text; a text alone is a list of one."""
        if isinstance(self.need(field, str, list), str):
            return [self.get_text(field)]
        texts = [element.get_text(name) for element, name in self.get_elements(field)]
        if not texts:
            self.reject(field, "is an empty list")
        return texts

    def get_turns(self, field: str, empty: bool = False) -> Turns:
        """Return a conversation that ends with the user's turn: a list of {"role", "content"}, or the user's text."""
        if isinstance(self.need(field, str, list), str):
            return (("user", self.get_text(field, empty)),)
        turns = []
        for element, name in self.get_elements(field):
            message = element.get_object(name)
            if (role := message.get_text("role")) not in ROLES:
                message.reject("role", f"{role!r} is none of {', '.join(ROLES)}")
            turns.append((role, message.get_text("content", empty)))
        if not turns or turns[-1][0] != "user":
            self.reject(field, "does not end with the user's turn")
        return tuple(turns)


class SourcedItem(NamedTuple):
    """Hold an item together with the row it was made from."""

    item: Item
    row: RawRow


@dataclass(frozen=True)
class RawData:
    """Hold what a benchmark is read from: a local file or folder, or data sets on the Hub.

    `used` fills while rows are read: the files, and the SHA-256 of what is in each. A benchmark's `read` may add to
    `notes` (one line each: what must be known about the items) and to `partial` (sections whose rows are not the
    owners' in number). `prefix` is how the names of its two options begin: "task." for task.path and task.hub.
    """

    path: Path | None
    hub: Hub | None = None
    prefix: str = "task."
    used: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    partial: set[str] = field(default_factory=set)

    @property
    def title(self) -> str:
        """Return what errors call the data: the option that named it, with its value."""
        if self.hub is None:
            return f"{self.prefix}path={self.path}"
        return f"{self.prefix}hub.id={'+'.join(self.hub.id)}"

    def read_rows(self, pattern: str = "**/*") -> Iterator[RawRow]:
        """Yield every row; of a folder, the rows of the data files whose path fits the pattern, sorted by path."""
        if self.hub is None:
            for file in self.list_files(pattern):
                yield from self.read_file(file)
            return
        for part in self.hub.list_parts():
            source, count = Source(Path(part.title), (), "", f"data set {part.title}"), 0
            for count, fields in enumerate(self.hub.read_rows(part), 1):
                yield RawRow(source, count, fields)
            if not count:
                reject(source, None, None, "holds no rows")

    def list_files(self, pattern: str) -> list[Path]:
        """Return the file itself, or the folder's data files that fit the pattern, sorted by path.

        Raises JudgescaleError where there is none.
        """
        if self.path is None:
            raise JudgescaleError(
                f"{self.prefix}path: these files are not on the Hub; {advise_local_copy(self.prefix)}"
            )
        if self.path.is_file():
            return [self.path]
        found = sorted(p for p in self.path.glob(pattern) if p.is_file() and p.name.endswith(SUFFIXES))
        if not found:
            raise JudgescaleError(f"{self.title}: no data file {pattern} in this folder ({', '.join(SUFFIXES)})")
        return found

    def read_file(self, file: Path) -> Iterator[RawRow]:
        """Yield the rows of one file."""
        if file.suffix == ".parquet":
            yield from _read_parquet(file)
            self.used[file] = hash_content(file)
            return
        source, rows = open_rows(file)
        self.used[file] = source.sha256
        for row in source.read_objects(rows):
            yield RawRow(source, row.number, row.fields)

    def describe_origin(self) -> Mapping[str, Any]:
        """Return what is needed to get the same rows again, without any path of this machine."""
        if self.hub is not None:
            return self.hub.describe_origin()
        root = self.path if self.path and self.path.is_dir() else None
        return {"files": {(p.relative_to(root).as_posix() if root else p.name): sha for p, sha in self.used.items()}}


ReadItems = Callable[[RawData], Iterable[SourcedItem]]


def make_reader(read: ReadItems, path: Any, hub: Any = None, prefix: str = "task.") -> Callable[[], Loaded] | None:
    """Make a task's `read` out of the values of its options `path` and `hub`; the path wins over the Hub.

    Returns None where neither is given. `prefix` is how the names of the two options begin.
    """
    if path is None:
        data_sets = read_hub_options(hub, prefix)
        return None if data_sets is None else partial(_load_items, read, None, data_sets, prefix)
    if not isinstance(path, str) or not path.strip():
        raise JudgescaleError(f"{prefix}path={path}: must be the path of a file or folder")
    return partial(_load_items, read, Path(os.path.expanduser(path)), None, prefix)


def _load_items(read: ReadItems, path: Path | None, hub: Hub | None, prefix: str) -> Loaded:
    """Read every item. Raises JudgescaleError where there is none, or two of one id."""
    data = RawData(path, hub, prefix)
    if path is not None and not path.exists():
        raise JudgescaleError(f"{data.title}: there is no such file or folder")
    items: dict[str, Item] = {}
    places: dict[str, str] = {}
    for item, row in read(data):
        if items.setdefault(item.id, item) is not item:
            reject(row.source, row.number, None, f"item {item.id} is there already: {places[item.id]}")
        places[item.id] = f"{row.source}, row {row.number}"
    if not items:
        raise JudgescaleError(f"{data.title}: there is no item in it")
    return Loaded(list(items.values()), data.describe_origin(), tuple(data.notes), frozenset(data.partial))


def _read_parquet(path: Path) -> Iterator[RawRow]:
    """Yield the rows of a Parquet file, with one batch of them in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source, number = Source(path, (), ""), 0
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(BATCH, use_threads=False):
                for fields in batch.to_pylist():
                    number += 1
                    yield RawRow(source, number, fields)
    except (pa.ArrowException, OSError) as error:
        reject(path, None, None, f"is not a Parquet file ({str(error).splitlines()[0]}); fetch it again")
    if not number:
        reject(path, None, None, "holds no records")


def hash_conversation(conversation: Any) -> str:
    """Make the cluster that items about one conversation share, out of the conversation as it was read."""
    return hash_texts(json.dumps(conversation, sort_keys=True, default=str))


def shuffle_by_name(name: str, responses: Sequence[T]) -> list[T]:
    """Put responses in an order drawn by the item's name.

    Where a file lists the right response first, its place must not tell which one is right.
    """
    return [responses[i] for i in sorted(range(len(responses)), key=lambda i: hash_texts(name, str(i)))]
