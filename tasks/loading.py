"""Items of a recorded set, for the benchmarks whose gold labels stand in the set itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from judgescale.harness.recorded import RecordedSet
from judgescale.harness.types import Item, JudgescaleError, Record

Label = TypeVar("Label", bound=Hashable)


def first_records(data: RecordedSet) -> dict[str, Record]:
    """prompt -> the first record about it: all of them agree on the item."""
    first: dict[str, Record] = {}
    for r in data.records:
        first.setdefault(r.prompt, r)
    return first


def majority(votes: Sequence[Label], split: Label) -> Label:
    """The label most annotators gave, or `split` where none has the most."""
    (top, count), *rest = Counter(votes).most_common()
    return split if rest and rest[0][1] == count else top


def place(section: str, sections: Iterable[str]) -> int:
    """Where a section stands in the owners' order; others come last."""
    return [*sections, section].index(section)


def made_for(data: RecordedSet) -> str:
    return f"the set was made for task={' or '.join(data.meta.get('tasks', ['?']))}"


def items_with_gold(data: RecordedSet, width: int | None = None, some_right: bool = True) -> list[Item]:
    """One item a prompt, of `width` responses each where that is given; among several, `some_right` has to be.

    Raises JudgescaleError for others, and where the set leaves the gold to be derived from human rows.
    """
    items = []
    for prompt, r in first_records(data).items():
        if r.gold is None:
            raise JudgescaleError(
                f"{data.path}: item {prompt} has no gold label, so this task cannot score it; {made_for(data)}"
            )
        if any(g not in (0, 1) for g in r.gold) or (some_right and len(r.gold) > 1 and not any(r.gold)):
            raise JudgescaleError(
                f"{data.path}: item {prompt}: gold {list(r.gold)} must be 0 or 1 a response, 1 for every right one"
            )
        if width not in (None, len(r.responses)):
            raise JudgescaleError(
                f"{data.path}: item {prompt} has {len(r.responses)} response(s), this task needs {width};"
                f" {made_for(data)}"
            )
        items.append(
            Item(id=prompt, prompt=prompt, cluster=r.cluster, responses=r.responses, gold=r.gold, subset=r.subset)
        )
    return items


def pairs_with_gold(data: RecordedSet) -> list[Item]:
    """The items of a set, two responses each."""
    return items_with_gold(data, width=2)
