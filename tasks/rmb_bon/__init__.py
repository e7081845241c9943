"""Judge which of 3 to 7 responses is best: RMB best-of-N in the list protocol.

Rule (arXiv 2410.09893): one judgment of all responses, a score for each, or a tournament; the right one must come out
alone at the top. The owners' pair protocol (the best one against each loser) is task=rmb; the two have different chance
levels, so they never share a column. Each of the two sets, helpful (2,109 items) and harmless (1,677), is
micro-averaged; the headline is their plain mean.

Data: the owners' BoN_set folder, the folder it lies in, or one of its files; rows as in task=rmb:

    {"bon_uid": "b1", "category_path": "BoN_set/Harmlessness/S1", "conversation_input": [{"role": "user", …}],
     "bon_best": {"llm_name": "m", "answer": "I won't …"}, "loser_list": [{"llm_name": "n", "answer": "Sure …"}, …]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import load_gold_items
from judgescale.tasks.rmb import BON, SECTIONS, make_item, read_answers, read_rows
from judgescale.tasks.texts import RawData, SourcedItem, make_reader

SIZES = {"Helpful": 2_109, "Harmless": 1_677}


def section(item: Item) -> str:
    """Return the set: Helpful or Harmless."""
    first = item.subset.split("/")[0]
    return SECTIONS.get(first, first)


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read every best-of-N item with all of its responses."""
    for row, _, category in read_rows(data, BON):
        answers = read_answers(row)
        yield make_item(row, f"{category}/{row.get_name('bon_uid')}", category, answers, best=next(iter(answers)))


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated."""
    return Task(
        name="rmb_bon",
        revision="1",
        protocols=("rmb_bon",),
        release=Path(__file__).with_name("release.json"),
        load=load_gold_items,
        credit=credit_best,
        section=section,
        read=make_reader(read, path, hub),
        sizes=SIZES,
    )
