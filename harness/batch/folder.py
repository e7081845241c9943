"""A folder of batch files: `requests-1.jsonl`, … as OpenAI's batch API takes them, and any other `*.jsonl` of answers.

A line's custom_id is KEY-RANK-N: the question's key in the store, the first sample that the line asks for, and how
many. Answers are found by it in whatever file and order they come. `state.json` says where each file of requests is to
be sent and what became of it (`judgescale batch`); it holds no secret.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from judgescale.harness.contracts import BatchLines
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

# What a file may hold at OpenAI (API reference, "Create batch"): 50,000 requests and 200 MB.
MOST_LINES = 50_000
MOST_BYTES = 200_000_000
REQUESTS = re.compile(r"requests-(\d+)\.jsonl")
STATE = "state.json"
CUSTOM_ID = re.compile(r"([0-9a-f]{32})-(\d{1,9})-(\d{1,6})")
ENDPOINT = "/v1/chat/completions"


class Deferred(Exception):
    """Say that an answer is to come by a batch file: what depends on it waits for a later call."""


class Place(NamedTuple):
    """Say where an answer lies: its file, row (from 1), where the row begins, and which samples it is about."""

    file: Path
    row: int
    offset: int
    first: int
    n: int

    def __str__(self) -> str:
        return f"{self.file.name}, row {self.row}"


class Line(NamedTuple):
    """Hold a request that is to be written, and the most that its answers may cost."""

    lines: BatchLines
    model: str
    text: str
    n: int
    most: tuple[float, float]  # tokens, dollars


class Written(NamedTuple):
    """Say what a call wrote: files with their numbers of requests, and how many did not fit the budget."""

    files: Mapping[str, int]
    left_out: int


@dataclass
class BatchFolder:
    """Find answers in the folder's files, and gather the requests that lack one."""

    path: Path
    problems: list[str] = field(default_factory=list)  # one a row that is of no use
    awaited: dict[str, int] = field(default_factory=dict)  # files of requests of which nothing came back: requests
    found: int = 0  # samples that this call took from answers
    _answers: dict[bytes, list[Place]] = field(default_factory=dict)  # key of a question -> its answers
    _refused: dict[bytes, list[Place]] = field(default_factory=dict)  # … and its rows that hold an error
    _on_the_way: set[tuple[bytes, int]] = field(default_factory=set)  # samples that were asked for, and not answered
    _lines: list[Line] = field(default_factory=list)

    def read(self) -> None:
        """Read which requests were written and which answers came. Raises JudgescaleError for a damaged request."""
        self.path.mkdir(parents=True, exist_ok=True)
        asked = {file.name: list_custom_ids(file) for file in find_requests(self.path)}
        known = {custom_id for ids in asked.values() for custom_id in ids}
        good: dict[str, list[Place]] = {}  # an answer that cannot be read may be asked for again
        bad: dict[str, tuple[Place, str]] = {}
        for file in sorted(self.path.glob("*.jsonl")):
            if not REQUESTS.fullmatch(file.name):
                self._read_answers(file, known, good, bad)
        for custom_id, places in good.items():
            self._answers.setdefault(find_key(custom_id), []).extend(places)
        for custom_id, (place, why) in bad.items():
            if custom_id not in good:
                self.problems.append(f"{place}: {why}")
                self._refused.setdefault(find_key(custom_id), []).append(place)
        state = read_state(self.path)
        for name, ids in asked.items():
            if not state.get(name, {}).get("saved") and not any(i in good or i in bad for i in ids):
                self.awaited[name] = len(ids)
                for custom_id in ids:
                    key, first, n = split_custom_id(custom_id)
                    self._on_the_way |= {(key, rank) for rank in range(first, first + n)}

    def _read_answers(
        self, file: Path, known: set[str], good: dict[str, list[Place]], bad: dict[str, tuple[Place, str]]
    ) -> None:
        """Read where each answer of a file lies; rows of no use become problems."""
        for row, offset, raw in read_rows(file):
            here = f"{file.name}, row {row}"
            try:
                custom_id, status, reply = read_answer(raw)
            except ValueError as error:
                cut = not raw.endswith(b"\n")
                self.problems.append(f"{here}: {error}{'; the file is cut short there' if cut else ''}")
                continue
            if custom_id not in known:
                self.problems.append(f"{here}: custom_id {custom_id[:60]!r} is in no requests-*.jsonl of this folder")
                continue
            place = Place(file, row, offset, *split_custom_id(custom_id)[1:])
            if status != 200:
                bad[custom_id] = (place, tell_error(status, reply))
            else:
                good.setdefault(custom_id, []).append(place)

    def take(
        self, lines: BatchLines, key: bytes, request: Request, ranks: Sequence[int]
    ) -> Iterator[tuple[int, Output]]:
        """Yield those of a question's samples that came, as (rank, answer), each once."""
        wanted = set(ranks)
        read: dict[tuple[int, int], Place] = {}
        for place in (*self._answers.get(key, ()), *self._refused.get(key, ())):
            its_own = range(place.first, place.first + place.n)
            if before := read.get((place.first, place.n)):
                self.problems.append(f"{place}: was answered in {before}, and that answer stays")
                continue
            if wanted.isdisjoint(its_own):
                continue
            with place.file.open("rb") as file:
                file.seek(place.offset)
                _, status, reply = read_answer(file.readline())
            try:
                outputs = lines.read(request, place.n, status, reply)
            except ValueError as error:
                if status == 200:  # else it was told already
                    self.problems.append(f"{place}: {error}")
                continue
            read[place.first, place.n] = place
            if len(outputs) < place.n:
                self.problems.append(f"{place}: {len(outputs)} answers came where {place.n} were asked for")
            for rank, output in zip(its_own, outputs):
                if rank in wanted:
                    wanted.remove(rank)
                    self.found += output.finish != "failed"
                    yield rank, output

    def note(
        self,
        lines: BatchLines,
        model: str,
        key: bytes,
        request: Request,
        sampling: Sampling,
        seed: int,
        ranks: Sequence[int],
        each: tuple[float, float],
    ) -> None:
        """Note that samples are wanted, for the next file of requests; those that are on the way already are not.

        seed: of rank 0. each: the most that a sample may cost, in tokens and dollars.
        """
        new = [rank for rank in ranks if (key, rank) not in self._on_the_way]
        self._on_the_way |= {(key, rank) for rank in new}
        for group in split_runs(new, lines.most):
            n = len(group)
            body = lines.write(request, sampling, seed + group[0], n)
            about = {"custom_id": f"{key.hex()}-{group[0]}-{n}", "method": "POST", "url": ENDPOINT}
            text = f'{json.dumps(about)[:-1]}, "body": {body}}}\n'
            self._lines.append(Line(lines, model, text, n, (each[0] * n, each[1] * n)))

    def write(self, spent: tuple[float, float], budget: tuple[float | None, float | None]) -> Written:
        """Write what was noted to new files, as far as the budget (tokens, dollars) goes: one model a file.

        spent: tokens and dollars of this call so far.
        """
        kept: dict[tuple[str, str], list[Line]] = {}
        used = list(spent)
        left_out = 0
        for line in self._lines:
            needed = [a + b for a, b in zip(used, line.most)]
            if any(limit is not None and need > limit for limit, need in zip(budget, needed)):
                left_out += line.n
                continue
            used = needed
            kept.setdefault((line.lines.address, line.model), []).append(line)
        self._lines.clear()
        files: dict[str, int] = {}
        number = max((int(name.group(1)) for name in self._list_numbered()), default=0)
        for (address, _), of_model in kept.items():
            for part in split_file(of_model):
                number += 1
                name = f"requests-{number}.jsonl"
                about = {"address": address, "key_variable": part[0].lines.key_variable, "requests": len(part)}
                update_state(self.path, name, about)
                write_whole(self.path / name, "".join(line.text for line in part))
                files[name] = len(part)
        return Written(files, left_out)

    def _list_numbered(self) -> Iterator[re.Match[str]]:
        """List the files of requests that there are, and those that were."""
        names = {file.name for file in find_requests(self.path)} | set(read_state(self.path))
        return (found for name in names if (found := REQUESTS.fullmatch(name)))


