"""RMB best-of-N in the list protocol: the best of 3 to 7 responses has the highest score of all (arXiv 2410.09893).

One judgment of all responses, a score for each, or a tournament: the right one must come out alone at the top. The
owners' pair protocol (the best one against each loser) is task=rmb; the two have different chance levels, so they never
share a column. Each of the two sets, helpful (2,109 items) and harmless (1,677), is micro-averaged; the headline is
their plain mean.

Texts: the owners' BoN_set folder, the folder it lies in, or one of its files; rows as in task=rmb.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgescale.harness.evaluation.credit import best
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import items_with_gold
from judgescale.tasks.rmb import BON, SECTIONS, answers, item, rows
from judgescale.tasks.texts import Data, Placed, reader

SIZES = {"Helpful": 2_109, "Harmless": 1_677}


def section(item: Item) -> str:
    first = item.subset.split("/")[0]
    return SECTIONS.get(first, first)


def read(data: Data) -> Iterator[Placed]:
    for row, _, category in rows(data, BON):
        said = answers(row)
        yield item(row, f"{category}/{row.name('bon_uid')}", category, said, next(iter(said)))


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="rmb_bon",
        revision="1",
        protocols=("rmb_bon",),
        release=Path(__file__).with_name("release.json"),
        load=items_with_gold,
        credit=best,
        section=section,
        read=reader(read, path, hub),
        sizes=SIZES,
    )
