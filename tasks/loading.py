"""Items of a recorded set, for the benchmarks whose gold labels stand in the set itself."""

from __future__ import annotations

from harness.recorded import RecordedSet
from harness.types import Item, JudgescaleError


def items_with_gold(data: RecordedSet) -> list[Item]:
    """One item a prompt. Raises JudgescaleError where the set leaves the gold to be derived from human rows."""
    items: dict[str, Item] = {}
    for r in data.records:
        if r.prompt not in items:
            if r.gold is None:
                raise JudgescaleError(
                    f"{data.path}: item {r.prompt} has no gold label, so this task cannot score it; "
                    f"the set was made for task={' or '.join(data.meta.get('tasks', ['?']))}"
                )
            if any(g not in (0, 1) for g in r.gold) or (len(r.gold) > 1 and not any(r.gold)):
                raise JudgescaleError(f"{data.path}: item {r.prompt}: gold {list(r.gold)} must be 0 or 1 a response,"
                                      " 1 for every right one")  # fmt: skip
            items[r.prompt] = Item(r.prompt, r.prompt, r.cluster, r.responses, r.gold, r.subset)
    return list(items.values())


def require_width(data: RecordedSet, items: list[Item], width: int, task: str) -> list[Item]:
    """The items, if each has `width` responses; JudgescaleError naming the first that has not."""
    for item in items:
        if len(item.responses) != width:
            raise JudgescaleError(
                f"{data.path}: item {item.id} has {len(item.responses)} response(s), task={task} needs {width};"
                f" the set was made for task={' or '.join(data.meta.get('tasks', ['?']))}"
            )
    return items
