"""The Hub's .eval_results: a YAML file for a model's repository, which its page and the benchmark's leaderboard show.

OWNER/NAME/.eval_results/TASK.yaml under the folder; a model's further arms have files of their own. The value is in
percent, as most leaderboards print it; interval, k, strategy, protocol and signature stand under `notes`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from judgescale.harness.exports import Format
from judgescale.harness.exports._boards import REPO, BoardArm, add_model, list_arms
from judgescale.harness.exports._files import write_whole
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import Estimate, JudgescaleError

UNITS = {"percent": 100.0, "fraction": 1.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the Hub asks for and no run knows."""
    add_model(parser)
    parser.add_argument(
        "--dataset", metavar="OWNER/NAME", help="the benchmark's data set on the Hub, if the run has none"
    )
    task = "the task's id in the eval.yaml of that data set; SECTION=ID for a section's"
    parser.add_argument("--task-id", action="append", default=[], metavar="[SECTION=]ID", help=task)
    parser.add_argument("--unit", choices=tuple(UNITS), default="percent", help="of the value")
    parser.add_argument(
        "--partial", action="store_true", help="also where not all of the benchmark's items were judged"
    )
    parser.add_argument("--source-url", metavar="URL", help="where the run can be looked at")
    parser.add_argument("--source-name", metavar="NAME", help="what that place is called")


def write(run: FinishedRun, folder: Path, given: argparse.Namespace) -> list[Path]:
    """Write a file for each arm.

    Raises JudgescaleError where the data set or the task's id is not known, where only some of the benchmark's items
    were judged, and for a section that there is none of.
    """
    arms = [choose_dataset(run, arm, given.dataset) for arm in list_arms(run, given.model)]
    tasks = read_tasks(run, given.task_id)
    if given.source_name and not given.source_url:
        raise JudgescaleError("--source-name: needs --source-url too")
    for arm in arms:
        check_whole(run, arm, given.partial)
    made = []
    for arm in arms:
        entries = [make_entry(run, arm, section, name, given) for section, name in tasks.items()]
        stem = "_".join(part for part in (arm.result.task, arm.variant) if part)
        path = folder / arm.model / ".eval_results" / f"{stem}.yaml"
        text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=10_000)
        made.append(write_whole(path, text))
    return made


def choose_dataset(run: FinishedRun, arm: BoardArm, given: str | None) -> BoardArm:
    """Choose the data set of an arm. Raises JudgescaleError where neither the run nor the caller names one."""
    if given is None and arm.dataset:
        return arm
    if given is None:
        task = flatten_text(arm.result.task)
        raise JudgescaleError(f"{run.folder}: {task}: no data set of the Hub is known for it; add --dataset OWNER/NAME")
    if not REPO.fullmatch(given):
        raise JudgescaleError(f"--dataset {flatten_text(given)}: give OWNER/NAME")
    return replace(arm, dataset=given, revision=arm.revision if given == arm.dataset else None)


def read_tasks(run: FinishedRun, given: Sequence[str]) -> dict[str, str]:
    """Read the tasks' ids by section, the headline's under "".

    Raises JudgescaleError where none is given, and for a section that the run has not.
    """
    if not given:
        raise JudgescaleError(
            "--task-id: say under which id of its eval.yaml the data set on the Hub lists this task (often default)"
        )
    tasks = {}
    for text in given:
        section, _, name = text.rpartition("=")
        for result in run.results:
            if section and section not in result.sections:
                has = ", ".join(map(flatten_text, result.sections))
                raise JudgescaleError(f"--task-id {flatten_text(text)}: no such section; the run has {has}")
        if not name.strip():
            raise JudgescaleError(f"--task-id {flatten_text(text)}: give an id")
        tasks[section] = name
    return tasks


def check_whole(run: FinishedRun, arm: BoardArm, partial: bool) -> None:
    """Raise JudgescaleError where a leaderboard would take a part of a benchmark for the whole."""
    numbers = arm.result.comparable.get("numbers") or [{}]
    why = "; ".join(
        [
            *(f"{name}={arm.signed[name]}" for name in ("limit", "subsets", "judged") if arm.signed.get(name)),
            *[str(numbers[0].get("why_not"))] * bool(numbers[0].get("why_not")),
        ]
    )
    if why and not partial:
        raise JudgescaleError(
            f"{run.folder}: {flatten_text(arm.result.judge)}: not the whole benchmark ({flatten_text(why)});"
            " --partial writes it all the same, and says so"
        )


def make_entry(run: FinishedRun, arm: BoardArm, section: str, task: str, given: argparse.Namespace) -> dict[str, Any]:
    """Make an entry, in the order of fields that the Hub documents."""
    result = arm.result
    estimate = result.sections[section] if section else result.headline
    dataset = {"id": arm.dataset, "task_id": task, **({"revision": arm.revision} if arm.revision else {})}
    source = {name: value for name, value in (("url", given.source_url), ("name", given.source_name)) if value}
    return {
        "dataset": dataset,
        "value": scale(estimate.value, given.unit),
        **({"date": run.date} if run.date else {}),
        **({"source": source} if source else {}),
        "notes": write_notes(arm, estimate, given.unit, given.partial),
    }


def scale(value: float, unit: str) -> float:
    """Return a fraction in a unit, rounded to a hundredth of a percent."""
    return round(UNITS[unit] * value, 2 if unit == "percent" else 4)


def write_notes(arm: BoardArm, estimate: Estimate, unit: str, partial: bool) -> str:
    """Write what stands beside the value: how sure it is, and how it was made."""
    result, parts = arm.result, []
    if estimate.ci is not None and all(map(isfinite, estimate.ci)):
        parts.append(f"95 % interval [{scale(estimate.ci[0], unit)}, {scale(estimate.ci[1], unit)}]")
    parts += [f"{estimate.items} items", f"{result.strategy}, k={result.k}"]
    protocol = arm.signed.get("protocol", "").partition("(")[0]
    parts += [f"protocol {protocol}"] * bool(protocol)
    parts += ["part of the benchmark only"] * bool(partial and arm.result.comparable.get("numbers"))
    return flatten_text("; ".join([*parts, f"signature {result.signature}"]))


FORMAT = Format(
    explain="the Hub's .eval_results: a YAML file for a model's repository and the benchmark's leaderboard",
    write=write,
    add_arguments=add_arguments,
)
