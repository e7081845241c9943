"""Read the judgments of a finished run as pilots: one a judge and task, for stats/forecast.py."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.stats.forecast import Pilot, ScorePilot, VotePilot
from judgescale.harness.summary import read_summary
from judgescale.harness.types import JudgescaleError

NEEDED = {  # columns of judgments.parquet, and what may be missing of them
    "task": False, "item": False, "subset": False, "cluster": False, "weight": True, "tie_credit": True,
    "judge": False, "variant": False, "shown": False, "scores": True, "gold": False,
}  # fmt: skip
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Planned:
    """Hold one judge's pilot on one task, and what a reader must know of it."""

    task: str
    judge: str
    pilot: Pilot
    names: tuple[tuple[str, str], ...]  # (subset, item), the pilot's items in order
    notes: tuple[str, ...]


def read_pilots(folder: Path) -> list[Planned]:
    """Read the pilots of a run's folder.

    Raises JudgescaleError where it is no folder of a finished run, and where nothing can be forecast from it.
    """
    arms, rows = read_summary(folder), _read_rows(folder)
    found: dict[tuple[str, str], Planned] = {}
    for arm in arms:
        task, judge = str(arm["task"]), str(arm["judge"])
        if (task, judge) not in found:
            found[task, judge] = _make_pilot(folder, arm, _choose_rows(rows, arm))
    return list(found.values())


