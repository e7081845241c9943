"""Check a local copy of a benchmark: are its labels those of the owners' release that its loader was checked on?

tasks/NAME/release.json holds digests for every subset of that release, and for each file where a subset lies in
several. Equal items with equal texts but other labels are an error: a label column that was swapped or shifted looks
like any other. The digests are made of what a judge is shown and scored by, not of the order in which responses are
listed. A task names its file itself (`Task.release`); this command line makes one, TASK being the task's _target_:

    python -m judgescale.harness.plan.releases judgescale.tasks.NAME.task --source REPOSITORY@COMMIT PATH… \\
        > tasks/NAME/release.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from judgescale.harness.errors import explain_error, list_some
from judgescale.harness.options import build
from judgescale.harness.types import Item, JudgescaleError, Loaded, Task


def check_release(loaded: Loaded, task: Task, release: Path, shown: str) -> list[str]:
    """Return notes on what differs from the release, which is a release.json; `shown` names the copy in errors.

    Raises JudgescaleError where labels differ, unless the rows are the Hub's.
    """
    known = json.loads(release.read_text())
    source, digits = known["source"].rsplit("@", 1)
    source = f"{source}@{digits[:8]}"
    official = {(entry["subset"], entry["ids"]): entry for entry in known["subsets"]}
    unknown, labels, texts = [], [], []
    for entry in list_digests(task, loaded.items):
        subset, there = entry["subset"] or "all", official.get((entry["subset"], entry["ids"]))
        if there is None:
            unknown.append(subset)
        elif there["texts"] != entry["texts"]:
            texts.append(subset)
        elif there["gold"] != entry["gold"]:
            labels.append(f"{subset} ({entry['items']:,} items)")
    if labels and "hub" not in loaded.origin:
        raise JudgescaleError(
            f"{shown}, {list_some(labels)}: the labels are not those of the owners' release ({source}): fetch it again,"
            " or set task.release=false for a version of your own"
        )
    notes = []
    if labels:
        notes.append(f"The labels of {list_some(labels)} differ from the owners' release ({source}).")
    if texts:
        notes.append(f"The texts of {list_some(texts)} differ from the owners' release ({source}): labels not checked.")
    if unknown:
        notes.append(
            f"Other items than in the checked release ({source}), so labels not checked: {list_some(unknown)}."
        )
    return notes


def read_items(task: Task) -> Sequence[Item]:
    """Read a task's items with their texts. Raises JudgescaleError for a task that has none."""
    if task.read is None:
        raise JudgescaleError(f"task={task.name} has no texts to make digests of")
    return task.read().items


def list_digests(task: Task, items: Iterable[Item]) -> list[dict[str, Any]]:
    """Make one entry for every subset.

    What is scored together is digested together, so that a label cannot move from one item to another unnoticed.
    """
    subsets: dict[str, dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        subsets[item.subset][task.unit(item)].append(item)
    return [
        {
            "subset": subset,
            "items": sum(map(len, units.values())),
            "ids": _digest(item.id for unit in units.values() for item in unit),
            "gold": _digest(
                (name, _sort_unique(pair for i in unit for pair in zip(i.texts, i.gold)))
                for name, unit in units.items()
            ),
            "texts": _digest(
                (name, _sort_unique(i.conversation for i in unit), _sort_unique(text for i in unit for text in i.texts))
                for name, unit in units.items()
            ),
        }
        for subset, units in sorted(subsets.items())
    ]


def _digest(values: Iterable[Any]) -> str:
    """Hash values whatever their order."""
    return hashlib.sha256(json.dumps(sorted(values)).encode()).hexdigest()[:12]


def _sort_unique(values: Iterable[Any]) -> list[Any]:
    return sorted(set(values))


def format_release(source: str, entries: Iterable[dict[str, Any]]) -> str:
    """Format release.json, with one line for each entry."""
    lines = ",\n".join(sorted({json.dumps(entry) for entry in entries}))
    return f'{{"source": {json.dumps(source)}, "subsets": [\n{lines}\n]}}\n'


def main() -> None:
    """Print release.json for the owners' copies of a benchmark."""
    parser = argparse.ArgumentParser(description="Print release.json for the owners' copies of a benchmark.")
    parser.add_argument("task", help="the task's _target_, as in judgescale.tasks.rmb.task")
    parser.add_argument("path", nargs="+", help="as in task.path; several where a subset may lie in several")
    parser.add_argument("--source", required=True, help="where the copies come from: github.com/OWNER/NAME@COMMIT")
    given = parser.parse_args()
    if "@" not in given.source:
        parser.error(f"--source {given.source}: names no commit, as in github.com/OWNER/NAME@COMMIT")
    if not _is_target(given.task):
        parser.error(f"{given.task}: is no task's _target_, as in judgescale.tasks.rmb.task")
    try:
        tasks: list[Task] = [build({"_target_": given.task, "path": path}, "task") for path in given.path]
        print(format_release(given.source, [e for task in tasks for e in list_digests(task, read_items(task))]), end="")
    except JudgescaleError as error:
        sys.exit(explain_error(error))


def _is_target(name: str) -> bool:
    """Tell whether a dotted name can be imported."""
    module, _, attribute = name.rpartition(".")
    try:
        return attribute in vars(import_module(module))
    except (ImportError, ValueError):  # no such module, or no dot in the name
        return False


if __name__ == "__main__":
    main()
