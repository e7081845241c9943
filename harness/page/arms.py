"""The arms that a page shows: of one run, or of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.report.readings import group_by_task, name_arms
from judgescale.harness.types import Result


@dataclass(frozen=True)
class PageArm:
    """Hold one arm of a page."""

    place: int  # on the page, from 0
    run: int  # place of its run on the page, from 0
    number: int  # in its run: place in summary.json's "arms", from 1; credits.parquet has it too
    task: str
    name: str  # of its own within its task
    result: Result


def list_arms(runs: Sequence[FinishedRun]) -> tuple[PageArm, ...]:
    """List the arms of runs, run after run, each named apart from the others of its task."""
    found = [(place, number, r) for place, run in enumerate(runs) for number, r in enumerate(run.results, 1)]
    groups = group_by_task([result for _, _, result in found])
    names = {task: iter(name_arms(of_task)) for task, of_task in groups.items()}
    return tuple(PageArm(i, run, n, r.task, next(names[r.task]), r) for i, (run, n, r) in enumerate(found))