def _read_rows(folder: Path) -> list[Row]:
    """Read judgments.parquet, the columns that are needed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "judgments.parquet"
    if not path.is_file():
        raise JudgescaleError(f"{folder}: no judgments.parquet; of a sweep or a suite, give the folder of one run")
    try:
        names = set(pq.read_schema(path).names)
        if missing := [name for name in NEEDED if name not in names]:
            raise JudgescaleError(
                f"{path}: no column {missing[0]}; an earlier version wrote it: run the command of summary.json again,"
                " which buys nothing that is in the store or in a recorded set"
            )
        rows: list[Row] = [_drop_part(row) for row in pq.read_table(path, columns=list(NEEDED)).to_pylist()]
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise JudgescaleError(f"{path}: no Parquet file that can be read: {flatten_text(str(error))}") from None
    for number, row in enumerate(rows):
        _check_row(path, number, row)
    return rows


def _drop_part(row: Row) -> Row:
    """Return the row without its scores where it lacks that of a response."""
    scores = row["scores"]
    return {**row, "scores": None} if isinstance(scores, list) and None in scores else row


def _check_row(path: Path, number: int, row: Row) -> None:
    empty = [name for name, may in NEEDED.items() if row[name] is None and not may]
    sizes = {len(row[name]) for name in ("shown", "scores", "gold") if isinstance(row[name], list)}
    wrong = empty[0] if empty else "scores" if len(sizes) != 1 or sizes == {0} else ""
    numbers = [x for name in ("shown", "scores", "gold") for x in (row[name] if isinstance(row[name], list) else ())]
    if not wrong and not all(isinstance(x, int | float) and abs(x) < 1e300 for x in numbers):
        wrong = "scores"
    if not wrong and sorted(row["shown"]) != list(dict.fromkeys(sorted(row["shown"]))):
        wrong = "shown"
    for name in ("weight", "tie_credit"):
        if not (row[name] is None or (isinstance(row[name], int | float) and 0 <= row[name] <= 1)):
            wrong = wrong or name
    if wrong:
        raise JudgescaleError(f"{path}: row {number + 1}, column {wrong}: not what a run writes")


def _choose_rows(rows: Iterable[Row], arm: Mapping[str, Any]) -> list[Row]:
    """Choose the rows of an arm: those of its judge, or of the judges that it pools, which its signature names."""
    of_task = [row for row in rows if row["task"] == arm["task"]]
    alone = [row for row in of_task if row["judge"] == arm["judge"]]
    named = re.search(r"(?:^|\|)judge:([^|]*)", arm["signature"])
    pooled = set(named[1].split("+")) if named else set()
    return alone or [row for row in of_task if row["judge"] in pooled]


def _make_pilot(folder: Path, arm: Mapping[str, Any], rows: Sequence[Row]) -> Planned:
    task, judge = flatten_text(arm["task"]), flatten_text(arm["judge"])
    where = f"{folder}: {task}, {judge}"
    items: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        items.setdefault((row["subset"], row["item"]), []).append(row)
    if not items:
        raise JudgescaleError(f"{where}: judgments.parquet holds none of its judgments")
    asked_parts = {name for name, of_item in items.items() if len({tuple(sorted(row["shown"])) for row in of_item}) > 1}
    if asked_parts:
        raise JudgescaleError(
            f"{where}: its strategy ({arm['strategy']}) asks about some of an item's responses at a time, and a"
            " forecast is of votes on all of them: give a run of strategy=voting"
        )
    if any(row["weight"] is None or row["tie_credit"] is None for row in rows):
        raise JudgescaleError(f"{where}: items are scored together with others here, and a forecast is of single items")
    sizes = [len(of_item) for of_item in items.values()]
    if (least := min(sizes)) < 2:
        raise JudgescaleError(
            f"{where}: item {flatten_text(min(items, key=lambda n: len(items[n]))[1])} has one judgment, and one tells"
            " nothing about more: buy at least two of every item, as with strategy=voting strategy.k=2"
        )
    notes = []
    if max(sizes) > least:
        notes.append(f"Items have {least} to {max(sizes)} judgments: the first {least} of each count.")
    usable = {name: of_item for name, of_item in items.items() if _has_both(of_item[0])}
    if not usable:
        raise JudgescaleError(f"{where}: no item has a right and a wrong response")
    if not sum(of_item[0]["weight"] for of_item in usable.values()):
        raise JudgescaleError(f"{where}: none of its items counts in the headline, so there is nothing to forecast")
    if left := len(items) - len(usable):
        notes.append(f"{left:,} of {len(items):,} items have no right response, or no wrong one: they are left out.")
    notes += _describe_mix(items.values())
    if arm["strategy"] not in ("voting", "single"):
        notes.append(f"The run's strategy was {flatten_text(arm['strategy'])}; the forecast is of a plain vote.")
    silent = sum(row["scores"] is None for of_item in usable.values() for row in of_item[:least])
    if silent:
        notes.append(f"Judgments without a whole verdict, which abstain: {silent:,}.")
    verdicts = re.search(r"[(,]votes=verdicts[,)]", arm["signature"]) is not None
    pilot = build_pilot([of_item[:least] for of_item in usable.values()], verdicts)
    return Planned(task, judge, pilot, tuple(usable), tuple(notes))


def _describe_mix(items: Iterable[Sequence[Row]]) -> list[str]:
    """Say where judgments were asked for in several ways, each as often of every item: such are not drawn at random."""
    told = []
    for name, kind in (("judges or prompts", ("judge", "variant")), ("orders of the responses", ("shown",))):
        counts = [Counter(tuple(str(row[column]) for column in kind) for row in of_item) for of_item in items]
        if len(counts[0]) > 1 and all(set(count.values()) == set(counts[0].values()) for count in counts):
            told.append(
                f"Every item was judged by the same mix of {len(counts[0])} {name}; the forecast draws from it at"
                " random, which varies more than a run that keeps the mix."
            )
    return told


def _has_both(row: Row) -> bool:
    """Tell whether an item has right and wrong responses; a lone one is right or wrong as its label says."""
    right = [gold >= 1 for gold in row["gold"]]
    return len(right) == 1 or (any(right) and not all(right))


def build_pilot(items: Sequence[Sequence[Row]], verdicts: bool) -> Pilot:
    """Build a pilot from the same number of rows of every item.

    verdicts: each judgment counts as a win of one response, whatever its scores.
    """
    scores, right = _stack_scores(items)
    first = [of_item[0] for of_item in items]
    tie = np.array([row["tie_credit"] for row in first], dtype=float)
    weight = np.array([row["weight"] for row in first], dtype=float)
    cluster = np.array([row["cluster"] for row in first])
    if scores.shape[2] == 2:
        margin = np.where(right[:, :1], 1, -1) * (scores[..., 0] - scores[..., 1])
        margin = np.nan_to_num(np.sign(margin) if verdicts else margin)
        size = np.abs(margin)
        if not ((size > 0) & ~np.isclose(size, size.max(axis=1, keepdims=True))).any():
            counts = np.stack([(margin > 0).sum(axis=1), (margin == 0).sum(axis=1), (margin < 0).sum(axis=1)], axis=1)
            return VotePilot(counts, tie, weight, cluster)
    return ScorePilot(scores, right, tie, weight, cluster)


def _stack_scores(items: Sequence[Sequence[Row]]) -> tuple[np.ndarray, np.ndarray]:
    """Stack the scores in the order of the items' responses, (N, k0, n), and what is right, (N, n).

    A lone response's score s is the vote of two, s for yes and 1 - s for no.
    """
    widest = max(max(len(of_item[0]["shown"]) for of_item in items), 2)
    scores = np.full((len(items), len(items[0]), widest), np.nan)
    right = np.zeros((len(items), widest), dtype=bool)
    for i, of_item in enumerate(items):
        place = {index: p for p, index in enumerate(sorted(of_item[0]["shown"]))}
        for j, row in enumerate(of_item):
            columns = [place[index] for index in row["shown"]]
            right[i, columns] = [gold >= 1 for gold in row["gold"]]
            if row["scores"] is not None:
                scores[i, j, columns] = row["scores"]
            if len(columns) == 1:
                right[i, 1] = not right[i, 0]
                scores[i, j, 1] = 1 - scores[i, j, 0]
    return scores, right
