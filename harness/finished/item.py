"""Gather what a finished run knows of one item: its texts, its judgments, and what was decided about it at every k."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from judgescale.harness.errors import list_some
from judgescale.harness.finished.games import Course, read_courses
from judgescale.harness.finished.reading import read_arms_of_summary
from judgescale.harness.finished.run import are_the_same
from judgescale.harness.finished.tables import Row, read_rows
from judgescale.harness.finished.texts import read_items
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import Item, JudgescaleError

CREDITS = ("task", "arm", "item", "subset", "section", "cluster", "gold", "k", "credit", "judgments", "decision")
JUDGMENTS = (
    "task", "item", "subset", "cluster", "judge", "variant", "sample", "shown", "responses", "scores", "gold", "status",
    "meta", "text",
)  # fmt: skip
MAY_BE_EMPTY = ("scores", "meta", "text")


@dataclass(frozen=True)
class Unit:
    """Hold one unit of a run, most often a single item."""

    task: str
    name: str
    credits: tuple[Row, ...]  # rows of credits.parquet
    judgments: tuple[Row, ...]  # rows of judgments.parquet
    items: tuple[Item, ...]  # with their texts; empty where these are not to be had
    missing: str  # why
    courses: tuple[Course, ...] = ()  # of the items' tournaments, one of each arm that played one


def gather_unit(folder: Path, wanted: str, options: Sequence[str] = (), task: str | None = None) -> Unit:
    """Gather what a run knows of an item, which is named by its id or by an end of it that no other has.

    options: of the run's task, as in task.path=FILE, where its texts have moved. task: of a run with several.

    Raises JudgescaleError where there is no such run or item, naming those that are like it.
    """
    arms = read_arms_of_summary(folder)
    credits, judgments = (
        read_rows(folder, "credits", CREDITS, MAY_BE_EMPTY),
        read_rows(folder, "judgments", JUDGMENTS, MAY_BE_EMPTY),
    )
    tasks = list(dict.fromkeys(row["task"] for row in credits))
    if task is not None and task not in tasks:
        raise JudgescaleError(f"--task {flatten_text(task)}: {folder} has {', '.join(map(flatten_text, tasks))}")
    credits, judgments = ([r for r in rows if task in (None, r["task"])] for rows in (credits, judgments))
    units = {(row["task"], row["item"]) for row in credits}
    names = dict.fromkeys([*units, *((row["task"], row["item"]) for row in judgments)])
    of_task, name = choose_name(folder, wanted, list(names))
    of_unit = [row for row in credits if (row["task"], row["item"]) == (of_task, name)]
    own = [row for row in judgments if (row["task"], row["item"]) == (of_task, name)]
    if of_unit and not own:  # several items, scored together
        one = of_unit[0]
        alike = (of_task, one["subset"], one["cluster"])
        own = [row for row in judgments if (row["task"], row["subset"], row["cluster"]) == alike]
    ids = list(dict.fromkeys(row["item"] for row in own)) or [name]
    live = any(arm["task"] == of_task and arm.get("engine") != "recorded" for arm in arms)
    found, missing = read_items(folder, of_task, options, live)
    items = tuple(found[name] for name in ids if name in found)
    if found and (gone := [name for name in ids if name not in found]):
        items, missing = (), f"task={of_task} has no item {flatten_text(gone[0])} there any more"
    if items and not all(are_the_same(item, row) for item in items for row in own if row["item"] == item.id):
        items, missing = (), "the texts there are of other responses, or have other labels, than what was judged"
    courses = tuple(read_courses(folder, of_task, ids))
    return Unit(of_task, name, tuple(of_unit), tuple(own), items, missing, courses)


def choose_name(folder: Path, wanted: str, names: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Choose the item of this id, or the only one whose id ends with it."""
    found = [one for one in names if one[1] == wanted] or [one for one in names if one[1].endswith(f"/{wanted}")]
    if len(found) == 1:
        return found[0]
    if found and len({name for _, name in found}) == 1:
        tasks = ", ".join(flatten_text(task) for task, _ in found)
        raise JudgescaleError(f"{folder}: {flatten_text(wanted)} is an item of {tasks}; choose one with --task")
    like = [name for _, name in found] or difflib.get_close_matches(wanted, [name for _, name in names], 6, 0.5)
    like = like or [name for _, name in names[:6]]
    told = "several items end so" if found else "no such item"
    raise JudgescaleError(f"{folder}: {flatten_text(wanted)}: {told}; it has {list_some([*map(flatten_text, like)])}")
