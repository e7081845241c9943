"""JudgeBench: objectively right against wrong answers, two games with the order swapped (arXiv 2410.12784).

A game counts +1 for the label, -1 against it, 0 for a tie or no verdict; a pair is right if its games sum above zero.
The headline is the mean over all pairs; sections are the owners' four categories.
"""

from __future__ import annotations

from harness.credit import best
from harness.recorded import RecordedSet
from harness.types import Item, Task
from tasks.loading import items_with_gold, require_width

SECTIONS = {
    "mmlu-pro": "Knowledge", "livebench-reasoning": "Reasoning", "livebench-math": "Math", "livecodebench": "Coding",
}  # fmt: skip

SIZES = {"Knowledge": 154, "Reasoning": 98, "Math": 56, "Coding": 42}  # the 350 pairs by GPT-4o


def section(item: Item) -> str:
    return next((name for prefix, name in SECTIONS.items() if item.subset.startswith(prefix)), item.subset)


def load(data: RecordedSet) -> list[Item]:
    items = require_width(data, items_with_gold(data), 2, "judgebench")
    return sorted(items, key=lambda item: list(SECTIONS.values()).index(section(item))
                  if section(item) in SECTIONS.values() else len(SECTIONS))  # fmt: skip


def task() -> Task:
    return Task("judgebench", "1", load, best, section=section, published="JudgeBench", sizes=SIZES,
                published_with=("voting", 2))  # fmt: skip
