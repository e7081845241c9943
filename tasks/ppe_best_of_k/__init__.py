"""PPE best-of-K: how often is the answer that a judge picks out of 32 right? Five benchmarks (arXiv 2410.14872).

An item is a question with all of one model's answers: any number of them may be right, also none or all. Its credit is
the share of right ones among those scored highest. The headline is the plain mean of the five benchmarks; beside it
stand what a random pick earns and what an oracle earns, who picks a right one wherever there is one.

Texts: rows as in task=ppe_correctness. `n` takes the first n of the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.types import Item, JudgescaleError, Task
from judgescale.tasks.loading import items_with_gold
from judgescale.tasks.ppe_correctness import ROWS, answered, section, tagged
from judgescale.tasks.texts import Data, Placed, reader

MOST = 32


def load(data: RecordedSet, n: int) -> list[Item]:
    items = items_with_gold(data, some_right=False)
    for item in items:
        if len(item.responses) < n:
            raise JudgescaleError(
                f"{data.path}: item {item.id} has {len(item.responses)} responses, fewer than task.n={n}"
            )
    return [tagged(replace(i, responses=i.responses[:n], gold=i.gold[:n])) for i in items]


def read(data: Data, n: int) -> Iterator[Placed]:
    for answers in answered(data):
        if len(answers.right) < n:
            answers.row.wrong("scores", f"holds {len(answers.right)}, fewer than task.n={n}")
        yield answers.item(answers.name, range(n))


def picks(item: Item, pools: Pools) -> Mapping[str, float]:
    """What a pick at random and a pick by the labels would earn."""
    return {"random pick": float(np.mean(item.gold)), "oracle pick": max(item.gold)}


def task(path: str | None = None, hub: Mapping[str, Any] | None = None, n: int = MOST) -> Task:
    if type(n) is not int or not 2 <= n <= MOST:
        raise JudgescaleError(f"task.n={n}: must be a whole number from 2 to {MOST}")
    return Task(
        name="ppe_best_of_k",
        revision=f"1(n={n})",
        protocols=("ppe_best_of_k",),
        load=lambda data: load(data, n),
        credit=best,
        section=section,
        extras=picks,
        read=reader(lambda data: read(data, n), path, hub),
        sizes=ROWS,
    )
