"""Judge which of two outputs follows the instruction, where superficial quality misleads; in both orders.

Rule (arXiv 2310.07641): accuracy is the mean over the two orders, so strategy=single reproduces it; a missing verdict
is wrong. Beside it stand the owners' other figures: accuracy in each order, in both at once, and how often the two
orders agree. Their kappas are left out: the code behind them reads winner 2 as 0 and holds that against label 2.

Data: the owners' Dataset folder, with Natural/dataset.json and so on at any depth, or one dataset.json, whose subset is
its folder's name; `label` is 1 or 2:

    {"input": "Name one fruit.", "output_1": "Apple.", "output_2": "Fruit is a fine thing to eat …", "label": 1}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.types import Item, JudgescaleError, Task
from judgescale.tasks.loading import load_gold_pairs
from judgescale.tasks.texts import RawData, SourcedItem, make_reader

SIZES = {"Natural": 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the owners' dataset.json files, subsets in their order."""
    found = data.list_files("**/dataset.json*")
    if found != [data.path]:
        found = [file for subset in SIZES for file in found if file.absolute().parent.name == subset]
    if not found:
        raise JudgescaleError(f"{data.title}: no {'/, '.join(SIZES)}/ with a dataset.json in this folder")
    for file in found:
        subset = file.absolute().parent.name
        for index, row in enumerate(data.read_file(file)):
            label = row.get_name("label")
            if label not in ("1", "2"):
                row.reject("label", f"{label!r} is neither 1 nor 2")
            name = f"{subset}/{index}"
            item = Item(
                id=name,
                prompt=name,
                cluster=name,
                responses=("1", "2"),
                gold=(float(label == "1"), float(label == "2")),
                subset=subset,
                conversation=(("user", row.get_text("input")),),
                texts=(row.get_text("output_1"), row.get_text("output_2")),
            )
            yield SourcedItem(item, row)


def credit_orders(item: Item, pools: Pools) -> Mapping[str, float]:
    """Credit the owners' further figures, for a pool of exactly one judgment in each order; for others none."""
    if len(pools) != 1:
        return {}
    (pool,) = pools.values()
    first = {j.shown[0]: row for row, j in enumerate(pool.judgments)}
    if sorted(first) != [0, 1] or len(pool) != 2:
        return {}
    verdict = np.sign(pool.scores[:, 0] - pool.scores[:, 1])
    right = verdict == np.sign(item.gold[0] - item.gold[1])
    same = verdict[first[0]] == verdict[first[1]] or np.isnan(verdict).all()
    return {
        "accuracy as shown": float(right[first[0]]),
        "accuracy swapped": float(right[first[1]]),
        "right in both orders": float(right.all()),
        "orders agree": float(same),
    }


def task(path: str | None = None) -> Task:
    """Make the task. path: where the texts are; without it only recorded sets can be evaluated."""
    return Task(
        name="llmbar",
        revision="1",
        protocols=("llmbar",),
        release=Path(__file__).with_name("release.json"),
        load=load_gold_pairs,
        credit=credit_best,
        extras=credit_orders,
        read=make_reader(read, path),
        published="LLMBar",
        sizes=SIZES,
    )
