"""Every answer ever bought, in one SQLite file, keyed by exactly what was asked: reuse, resume, re-parse.

A question is a rendered request put to one model with one set of settings (model, revision, engine options, sampling,
seed); its answers are numbered by rank. Answers are raw: what a judge's parser makes of them is not stored, so a
better parser costs nothing. WAL mode: a killed process loses what was in flight and nothing else, and several
processes may write.

    python -m harness.store show   STORE
    python -m harness.store export STORE FILE.parquet
    python -m harness.store import FILE.parquet STORE
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from judgescale.harness.types import JudgescaleError, Output, Request

APPLICATION = 0x6A647363  # "jdsc", in the file's header
VERSION = 1

ASKED = tuple(f.name for f in dataclasses.fields(Request))
FIELDS = tuple(f.name for f in dataclasses.fields(Output) if f.name != "error")  # a failed answer is not kept

SCHEMA = f"""
CREATE TABLE model (id INTEGER PRIMARY KEY, settings TEXT NOT NULL UNIQUE);
CREATE TABLE question (key BLOB PRIMARY KEY, model INTEGER NOT NULL, request TEXT NOT NULL);
CREATE TABLE answer (
    key BLOB NOT NULL, rank INTEGER NOT NULL, {", ".join(FIELDS)}, digest INTEGER NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (key, rank)
);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""

ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
FIND = f"SELECT rank, digest, {', '.join(FIELDS)} FROM answer WHERE key = ?"
KEEP = (
    f"INSERT OR IGNORE INTO answer (key, rank, {', '.join(FIELDS)}, digest)"
    f" VALUES ({', '.join('?' * (len(FIELDS) + 3))})"
)


class Question(NamedTuple):
    """A request to a model with settings, as the store knows it."""

    settings: str  # canonical JSON
    request: str  # canonical JSON
    digest: bytes  # SHA-256 of the request
    key: bytes  # 16 bytes of SHA-256 over both

    @classmethod
    def of(cls, settings: str, request: Request) -> Question:
        return cls.read(settings, _text(canonical({name: getattr(request, name) for name in ASKED})))

    @classmethod
    def read(cls, settings: str, request: str) -> Question:
        """The question with these texts."""
        digest = hashlib.sha256(request.encode()).digest()
        return cls(settings, request, digest, hashlib.sha256(settings.encode() + digest).digest()[:16])


def canonical(settings: Mapping[str, Any]) -> str:
    """JSON of which equal settings have one form only."""
    return ENCODER.encode(settings)