def find_requests(folder: Path) -> list[Path]:
    """Find a folder's files of requests, in the order of their numbers."""
    numbered = [(int(m[1]), file) for file in folder.glob("*.jsonl") if (m := REQUESTS.fullmatch(file.name))]
    return [file for _, file in sorted(numbered)]


def list_custom_ids(file: Path) -> list[str]:
    """List the custom_ids of a file of requests. Raises JudgescaleError naming the row that is none of ours."""
    found = []
    for row, _, raw in read_rows(file):
        try:
            custom_id = json.loads(raw)["custom_id"]
            split_custom_id(custom_id)
        except (ValueError, LookupError, TypeError, RecursionError):
            raise JudgescaleError(
                f"{file}, row {row}, field custom_id: not as it was written; delete the file, and what it asks for is"
                " written again"
            ) from None
        found.append(custom_id)
    return found


def read_rows(file: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield each row that is not empty: its number from 1, where it begins, and what it says."""
    offset = 0
    with file.open("rb") as rows:
        for number, raw in enumerate(rows, 1):
            if raw.strip():
                yield number, offset, raw
            offset += len(raw)


def read_answer(raw: bytes) -> tuple[str, int, Any]:
    """Read a line of answers: its custom_id, HTTP status (0 = there was no reply), and reply or error.

    Raises ValueError where it is none.
    """
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    custom_id = line.get("custom_id") if isinstance(line, dict) else None
    if not isinstance(custom_id, str):
        raise ValueError("has no custom_id, so nobody knows what it answers")
    response, error = line.get("response"), line.get("error")
    if not isinstance(response, dict):
        return custom_id, 0, error
    status, body = response.get("status_code"), response.get("body")
    status = status if isinstance(status, int) and not isinstance(status, bool) else 0
    # vLLM puts the reply of a refused request into `error`, OpenAI into `body`
    return custom_id, status if error is None or status != 200 else 0, body if body is not None else error


def tell_error(status: int, reply: Any) -> str:
    """Tell in a few words what a line that is no answer says."""
    error = reply.get("error", reply) if isinstance(reply, Mapping) else reply
    said = error.get("message") or error.get("code") if isinstance(error, Mapping) else error
    return f"{status or ''} {said or 'no answer'}".strip()[:300]


def split_custom_id(custom_id: str) -> tuple[bytes, int, int]:
    """Split a custom_id into the question's key, the first sample and their number. Raises ValueError."""
    if not (found := CUSTOM_ID.fullmatch(custom_id)):
        raise ValueError(custom_id)
    return bytes.fromhex(found[1]), int(found[2]), int(found[3])


def find_key(custom_id: str) -> bytes:
    """Return the key of the question that a custom_id is about."""
    return split_custom_id(custom_id)[0]


def split_runs(ranks: Sequence[int], most: int) -> Iterator[list[int]]:
    """Split ascending ranks into runs without a gap, of at most so many."""
    run: list[int] = []
    for rank in ranks:
        if run and (rank != run[-1] + 1 or len(run) >= most):
            yield run
            run = []
        run.append(rank)
    if run:
        yield run


def split_file(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Split lines into files that a provider takes."""
    part: list[Line] = []
    size = 0
    for line in lines:
        length = len(line.text.encode())
        if part and (len(part) >= MOST_LINES or size + length > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(line)
        size += length
    if part:
        yield part


def write_whole(file: Path, text: str) -> None:
    """Write a file such that it is there whole or not at all."""
    draft = file.with_name(f".{file.name}.tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, file)


def read_state(folder: Path) -> dict[str, dict[str, Any]]:
    """Read where each file of requests is to be sent and what became of it. Raises JudgescaleError."""
    file = folder / STATE
    if not file.exists():
        return {}
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
        if not (isinstance(state, dict) and all(isinstance(entry, dict) for entry in state.values())):
            raise ValueError
    except (ValueError, RecursionError):
        raise JudgescaleError(
            f"{file}: not as it was written; delete it, and look up at the provider which batches are under way"
        ) from None
    return state


def update_state(folder: Path, name: str, about: Mapping[str, Any]) -> None:
    """Add to what is known of a file of requests; None takes a field out."""
    state = read_state(folder)
    entry = {**state.get(name, {}), **about}
    state[name] = {key: value for key, value in entry.items() if value is not None}
    write_whole(folder / STATE, json.dumps(state, indent=1) + "\n")


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other commands out of a batch folder. Raises JudgescaleError where another is at work there."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock").acquire(timeout=0):
            yield
    except Timeout:
        raise JudgescaleError(f"{folder}: another run or `judgescale batch` is at work there; wait for it") from None
