"""LLMBar: instruction following against superficial quality, judged in both orders (arXiv 2310.07641).

Accuracy is the mean over the two orders, so strategy=single reproduces it; a missing verdict is wrong. Beside it stand
the owners' other figures: accuracy in each order, in both at once, and how often the two orders agree. Their kappas
are left out: the code behind them reads winner 2 as 0 and holds that against label 2.

Texts: the owners' Dataset folder, with Natural/dataset.json and so on at any depth, or one dataset.json, whose subset
is its folder's name; rows {"input", "output_1", "output_2", "label": 1 or 2}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.types import Item, JudgescaleError, Task
from judgescale.tasks.loading import pairs_with_gold
from judgescale.tasks.texts import Data, Placed, reader

SIZES = {"Natural": 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}


def read(data: Data) -> Iterator[Placed]:
    found = data.files("**/dataset.json*")
    if found != [data.path]:
        found = [file for subset in SIZES for file in found if file.absolute().parent.name == subset]
    if not found:
        raise JudgescaleError(f"{data.shown}: no {'/, '.join(SIZES)}/ with a dataset.json in this folder")
    for file in found:
        subset = file.absolute().parent.name
        for index, row in enumerate(data.of(file)):
            label = row.name("label")
            if label not in ("1", "2"):
                row.wrong("label", f"{label!r} is neither 1 nor 2")
            name = f"{subset}/{index}"
            texts, gold = (row.text("output_1"), row.text("output_2")), (float(label == "1"), float(label == "2"))
            asked = (("user", row.text("input")),)
            yield Placed(
                Item(
                    id=name,
                    prompt=name,
                    cluster=name,
                    responses=("1", "2"),
                    gold=gold,
                    subset=subset,
                    conversation=asked,
                    texts=texts,
                ),
                row,
            )


def by_order(item: Item, pools: Pools) -> Mapping[str, float]:
    """The owners' per-item figures, for one pool of exactly one judgment in each order; else none."""
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
    return Task(
        name="llmbar",
        revision="1",
        protocols=("llmbar",),
        release=Path(__file__).with_name("release.json"),
        load=pairs_with_gold,
        credit=best,
        extras=by_order,
        read=reader(read, path),
        published="LLMBar",
        sizes=SIZES,
    )
