"""Judge which of two answers to a hard question is objectively right, in two games with the order swapped.

Rule (arXiv 2410.12784): a game counts +1 for the label, -1 against it, 0 for a tie or no verdict; a pair is right where
its games sum above zero. The headline is the mean over all pairs; the sections are the owners' four categories.

Data: one of the owners' files, dataset=judgebench,response_model=….jsonl (350 pairs by GPT-4o, or the 270 by Claude 3.5
Sonnet, an edition of its own), or the folder of one of them, or the Hub; `label` is "A>B" or "B>A":

    {"pair_id": "0f3c", "source": "mmlu-pro-law", "question": "Which court …?", "response_A": "The first …",
     "response_B": "The second …", "label": "A>B"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.options import write_override
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.source import hash_texts
from judgescale.harness.types import Edition, Item, JudgescaleError, Task
from judgescale.tasks.loading import load_gold_pairs, rank_section
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, make_reader

SECTIONS = {  # how a subset's name begins -> its section
    "mmlu-pro": "Knowledge",
    "livebench-reasoning": "Reasoning",
    "livebench-math": "Math",
    "livecodebench": "Coding",
}
FILES = "dataset=judgebench,*"
GOLD = {"A>B": (1.0, 0.0), "B>A": (0.0, 1.0)}
SIZES = {"Knowledge": 154, "Reasoning": 98, "Math": 56, "Coding": 42}  # the 350 pairs by GPT-4o
EDITIONS = {  # by whose pairs they are, besides GPT-4o's
    "claude-3-5-sonnet-20240620": Edition(
        sizes={"Knowledge": 154, "Reasoning": 51, "Math": 34, "Coding": 31}, published="JudgeBench-Claude"
    )
}


def section(item: Item) -> str:
    """Return the owners' category; an unknown subset is a section of its own."""
    return next((name for prefix, name in SECTIONS.items() if item.subset.startswith(prefix)), item.subset)


def load(data: RecordedSet) -> list[Item]:
    """Load the pairs of a recorded set, sections in the owners' order."""
    return sorted(load_gold_pairs(data), key=_rank)


def _rank(item: Item) -> int:
    return rank_section(section(item), SECTIONS.values())


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the owners' pairs, sections in their order. Raises JudgescaleError for a folder with both models' files."""
    if data.hub is None and len(files := data.list_files(FILES)) > 1:
        raise JudgescaleError(
            f"{data.title}: holds {' and '.join(file.name for file in files)}, whose pairs nobody scores together; name"
            f" one of them: {write_override('task.path', files[-1])}"
        )
    pairs = (_make_item(row) for row in data.read_rows(FILES))
    yield from sorted(pairs, key=lambda pair: _rank(pair.item))


def _make_item(row: RawRow) -> SourcedItem:
    label, name, question = row.get_text("label"), row.get_text("pair_id"), row.get_text("question")
    if label not in GOLD:
        row.reject("label", f"{label!r} is neither 'A>B' nor 'B>A'")
    texts, source = (row.get_text("response_A"), row.get_text("response_B")), row.get_text("source")
    item = Item(
        id=name,
        prompt=name,
        cluster=hash_texts(question),
        responses=("A", "B"),
        gold=GOLD[label],
        subset=source,
        conversation=(("user", question),),
        texts=texts,
    )
    return SourcedItem(item, row)


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated."""
    return Task(
        name="judgebench",
        revision="1",
        protocols=("judgebench",),
        release=Path(__file__).with_name("release.json"),
        load=load,
        credit=credit_best,
        section=section,
        read=make_reader(read, path, hub),
        published="JudgeBench",
        sizes=SIZES,
        editions=EDITIONS,
        parts_count=False,
    )
