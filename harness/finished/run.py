"""Read a finished run whole: its results, its tables of judgments and credits, and its items with their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.finished.results import read_results
from judgescale.harness.finished.tables import read_table
from judgescale.harness.finished.texts import read_items
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.files import CREDIT, JUDGMENT
from judgescale.harness.summary import read_origin, read_summary
from judgescale.harness.types import Item, JudgescaleError, Result

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = {"judgments": JUDGMENT, "credits": CREDIT}  # files, and their columns


@dataclass(frozen=True)
class FinishedRun:
    """Hold what a run left behind, and the texts of its items where these are to be had."""

    folder: Path
    summary: Sequence[Mapping[str, Any]]  # the arms of summary.json, as they stand there
    results: Sequence[Result]  # the same, read
    judgments: pa.Table  # judgments.parquet
    credits: pa.Table  # credits.parquet
    items: Mapping[str, Mapping[str, Item]] = field(default_factory=dict)  # task -> id -> item, with its texts
    missing: Mapping[str, str] = field(default_factory=dict)  # task -> why there are no texts
    date: str = ""  # when it ended, in ISO 8601
    command: str = ""


def read_run(
    folder: Path, options: Sequence[str] = (), items: Mapping[str, Mapping[str, Item]] | None = None
) -> FinishedRun:
    """Read a run's folder.

    options: of the run's task, as in task.path=FILE, where its texts have moved. items: with their texts, by task and
    id, where they are at hand; None = read again as the run's config says, and left out where they are no longer what
    was judged.

    Raises JudgescaleError where it holds no finished run, or a file is not what a run writes.
    """
    summary = read_summary(folder, counts=("k", "items", "seed"))
    results = read_results(folder)
    judgments, credits = (read_table(folder, name, tuple(held)) for name, held in TABLES.items())
    missing: dict[str, str] = {}
    if items is None:
        items = {}
        for task in dict.fromkeys(result.task for result in results):
            live = any(result.task == task and result.engine != "recorded" for result in results)
            try:
                found, why = read_items(folder, task, options, live)
            except JudgescaleError as error:
                if options:
                    raise
                found, why = {}, str(error)
            if found and (wrong := find_foreign(found, judgments, task)):
                found, why = {}, f"the texts there are of other responses, or have other labels, than {wrong} had"
            items = {**items, **({task: found} if found else {})}
            missing |= {task: why} if why else {}
    return FinishedRun(folder, summary, results, judgments, credits, items, missing, *read_origin(folder))


def find_foreign(items: Mapping[str, Item], judgments: pa.Table, task: str) -> str:
    """Find an item of a task that was judged as something else than it is now: its id, or nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = judgments.filter(pc.equal(judgments["task"].cast(pa.string()), task))
    for row in own.select(["item", "shown", "responses", "gold"]).to_pylist():
        if row["item"] not in items or not are_the_same(items[row["item"]], row):
            return flatten_text(row["item"])
    return ""


def are_the_same(item: Item, row: Mapping[str, Any]) -> bool:
    """Tell whether a judgment saw an item's responses, by their names and gold."""
    seen = zip(row["shown"], row["responses"], row["gold"], strict=True)
    return all(
        0 <= place < len(item.responses) and (item.responses[place], item.gold[place]) == (name, gold)
        for place, name, gold in seen
    )
