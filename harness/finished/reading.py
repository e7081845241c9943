"""Read the arms of a finished run: what each unit earned at one k, from credits.parquet, and what was printed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from judgescale.harness.errors import list_some
from judgescale.harness.finished.ceilings import Ceiling, read_ceiling
from judgescale.harness.finished.tables import explain_damage, read_table
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.summary import read_summary
from judgescale.harness.types import JudgescaleError

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {  # of credits.parquet, and which of them may be empty
    "task": False, "arm": False, "number": False, "signature": False, "item": False, "subset": False, "section": False,
    "cluster": False, "subset_weight": True, "section_weight": True, "gold": False, "k": False, "credit": False,
    "credit_by_lot": False, "judgments": False, "decision": False,
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """Hold one arm of a finished run at one k: U units, what they are and what they earned."""

    folder: Path
    number: int  # its place in summary.json, from 1
    task: str
    name: str  # of its own within the run and task
    judge: str
    strategy: str
    signature: str
    k: int
    stops: bool  # k is the most that it may take
    published: tuple[Mapping[str, Any], ...]  # rows of summary.json
    ceiling: Ceiling | None  # of its labels; None where it is not known, or of another k than the headline's
    item: tuple[str, ...]
    subset: np.ndarray
    section: np.ndarray
    cluster: np.ndarray
    subset_weight: np.ndarray  # what a subset counts within its section; NaN: every unit counts as one
    section_weight: np.ndarray  # what a section counts in the headline; NaN: the headline is a mean over units
    gold: tuple[tuple[float, ...], ...]
    credit: np.ndarray
    by_lot: np.ndarray  # with ties broken by lot
    judgments: np.ndarray
    decision: tuple[tuple[float | None, ...], ...]  # how likely each response is the one chosen


def read_choices(choices: Sequence[str]) -> list[Judged]:
    """Read the arms that RUN, RUN:ARM, RUN@K and RUN:ARM@K choose; RUN alone chooses all arms of its first task.

    RUN may be a recorded set, which is evaluated first.

    Raises JudgescaleError where there is no such run, arm or k.
    """
    found: list[Judged] = []
    for choice in choices:
        path, arm, k = split_choice(choice)
        if path.suffix == ".parquet" and path.is_file():
            from judgescale.harness.finished.sets import read_set_arms  # takes longer to load than a run to read

            found += read_set_arms(path, arm, k)
        else:
            found += read_arms(path, arm, k)
    return found


def split_choice(choice: str) -> tuple[Path, str, int | None]:
    """Split RUN:ARM@K into the folder, the arm (empty = all) and the k (None = the headline's)."""
    if Path(choice).exists():
        return Path(choice), "", None
    rest, at, last = choice.rpartition("@")
    k = int(last) if at and re.fullmatch(r"\d{1,9}", last) else None
    rest = rest if k is not None else choice
    folder, colon, arm = rest, "", ""
    while not Path(folder).exists() and ":" in folder:
        folder, colon, more = folder.rpartition(":")
        arm = f"{more}:{arm}" if arm else more
    return (Path(folder), arm, k) if Path(folder).exists() else (Path(rest), "", k)


def read_arms(folder: Path, wanted: str = "", k: int | None = None) -> list[Judged]:
    """Read a run's arms at their headline's k, or at k: all of its first task, or the one that is wanted.

    wanted: an arm's number or name, or a part of its name that no other has.
    """
    summary = read_arms_of_summary(folder)
    columns = _read_columns(folder / "credits.parquet")
    places: dict[int, np.ndarray] = {}
    for number in np.unique(columns["number"]).tolist():
        places[number] = np.flatnonzero(columns["number"] == number)
    names = {number: str(columns["arm"][rows[0]]) for number, rows in places.items()}
    tasks = {number: str(columns["task"][rows[0]]) for number, rows in places.items()}
    if not names:
        raise JudgescaleError(f"{folder}: credits.parquet has no rows, so there is nothing to compare")
    if wanted:
        chosen = [choose_arm(folder, wanted, names, tasks)]
    else:
        chosen = [number for number in names if tasks[number] == tasks[min(names)]]
    return [_make_judged(folder, number, summary, columns, places[number], k) for number in chosen]


def read_every_k(folder: Path, table: pa.Table | None = None) -> dict[int, list[Judged]]:
    """Read a run's arms at every k, ascending, by their numbers in summary.json; those without credits are left out.

    table: credits.parquet, where it was read before.
    """
    summary, path = read_arms_of_summary(folder), folder / "credits.parquet"
    columns = _read_columns(path) if table is None else _convert_columns(path, table)
    found: dict[int, list[Judged]] = {}
    for number in np.unique(columns["number"]).tolist():
        rows = np.flatnonzero(columns["number"] == number)
        ks = np.unique(columns["k"][rows]).tolist()
        found[number] = [_make_judged(folder, number, summary, columns, rows, k) for k in ks]
    return found


def take_headlines(
    folder: Path, summary: Sequence[Mapping[str, Any]], table: pa.Table, numbers: Sequence[int]
) -> dict[int, Judged]:
    """Take arms at their headline's k from credits.parquet as it was read, by their numbers in summary.json.

    Those without credits are left out. Raises JudgescaleError where the table is not what a run writes.
    """
    number, k = table["number"].to_numpy(), table["k"].to_numpy()
    rows = np.zeros(len(number), dtype=bool)
    for one in numbers:
        rows |= (number == one) & (k == summary[one - 1]["k"])
    columns = _convert_columns(folder / "credits.parquet", table.take(np.flatnonzero(rows)))
    places = {one: np.flatnonzero(columns["number"] == one) for one in numbers}
    return {one: _make_judged(folder, one, summary, columns, own, None) for one, own in places.items() if len(own)}


def choose_arm(folder: Path, wanted: str, names: Mapping[int, str], tasks: Mapping[int, str]) -> int:
    """Choose the arm of this number or name, or the only one whose name (or "TASK, NAME") holds these words."""
    full = {number: f"{tasks[number]}, {name}" for number, name in names.items()}
    if wanted.isascii() and wanted.isdigit() and int(wanted) in names:
        return int(wanted)
    exact = [number for number, name in names.items() if wanted in (name, full[number])]
    found = exact or [number for number, name in full.items() if wanted.lower() in name.lower()]
    if len(found) == 1:
        return found[0]
    listed = list_some([f"{number} ({flatten_text(full[number])})" for number in names], 12)
    problem = f"{len(found)} of its arms are" if found else "none of its arms is"
    raise JudgescaleError(f"{folder}: {problem} called {flatten_text(wanted)!r}; it has {listed}")


def read_arms_of_summary(folder: Path) -> list[Mapping[str, Any]]:
    """Read the arms of summary.json, with their k. Raises JudgescaleError where the folder holds no finished run."""
    if folder.suffix == ".parquet" and folder.is_file():
        raise JudgescaleError(
            f"{folder}: a recorded set; evaluate it first, as judgescale recorded show {folder} says, and give the"
            " folder of that run"
        )
    return read_summary(folder, counts=("k",))


def _read_columns(path: Path) -> dict[str, Any]:
    """Read credits.parquet: numbers and names as arrays, lists as lists. Raises JudgescaleError where it is damaged."""
    import pyarrow as pa

    if not path.is_file():
        raise JudgescaleError(
            f"{path.parent}: no credits.parquet; an earlier version wrote this run: run the command of summary.json"
            " again, which buys nothing that is in the store or in a recorded set"
        )
    table = read_table(path.parent, "credits", tuple(COLUMNS))
    try:
        return _convert_columns(path, table)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise explain_damage(path, error) from None


def _convert_columns(path: Path, table: pa.Table) -> dict[str, Any]:
    """Convert a table of credits: numbers and names to arrays, lists to lists."""
    for name, may_be_empty in COLUMNS.items():
        if not may_be_empty and table[name].null_count:
            row = table[name].is_null().to_numpy().argmax() + 1
            raise JudgescaleError(f"{path}: row {row}, column {name}: empty, which no run writes")
    try:
        found: dict[str, Any] = {
            name: _read_numbers(table[name], np.float64)
            for name in ("subset_weight", "section_weight", "credit", "credit_by_lot", "judgments")
        }
        found |= {name: _read_numbers(table[name], np.int64) for name in ("number", "k")}
        found |= {name: np.array(_read_names(table[name]), dtype=str) for name in ("subset", "section", "cluster")}
        found |= {name: _read_rows(table[name]) for name in ("gold", "decision")}
        found |= {name: _read_names(table[name]) for name in ("task", "arm", "signature", "item")}
    except (ValueError, TypeError, AttributeError):
        raise JudgescaleError(f"{path}: not the columns that a run writes") from None
    if not (np.isfinite(found["credit"]).all() and np.isfinite(found["credit_by_lot"]).all()):
        raise JudgescaleError(f"{path}: a credit is no number, which no run writes")
    return found


def _read_numbers(column: pa.ChunkedArray, kind: type) -> np.ndarray:
    """Read a column of numbers; an empty one is NaN."""
    return np.asarray(column.to_numpy()).astype(kind)


def _read_names(column: pa.ChunkedArray) -> list[Any]:
    """Read a column of names, each of which is there once, however many rows have it."""
    coded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return list(map(coded.dictionary.to_pylist().__getitem__, coded.indices.to_pylist()))


def _read_rows(column: pa.ChunkedArray) -> list[tuple[Any, ...]]:
    """Read a column of lists."""
    import pyarrow.compute as pc

    sizes, values = pc.list_value_length(column).to_numpy(), pc.list_flatten(column).to_pylist()
    if len(sizes) and sizes.min() == sizes.max() > 0:  # as they most often are, which is far quicker
        return list(zip(*[iter(values)] * int(sizes[0])))
    ends = np.cumsum(sizes).tolist()
    return [tuple(values[start:end]) for start, end in zip([0, *ends], ends)]


def _take(values: Sequence[Any], rows: np.ndarray) -> tuple[Any, ...]:
    return tuple(map(values.__getitem__, rows.tolist()))


def _make_judged(
    folder: Path,
    number: int,
    summary: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Any],
    rows: np.ndarray,
    k: int | None,
) -> Judged:
    """Make an arm of its rows. Raises JudgescaleError where it has none at this k, or is not in summary.json."""
    first = int(rows[0])
    name, task = flatten_text(columns["arm"][first]), flatten_text(columns["task"][first])
    if not 0 < number <= len(summary) or summary[number - 1]["signature"] != columns["signature"][first]:
        raise JudgescaleError(f"{folder}: credits.parquet and summary.json are not of the same run")
    arm = summary[number - 1]
    at, ks = arm["k"] if k is None else k, sorted(set(columns["k"][rows].tolist()))
    if at not in ks:
        raise JudgescaleError(f"{folder}: {name} has no k={at}; it has {', '.join(map(str, ks))} (run.ks=[…])")
    rows = rows[columns["k"][rows] == at]
    item = _take(columns["item"], rows)
    if len(set(item)) < len(item):
        raise JudgescaleError(f"{folder}: credits.parquet has an item of {name} twice at k={at}, which no run writes")
    return Judged(
        folder=folder,
        number=number,
        task=task,
        name=name,
        judge=flatten_text(arm["judge"]),
        strategy=flatten_text(arm["strategy"]),
        signature=flatten_text(arm["signature"]),
        k=at,
        stops=bool(arm.get("stops")),
        published=tuple(row for row in arm.get("published") or () if isinstance(row, dict)),
        ceiling=read_ceiling(arm.get("ceiling")) if at == arm["k"] else None,
        item=item,
        **{n: columns[n][rows] for n in ("subset", "section", "cluster", "subset_weight", "section_weight")},
        gold=_take(columns["gold"], rows),
        credit=columns["credit"][rows],
        by_lot=columns["credit_by_lot"][rows],
        judgments=columns["judgments"][rows],
        decision=_take(columns["decision"], rows),
    )
