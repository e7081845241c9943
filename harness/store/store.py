"""Every answer ever bought, in one SQLite file, keyed by exactly what was asked: reuse, resume, re-parse.

A question is a rendered request put to one model with one set of settings (model, revision, engine options, sampling,
seed); its answers are numbered by rank. Answers are raw: what a judge's parser makes of them is not stored, so a
better parser costs nothing. WAL mode: a killed process loses what was in flight and nothing else, and several
processes may write.

    judgescale store show   STORE
    judgescale store export STORE FILE.parquet
    judgescale store import FILE.parquet STORE
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import operator
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from judgescale.harness.types import JudgescaleError, Output, Request

APPLICATION = 0x6A647363  # "jdsc", in the file's header
VERSION = 2  # 1 had no NEW_FIELDS; whoever writes to such a file adds them
NOT_WRITABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)

OLD_NAMES = {"thinking_tokens": "thinking_budget"}  # of options, in settings that earlier versions wrote

ASKED = tuple(f.name for f in dataclasses.fields(Request))
# What a request came to say later is left out where it says nothing, so that what was asked before has the same key.
ASKED_LATER = {f.name: f.default for f in dataclasses.fields(Request) if f.name in ("marks", "good_label")}
FIELDS = tuple(name for name in Output._fields if name != "error")  # a failed answer is not kept
READ_FIELDS = operator.attrgetter(*FIELDS)
NEW_FIELDS = ("steps",)  # the last of them

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

UNSAID = object()  # equal to nothing that a request says
ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
ADD_ANSWER = (
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
    def from_request(cls, settings: str, request: Request) -> Question:
        """Make the question of a request put to a model with these settings (canonical JSON)."""
        asked = {name: getattr(request, name) for name in ASKED}
        said = {name: value for name, value in asked.items() if value != ASKED_LATER.get(name, UNSAID)}
        return cls.from_json(settings, _escape_surrogates(encode_canonical(said)))

    @classmethod
    def from_json(cls, settings: str, request: str) -> Question:
        """Make the question of two texts that are canonical JSON already."""
        digest = hashlib.sha256(request.encode()).digest()
        return cls(settings, request, digest, hashlib.sha256(settings.encode() + digest).digest()[:16])


def encode_canonical(settings: Mapping[str, Any] | Sequence[float]) -> str:
    """Encode as JSON such that equal settings give equal text: sorted keys, no spaces."""
    return ENCODER.encode(settings)


def _spell_alike(settings: str) -> str:
    """Spell canonical JSON with every whole number as an integer, and options by the names that they have now."""
    return encode_canonical(name_as_now(json.loads(settings, parse_float=lambda text: _to_integer(float(text)))))


def name_as_now(settings: Any) -> Any:
    """Name the options in settings as they are called now; what holds no sampling is returned as it is."""
    sampling = settings.get("sampling") if isinstance(settings, Mapping) else None
    if not isinstance(sampling, Mapping) or OLD_NAMES.keys().isdisjoint(sampling):
        return settings
    return {**settings, "sampling": {OLD_NAMES.get(name, name): value for name, value in sampling.items()}}


def _to_integer(number: float) -> float:
    return int(number) if number.is_integer() else number


def _escape_surrogates(value: str) -> str:
    """Return text as SQLite takes it: a lone surrogate (half a character) becomes its JSON escape."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


