"""Make items out of recorded sets, for benchmarks whose gold labels stand in the set itself."""

from __future__ import annotations

from collections.abc import Iterable

from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.columns import About
from judgescale.harness.types import Item, JudgescaleError


def index_items(data: RecordedSet) -> dict[str, About]:
    """Map each prompt to what the set says of its item."""
    return {about.prompt: about for about in data.columns.items}


def rank_section(section: str, sections: Iterable[str]) -> int:
    """Return a section's place in the owners' order; sections that they do not have come last."""
    return [*sections, section].index(section)


def name_set_tasks(data: RecordedSet) -> str:
    """Say for which tasks a set was made, as the end of an error."""
    return f"the set was made for task={' or '.join(data.meta.get('tasks', ['?']))}"


def load_gold_items(data: RecordedSet, width: int | None = None, some_right: bool = True) -> list[Item]:
    """Make one item for each prompt of a set.

    Raises JudgescaleError where the set has no gold labels (but leaves them to be derived from human verdicts), where
    an item has another number of responses than `width`, and, with `some_right`, where none of several is right.
    """
    items = []
    for prompt, r in index_items(data).items():
        if r.gold is None:
            raise JudgescaleError(
                f"{data.path}: item {prompt} has no gold label, so this task cannot score it; {name_set_tasks(data)}"
            )
        if any(g not in (0, 1) for g in r.gold) or (some_right and len(r.gold) > 1 and not any(r.gold)):
            raise JudgescaleError(
                f"{data.path}: item {prompt}: gold {list(r.gold)} must be 0 or 1 a response, 1 for every right one"
            )
        if width not in (None, len(r.responses)):
            raise JudgescaleError(
                f"{data.path}: item {prompt} has {len(r.responses)} response(s), this task needs {width};"
                f" {name_set_tasks(data)}"
            )
        items.append(
            Item(id=prompt, prompt=prompt, cluster=r.cluster, responses=r.responses, gold=r.gold, subset=r.subset)
        )
    return items


def load_gold_pairs(data: RecordedSet) -> list[Item]:
    """Make the items of a set whose items all have two responses."""
    return load_gold_items(data, width=2)
