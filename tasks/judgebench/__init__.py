"""JudgeBench: objectively right against wrong answers, two games with the order swapped (arXiv 2410.12784).

A game counts +1 for the label, -1 against it, 0 for a tie or no verdict; a pair is right if its games sum above zero.
The headline is the mean over all pairs; sections are the owners' four categories.

Texts: one of the owners' files, dataset=judgebench,response_model=….jsonl, or the folder of them (350 pairs by GPT-4o,
270 by Claude 3.5 Sonnet); rows {"pair_id", "source", "question", "response_A", "response_B", "label": "A>B" or "B>A"}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.source import text_key
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import pairs_with_gold, place
from judgescale.tasks.texts import Data, Placed, Row, reader

SECTIONS = {
    "mmlu-pro": "Knowledge", "livebench-reasoning": "Reasoning", "livebench-math": "Math", "livecodebench": "Coding",
}  # fmt: skip
GOLD = {"A>B": (1.0, 0.0), "B>A": (0.0, 1.0)}
SIZES = {"Knowledge": 154, "Reasoning": 98, "Math": 56, "Coding": 42}  # the 350 pairs by GPT-4o


def section(item: Item) -> str:
    return next((name for prefix, name in SECTIONS.items() if item.subset.startswith(prefix)), item.subset)


def load(data: RecordedSet) -> list[Item]:
    return sorted(pairs_with_gold(data), key=_place)


def _place(item: Item) -> int:
    return place(section(item), SECTIONS.values())


def read(data: Data) -> Iterator[Placed]:
    placed = (_item(row) for row in data.rows("dataset=judgebench,*"))
    yield from sorted(placed, key=lambda p: _place(p.item))


def _item(row: Row) -> Placed:
    label, name, question = row.text("label"), row.text("pair_id"), row.text("question")
    if label not in GOLD:
        row.wrong("label", f"{label!r} is neither 'A>B' nor 'B>A'")
    texts, source = (row.text("response_A"), row.text("response_B")), row.text("source")
    item = Item(
        id=name,
        prompt=name,
        cluster=text_key(question),
        responses=("A", "B"),
        gold=GOLD[label],
        subset=source,
        conversation=(("user", question),),
        texts=texts,
    )
    return Placed(item, row)


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="judgebench",
        revision="1",
        protocols=("judgebench",),
        release=Path(__file__).with_name("release.json"),
        load=load,
        credit=best,
        section=section,
        read=reader(read, path, hub),
        published="JudgeBench",
        sizes=SIZES,
        parts_count=False,
        published_with=("voting", 2),
    )