@dataclass
class Store:
    """One store file; `with Store(path) as store:`.

    `add_answers` writes at once; the writes of one moment are committed together by `flush`, which the caller must see
    to soon. Every method raises JudgescaleError, in one line, where the file is damaged or cannot be read or written.
    """

    path: Path
    readonly: bool = False
    committed: int = 0  # answers that this process added and that are in the file
    _added: int = field(default=0, repr=False)  # since the last flush
    _file: tuple[int, int] = field(default=(0, 0), repr=False)  # device and number of the file that was opened
    _db: sqlite3.Connection = field(init=False, repr=False)
    _folder: sqlite3.Connection | None = field(default=None, repr=False)  # of a store that is written to
    _folding: threading.Lock = field(default_factory=threading.Lock, repr=False)  # held while the folder is at work
    _columns: str = field(default=", ".join(FIELDS), repr=False)  # how the fields of an answer are selected
    _known: set[bytes] = field(default_factory=set, repr=False)  # questions that this process wrote
    _models: dict[str, int] = field(default_factory=dict, repr=False)

    def __enter__(self) -> Store:
        """Open the file; create it unless read-only, for which a missing file is an empty store."""
        with self._translate_errors():
            if self.readonly and not self.path.exists():
                self._db = sqlite3.connect(":memory:", isolation_level=None)
                self._db.executescript(SCHEMA)
                return self
            if not self.readonly:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open_file("mode=ro" if self.readonly else "mode=rwc")
            try:
                self._prepare_file()
            except sqlite3.OperationalError as error:
                if not self.readonly or error.sqlite_errorcode & 0xFF not in NOT_WRITABLE:
                    raise
                self._open_unwritable()
            self._file = self._identify_file()
            if not self.readonly:  # opened here and now: a file that takes this one's place meanwhile is not ours
                self._open_folder()
            missing = self._list_missing_columns()
            self._columns = ", ".join(f"NULL AS {name}" if name in missing else name for name in FIELDS)
        return self

    def _open_folder(self) -> None:
        self._folder = self._connect("mode=rw", check_same_thread=False)
        self._folder.execute("SELECT count(*) FROM sqlite_master").fetchall()  # which opens the log too

    def _close_folder(self) -> None:
        with self._folding:
            if self._folder is not None:
                self._folder.close()
            self._folder = None

    def _open_file(self, how: str) -> None:
        self._db = self._connect(how)

    def _connect(self, how: str, **options: Any) -> sqlite3.Connection:
        place = self.path.absolute().as_uri()
        return sqlite3.connect(f"{place}?{how}", uri=True, timeout=60, isolation_level=None, **options)

    def _open_unwritable(self) -> None:
        """Open a file where SQLite cannot put its index of the log beside it: as one that nobody changes meanwhile."""
        log = self.path.with_name(f"{self.path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise JudgescaleError(
                f"store {self.path}: its last answers are in {log.name}, which cannot be read where the folder is"
                " read-only: copy both files to another folder, and name the copy"
            )
        self._db.close()
        self._open_file("immutable=1")
        self._prepare_file()

    def _identify_file(self) -> tuple[int, int]:
        """Return what tells the file at the path from another one; (0, 0) where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return 0, 0
        return found.st_dev, found.st_ino

    def __exit__(self, *exc: object) -> None:
        """Flush and close."""
        try:
            with self._translate_errors():
                self.flush()
        finally:
            self._close_folder()
            self._db.close()

    def _prepare_file(self) -> None:
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
            raise self._describe_damage(found)
        if not self.readonly:  # not before it is known to be ours: this writes to the file
            self._enable_wal()
            if version < VERSION:
                self._add_new_columns()
            # safe against a killed process; a power cut may lose the last moment
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 10000")  # pages: a checkpoint waits for the disk

    def _add_new_columns(self) -> None:
        """Make a file of version 1 one of this version; another process may have done so meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        for name in self._list_missing_columns():
            self._db.execute(f"ALTER TABLE answer ADD COLUMN {name}")
        self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.execute("COMMIT")

    def _list_missing_columns(self) -> list[str]:
        """List the fields that the answers of an older file have no column for."""
        there = {name for _, name, *_ in self._db.execute("PRAGMA table_info(answer)")}
        return [name for name in NEW_FIELDS if name not in there]

    def _enable_wal(self) -> None:
        """Turn on write-ahead logging; SQLite itself does not wait for others who are just opening a new file."""
        for attempts_left in reversed(range(200)):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if not attempts_left:
                    raise
                time.sleep(0.05)

    def find_answers(self, question: Question) -> dict[int, Output]:
        """Return all answers to a question that were bought, by rank."""
        with self._translate_errors():
            found = f"SELECT rank, digest, {self._columns} FROM answer WHERE key = ?"
            rows = self._db.execute(found, (question.key,)).fetchall()
        return {rank: self._check_row(question.key, rank, digest, values) for rank, digest, *values in rows}

    def add_answer(self, question: Question, rank: int, output: Output) -> Output:
        """Write an answer and return the one that counts from now on: another process's where that came first."""
        return self.add_answers([(question, rank, output)])[0]

    def add_answers(self, answers: Sequence[tuple[Question, int, Output]]) -> list[Output]:
        """Write answers, each a question's of one rank, and return those that count from now on, as `add_answer`.

        Many at once are cheaper than one by one.
        """
        rows, kept = [], []
        for question, rank, output in answers:
            given = READ_FIELDS(output)
            values = [
                v if v is None or (kind := type(v)) is bool or kind is int and 0 <= v < 2**63
                or kind is str and v.isascii() or kind is float and math.isfinite(v) else _to_column(v)
                for v in given
            ]  # fmt: skip
            kept.append(output if all(map(operator.is_, given, values)) else _to_output(values))
            row = [question.key, rank, *values]
            row.append(digest_row(row))
            rows.append(row)
        try:
            with self._translate_errors():
                if not self._db.in_transaction:
                    self._db.execute("BEGIN IMMEDIATE")
                self._write_questions([question for question, *_ in answers])
                written = self._db.executemany(ADD_ANSWER, rows).rowcount
        except JudgescaleError:
            if not self._db.in_transaction:  # on a full disk SQLite itself takes back all that was not committed
                self.discard_unflushed()
            raise
        self._added += written
        if written == len(rows):
            return kept
        return [self.find_answers(question)[rank] for question, rank, _ in answers]

    def flush(self) -> None:
        """Commit the answers added since the last flush.

        Raises JudgescaleError where that fails, and then none of them is in the store; and where somebody removed the
        file, which is then written anew with all that it held.
        """
        if self._db.in_transaction:
            try:
                with self._translate_errors():
                    self._db.execute("COMMIT")
            except JudgescaleError:
                self.discard_unflushed()
                raise
            self.committed += self._added
            self._added = 0
            if self._identify_file() != self._file:
                self._rescue()

    def fold_log(self) -> None:
        """Put what was committed from the log into the file; what cannot be put there now is for the store's close.

        It waits for the disk, so it has a connection of its own: another thread may call it while this one writes.
        """
        with self._folding, suppress(sqlite3.Error):
            if self._folder is not None:
                self._folder.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _rescue(self) -> None:
        """Write what the removed file holds, which is readable as long as it is open, to a new one; and say so.

        What arrives after that is written to the new file.
        """
        lost = place = self.path
        if place.exists():
            place = self.path.with_name(f"{self.path.stem}-rescued-{os.getpid()}{self.path.suffix}")
        for rest in ("-wal", "-shm"):  # of the removed file
            place.with_name(place.name + rest).unlink(missing_ok=True)
        with self._translate_errors():
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = sqlite3.connect(place)
            self._db.backup(copy)
            copy.close()
            self._close_folder()
            self._db.close()
            self.path = place
            self._open_file("mode=rwc")
            self._prepare_file()
            self._open_folder()
        self._file = self._identify_file()
        raise JudgescaleError(
            f"store {lost} was removed or replaced while this run wrote to it; what it held is saved in {place}"
        )

    def has_written(self, question: Question) -> bool:
        """Tell whether this process added an answer to the question."""
        return question.key in self._known

    def read_text(self, key: bytes, rank: int) -> str | None:
        """Return what a model wrote, with thoughts delivered apart in front of it; None where it wrote nothing."""
        with self._translate_errors():
            found = self._db.execute("SELECT text, reasoning FROM answer WHERE key = ? AND rank = ?", (key, rank))
            text, reasoning = found.fetchone() or (None, None)
        return f"<think>{reasoning}</think>{text or ''}" if reasoning else text

    def _write_questions(self, questions: Sequence[Question]) -> None:
        """Write what was asked, and of which model, so that answers can refer to it."""
        rows = []
        for question in questions:
            if question.key in self._known:
                continue
            if question.settings not in self._models:
                self._db.execute("INSERT OR IGNORE INTO model (settings) VALUES (?)", (question.settings,))
                found = self._db.execute("SELECT id FROM model WHERE settings = ?", (question.settings,)).fetchone()
                self._models[question.settings] = found[0]
            rows.append((question.key, self._models[question.settings], question.request))
            self._known.add(question.key)
        self._db.executemany("INSERT OR IGNORE INTO question (key, model, request) VALUES (?, ?, ?)", rows)

    def discard_unflushed(self) -> None:
        """Take back the answers added since the last flush."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._added = 0
        self._known.clear()
        self._models.clear()

    def find_settings(self, settings: str) -> str:
        """Return settings as this store spells them, where it knows them: to a model, 1 and 1.0 are one number.

        Options that were renamed keep the name under which the store has answers.
        """
        with self._translate_errors():
            known = [text for (text,) in self._db.execute("SELECT settings FROM model")]
        if settings in known:
            return settings
        wanted = _spell_alike(settings)
        return next((text for text in known if _spell_alike(text) == wanted), settings)

    def count_answers(self) -> int:
        """Return how many answers the store holds."""
        with self._translate_errors():
            return int(self._db.execute("SELECT count(*) FROM answer").fetchone()[0])

    def summarise_models(self) -> list[tuple[Any, ...]]:
        """Return a row for every model and its settings, ordered by settings.

        A row is (settings, questions, answers, prompt tokens paid for, completion tokens).
        """
        with self._translate_errors():
            return self._db.execute(
                "SELECT settings, count(DISTINCT question.key), count(*), sum(iif(shared, 0, prompt_tokens)),"
                " sum(completion_tokens)"
                " FROM answer JOIN question USING (key) JOIN model ON model.id = question.model"
                " GROUP BY settings ORDER BY settings"
            ).fetchall()

    def average_tokens(self, settings: str) -> tuple[float, float] | None:
        """Return prompt tokens a character of the request, and completion tokens an answer, over all answers so far.

        None where no answer with known counts was bought with these settings.
        """
        with self._translate_errors():
            found = self._db.execute(
                "SELECT sum(prompt_tokens) * 1.0 / sum(length(request)), avg(completion_tokens) FROM answer"
                " JOIN question USING (key) JOIN model ON model.id = question.model"
                " WHERE settings = ? AND prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL",
                (settings,),
            ).fetchone()
        return None if found[0] is None else (float(found[0]), float(found[1]))

    def read_rows(self) -> Iterator[dict[str, Any]]:
        """Yield every answer with what was asked, checked, in the order of key and rank: the rows of an export."""
        with self._translate_errors():
            found = self._db.execute(
                f"SELECT rank, digest, settings, request, key, created, {self._columns} FROM answer"
                " JOIN question USING (key) JOIN model ON model.id = question.model"
                " ORDER BY key, rank"
            )
            for rank, digest, settings, request, key, created, *values in found:
                self._check_row(key, rank, digest, values)
                row = {"settings": settings, "request": request, "key": key, "rank": rank, "created": created}
                fields = dict(zip(FIELDS, values, strict=True))
                yield row | fields | {"digest": digest, "shared": bool(fields["shared"])}

    def _check_row(self, key: bytes, rank: int, digest: int, values: list[Any]) -> Output:
        """Return the answer in a row; raise where the row is not what was written."""
        if not isinstance(key, bytes) or digest_row([key, rank, *values]) != digest:
            shown = key.hex() if isinstance(key, bytes) else repr(key)
            raise self._describe_damage(f"answer {rank} of question {shown} is not what was written")
        return _to_output(values)

    def _describe_damage(self, reason: str) -> JudgescaleError:
        """Return the error that says what is damaged and what to do."""
        return JudgescaleError(
            f"store {self.path} is damaged ({' '.join(reason.split())}); nothing was changed in it. Move it away, or"
            f" name another file with run.store=FILE; `sqlite3 {self.path.name} .recover` may save what is left"
        )

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into a line that says what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise JudgescaleError(
                f"store {self.path}: {error}; check the folder and the disk, or name run.store=FILE"
            ) from None
        except sqlite3.DatabaseError as error:
            raise self._describe_damage(str(error)) from None


def _to_output(values: Sequence[Any]) -> Output:
    """Make an answer of the fields of a row."""
    given = dict(zip(FIELDS, values, strict=True))
    given["shared"] = bool(given["shared"])
    given["logprobs"] = None if given["logprobs"] is None else json.loads(given["logprobs"])
    given["steps"] = None if given["steps"] is None else tuple(json.loads(given["steps"]))
    return Output(**given)


def _to_column(value: Any) -> Any:
    """Return a field of an answer as SQLite keeps it; what it cannot keep (NaN, a huge integer) as None."""
    if isinstance(value, str):
        return _escape_surrogates(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _escape_surrogates(encode_canonical({str(k): float(v) for k, v in value.items()}))
    if isinstance(value, tuple):
        return encode_canonical([float(p) for p in value]) if all(map(math.isfinite, value)) else None
    return int(value) if -(2**63) <= value < 2**63 else None  # SQLite's integers have 64 bits


def digest_row(values: Sequence[Any]) -> int:
    """Compute a checksum by which a row changed by anything but this module is noticed; SQLite's own checks cannot.

    values: key, rank and FIELDS. A row without steps, which come last, has the checksum that version 1 gave it.
    """
    values = values[:-1] if values[-1] is None else values
    return zlib.crc32(repr([int(v) if v is True or v is False else v for v in values]).encode("utf-8", "surrogatepass"))