def _text(value: str) -> str:
    """Text as SQLite takes it: a lone surrogate (half a character) becomes its JSON escape."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


@dataclass
class Store:
    """One store file; `with Store(path) as store:`.

    `keep` writes at once; the writes of one moment are committed together by `flush`, which the caller owes soon.
    """

    path: Path
    readonly: bool = False
    owing: bool = False  # a flush is on its way
    _db: sqlite3.Connection = field(init=False, repr=False)
    _known: set[bytes] = field(default_factory=set, repr=False)  # questions that this process wrote
    _models: dict[str, int] = field(default_factory=dict, repr=False)

    def __enter__(self) -> Store:
        with self._damage():
            if self.readonly and not self.path.exists():
                self._db = sqlite3.connect(":memory:", isolation_level=None)
                self._db.executescript(SCHEMA)
                return self
            if not self.readonly:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            mode = "ro" if self.readonly else "rwc"
            place = self.path.absolute().as_uri()
            self._db = sqlite3.connect(f"{place}?mode={mode}", uri=True, timeout=60, isolation_level=None)
            self._open()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            with self._damage():
                self.flush()
        finally:
            self._db.close()

    def _open(self) -> None:
        """Create the tables of a new file; refuse a file of another kind, of a newer version, or a damaged one."""
        db = self._db
        tables = "SELECT count(*) FROM sqlite_master"
        # SQLite takes a short text for an empty file, and would write over it.
        if not self.readonly and not (self.path.stat().st_size and not db.execute(tables).fetchone()[0]):
            db.execute("BEGIN IMMEDIATE")
            if not db.execute(tables).fetchone()[0]:
                for statement in SCHEMA.strip().split(";\n"):
                    db.execute(statement)
            db.execute("COMMIT")
        kind, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if kind != APPLICATION:
            raise JudgescaleError(f"{self.path} is no store of judgescale; name another file with run.store=FILE")
        if version > VERSION:
            raise JudgescaleError(
                f"{self.path} was written by a newer judgescale (version {version}); install that one"
            )
        if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise self._damaged(found)
        if not self.readonly:  # not before it is known to be ours: this writes to the file
            self._log_ahead()
            # safe against a killed process; a power cut may lose the last moment
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 10000")  # pages: a checkpoint waits for the disk

    def _log_ahead(self) -> None:
        """WAL mode; SQLite itself does not wait for others who are just opening a new file."""
        for attempts_left in reversed(range(200)):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if not attempts_left:
                    raise
                time.sleep(0.05)

    def find(self, question: Question) -> dict[int, Output]:
        """rank -> answer, of all that were bought."""
        with self._damage():
            rows = self._db.execute(FIND, (question.key,)).fetchall()
        return {rank: self._checked(question.key, rank, digest, values) for rank, digest, *values in rows}

    def keep(self, question: Question, rank: int, output: Output) -> Output:
        """Write an answer; the one that holds from now on, which is another process's where that came first."""
        given = [getattr(output, name) for name in FIELDS]
        values = [None if value is None else _plain(value) for value in given]
        with self._damage():
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            if question.key not in self._known:
                self._write_question(question)
            done = self._db.execute(KEEP, (question.key, rank, *values, row_digest([question.key, rank, *values])))
        if not done.rowcount:
            return self.find(question)[rank]
        return output if all(a is b for a, b in zip(given, values)) else _output(values)

    def flush(self) -> None:
        """Commit what was kept. Raises JudgescaleError where that fails, and then none of it is in the store."""
        self.owing = False
        if self._db.in_transaction:
            try:
                with self._damage():
                    self._db.execute("COMMIT")
            except JudgescaleError:
                self.undo()
                raise

    def wrote(self, question: Question) -> bool:
        """Whether this process kept an answer to the question."""
        return question.key in self._known

    def text(self, key: bytes, rank: int) -> str | None:
        """What a model wrote, thoughts that came apart from it first; None where it wrote nothing."""
        with self._damage():
            found = self._db.execute("SELECT text, reasoning FROM answer WHERE key = ? AND rank = ?", (key, rank))
            text, reasoning = found.fetchone() or (None, None)
        return f"<think>{reasoning}</think>{text or ''}" if reasoning else text

    def _write_question(self, question: Question) -> None:
        if question.settings not in self._models:
            self._db.execute("INSERT OR IGNORE INTO model (settings) VALUES (?)", (question.settings,))
            found = self._db.execute("SELECT id FROM model WHERE settings = ?", (question.settings,)).fetchone()
            self._models[question.settings] = found[0]
        self._db.execute(
            "INSERT OR IGNORE INTO question (key, model, request) VALUES (?, ?, ?)",
            (question.key, self._models[question.settings], question.request),
        )
        self._known.add(question.key)

    def undo(self) -> None:
        """Take back what was kept since the last flush."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._known.clear()
        self._models.clear()

    def size(self) -> int:
        """How many answers it holds."""
        with self._damage():
            return int(self._db.execute("SELECT count(*) FROM answer").fetchone()[0])

    def summary(self) -> list[tuple[Any, ...]]:
        """(settings, questions, answers, prompt tokens paid, completion tokens) for every model and its settings."""
        with self._damage():
            return self._db.execute(
                "SELECT settings, count(DISTINCT question.key), count(*), sum(iif(shared, 0, prompt_tokens)),"
                " sum(completion_tokens)"
                " FROM answer JOIN question USING (key) JOIN model ON model.id = question.model"
                " GROUP BY settings ORDER BY settings"
            ).fetchall()

    def averages(self, settings: str) -> tuple[float, float] | None:
        """Prompt tokens a character of the request and completion tokens an answer, over what was bought so far."""
        with self._damage():
            found = self._db.execute(
                "SELECT sum(prompt_tokens) * 1.0 / sum(length(request)), avg(completion_tokens) FROM answer"
                " JOIN question USING (key) JOIN model ON model.id = question.model"
                " WHERE settings = ? AND prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL",
                (settings,),
            ).fetchone()
        return None if found[0] is None else (float(found[0]), float(found[1]))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every answer with what was asked, checked, in the order of key and rank: what `export` writes."""
        with self._damage():
            found = self._db.execute(
                f"SELECT rank, digest, settings, request, key, created, {', '.join(FIELDS)} FROM answer"
                " JOIN question USING (key) JOIN model ON model.id = question.model"
                " ORDER BY key, rank"
            )
            for rank, digest, settings, request, key, created, *values in found:
                self._checked(key, rank, digest, values)
                row = {"settings": settings, "request": request, "key": key, "rank": rank, "created": created}
                fields = dict(zip(FIELDS, values, strict=True))
                yield row | fields | {"digest": digest, "shared": bool(fields["shared"])}

    def _checked(self, key: bytes, rank: int, digest: int, values: list[Any]) -> Output:
        if row_digest([key, rank, *values]) != digest:
            raise self._damaged(f"answer {rank} of question {key.hex()} is not what was written")
        return _output(values)

    def _damaged(self, reason: str) -> JudgescaleError:
        return JudgescaleError(
            f"store {self.path} is damaged ({' '.join(reason.split())}); nothing was changed in it. Move it away, or"
            f" name another file with run.store=FILE; `sqlite3 {self.path.name} .recover` may save what is left"
        )

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise JudgescaleError(
                f"store {self.path}: {error}; check the folder and the disk, or name run.store=FILE"
            ) from None
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from None


def _output(values: Sequence[Any]) -> Output:
    """The answer in the fields of a row."""
    given = dict(zip(FIELDS, values, strict=True))
    given["shared"] = bool(given["shared"])
    given["logprobs"] = None if given["logprobs"] is None else json.loads(given["logprobs"])
    return Output(**given)


def _plain(value: Any) -> Any:
    """A field of an answer as SQLite keeps it."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return canonical({str(k): float(v) for k, v in value.items()})
    return int(value) if -(2**63) <= value < 2**63 else None  # as much as SQLite counts


def row_digest(values: Sequence[Any]) -> int:
    """Tells a row that something else than this module changed, which SQLite's own checks cannot."""
    return zlib.crc32(repr([int(v) if isinstance(v, bool) else v for v in values]).encode("utf-8", "surrogatepass"))
