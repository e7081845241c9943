"""RM-Bench: subtle errors against style, every style of the right answer against every one of the wrong (2410.16184).

A row has three right and three wrong answers, the same content in three styles; its nine pairs are nine items, right
where the right answer scores strictly higher. A pair is hard where the wrong answer has the fancier style, normal where
both have the same, easy where the right one has. Every level has three of the nine pairs, so the mean over a domain's
items is the owners' mean of its three levels; the headline is the plain mean of the four domains.

Texts: the Hub's set, the owners' total_dataset.json, or a folder of their *_filtered.json, whose names give the domain;
rows {"id", "prompt", "chosen": [concise, detailed, markdown], "rejected": [the same], "domain"}. Items of one prompt
share their cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.source import text_key
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import pairs_with_gold
from judgescale.tasks.texts import Data, Placed, Row, reader, unranked

DOMAINS = {"chat": "Chat", "math": "Math", "code": "Code", "safety-refuse": "Safety", "safety-response": "Safety"}
STYLES = ("concise", "detailed", "markdown")  # from plain to fancy, as the rows list them
SIZES = {"Chat": 129 * 9, "Math": 529 * 9, "Code": 228 * 9, "Safety": 441 * 9}


def load(data: RecordedSet) -> list[Item]:
    return [tagged(item) for item in pairs_with_gold(data)]


def section(item: Item) -> str:
    domain = item.subset.split("/")[0]
    return DOMAINS.get(domain, domain)


def tagged(item: Item) -> Item:
    """The item with its level as a break-down, which its subset names behind the domain: "safety-refuse/hard"."""
    level = item.subset.partition("/")[2]
    return replace(item, tags=(("level", level),)) if level else item


def read(data: Data) -> Iterator[Placed]:
    for row in data.rows("*_filtered.json*"):
        domain = row.text("domain") if "domain" in row.fields else row.source.stem.removesuffix("_filtered")
        if domain not in DOMAINS:
            row.wrong("domain", f"{domain!r} is none of {', '.join(DOMAINS)}")
        chosen, rejected = styles(row, "chosen"), styles(row, "rejected")
        question, name = row.text("prompt"), f"{domain}/{row.name('id')}"
        for i, j in product(range(len(STYLES)), repeat=2):
            pair, subset = f"{name}/{STYLES[i]}-{STYLES[j]}", f"{domain}/{level(i, j)}"
            said = [(f"chosen {STYLES[i]}", chosen[i], 1.0), (f"rejected {STYLES[j]}", rejected[j], 0.0)]
            responses, texts, gold = zip(*unranked(pair, said))
            asked = (("user", question),)
            item = Item(
                id=pair,
                prompt=pair,
                cluster=text_key(question),
                responses=responses,
                gold=gold,
                subset=subset,
                conversation=asked,
                texts=texts,
            )
            yield Placed(tagged(item), row)


def level(right: int, wrong: int) -> str:
    """By the styles of the right answer and the wrong one."""
    return "hard" if right < wrong else "normal" if right == wrong else "easy"


def styles(row: Row, field: str) -> list[str]:
    """The answers of one kind, one a style."""
    if len(found := row.texts(field)) != len(STYLES):
        row.wrong(field, f"has {len(found)} answers, expected {len(STYLES)}: {', '.join(STYLES)}")
    return found


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="rm_bench",
        revision="1",
        protocols=("rm_bench",),
        release=Path(__file__).with_name("release.json"),
        load=load,
        credit=best,
        section=section,
        read=reader(read, path, hub),
        published="RM-Bench",
        sizes=SIZES,
    )
