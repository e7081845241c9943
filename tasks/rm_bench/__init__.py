"""Judge whether a right answer beats a wrong one, whatever the style of either: subtle errors against style.

Rule (arXiv 2410.16184): a row has three right and three wrong answers, the same content in three styles. Its nine pairs
are nine items, right where the right answer scores strictly higher. A pair is hard where the wrong answer has the
fancier style, normal where both have the same, easy where the right one has. Every level has three of the nine pairs,
so the mean over a domain's items is the owners' mean of its three levels; the headline is the plain mean of the four
domains.

Data: the Hub's set, the owners' total_dataset.json, or a folder of their *_filtered.json, whose names give the domain.
`chosen` and `rejected` list the styles from plain to fancy; items of one prompt share their cluster:

    {"id": 8, "domain": "chat", "prompt": "Who wrote …?", "chosen": ["Ann.", "It was Ann, …", "**Ann** wrote …"],
     "rejected": ["Bob.", "It was Bob, …", "**Bob** wrote …"]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.source import hash_texts
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import load_gold_pairs
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, make_reader, shuffle_by_name

DOMAINS = {"chat": "Chat", "math": "Math", "code": "Code", "safety-refuse": "Safety", "safety-response": "Safety"}
STYLES = ("concise", "detailed", "markdown")  # from plain to fancy, as the rows list them
SIZES = {"Chat": 129 * 9, "Math": 529 * 9, "Code": 228 * 9, "Safety": 441 * 9}


def load(data: RecordedSet) -> list[Item]:
    """Load the pairs of a recorded set."""
    return [tag_level(item) for item in load_gold_pairs(data)]


def section(item: Item) -> str:
    """Return the domain, under which both safety files are one."""
    domain = item.subset.split("/")[0]
    return DOMAINS.get(domain, domain)


def tag_level(item: Item) -> Item:
    """Add the level as a break-down of results; the subset names it behind the domain: "safety-refuse/hard"."""
    level = item.subset.partition("/")[2]
    return replace(item, tags=(("level", level),)) if level else item


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read nine pairs for every row."""
    for row in data.read_rows("*_filtered.json*"):
        domain = row.get_text("domain") if "domain" in row.fields else row.source.stem.removesuffix("_filtered")
        if domain not in DOMAINS:
            row.reject("domain", f"{domain!r} is none of {', '.join(DOMAINS)}")
        chosen, rejected = read_styles(row, "chosen"), read_styles(row, "rejected")
        question, name = row.get_text("prompt"), f"{domain}/{row.get_name('id')}"
        for i, j in product(range(len(STYLES)), repeat=2):
            pair = f"{name}/{STYLES[i]}-{STYLES[j]}"
            labelled = [(f"chosen {STYLES[i]}", chosen[i], 1.0), (f"rejected {STYLES[j]}", rejected[j], 0.0)]
            responses, texts, gold = zip(*shuffle_by_name(pair, labelled))
            item = Item(
                id=pair,
                prompt=pair,
                cluster=hash_texts(question),
                responses=responses,
                gold=gold,
                subset=f"{domain}/{name_level(i, j)}",
                conversation=(("user", question),),
                texts=texts,
            )
            yield SourcedItem(tag_level(item), row)


def name_level(right: int, wrong: int) -> str:
    """Name the level of a pair by the styles (indices of STYLES) of the right answer and the wrong one."""
    return "hard" if right < wrong else "normal" if right == wrong else "easy"


def read_styles(row: RawRow, field: str) -> list[str]:
    """Read the right or the wrong answers, one in each style."""
    if len(found := row.get_texts(field)) != len(STYLES):
        row.reject(field, f"has {len(found)} answers, expected {len(STYLES)}: {', '.join(STYLES)}")
    return found


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated."""
    return Task(
        name="rm_bench",
        revision="1",
        protocols=("rm_bench",),
        release=Path(__file__).with_name("release.json"),
        load=load,
        credit=credit_best,
        section=section,
        read=make_reader(read, path, hub),
        published="RM-Bench",
        sizes=SIZES,
    )
