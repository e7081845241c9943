"""RMB pairs: the chosen response scores strictly higher, a tie is wrong (arXiv 2410.09893). Micro-averaged."""

from __future__ import annotations

from harness.credit import best
from harness.recorded import RecordedSet
from harness.types import Item, Task
from tasks.loading import items_with_gold, require_width


def load(data: RecordedSet) -> list[Item]:
    return require_width(data, items_with_gold(data), 2, "rmb")


def task() -> Task:
    return Task("rmb", "1", load, best)
