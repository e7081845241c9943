"""Judge 32 answers of one model to one question: is the answer that scores highest right? Five benchmarks.

Rule (arXiv 2410.14872): any number of an item's answers may be right, also none or all; its credit is the share of
right ones among those that score highest. The headline is the plain mean of the five benchmarks. Beside it stand what a
random pick earns and what an oracle earns, who picks a right one wherever there is one.

Data: the rows of task=ppe_correctness, whose pairs are not looked at; `n` takes the first n of the answers:

    {"question_id": "q7", "model_name": "m", "prompt": "How many …?", "response_1": "12", …, "response_32": "7",
     "scores": [false, …, true]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.types import Item, JudgescaleError, Task
from judgescale.tasks.loading import load_gold_items
from judgescale.tasks.ppe_correctness import ROWS, read_answer_sets, section, tag_model
from judgescale.tasks.texts import RawData, SourcedItem, make_reader

MOST = 32  # answers to a question


def load(data: RecordedSet, n: int) -> list[Item]:
    """Load the items of a recorded set, with the first n responses of each."""
    items = load_gold_items(data, some_right=False)
    for item in items:
        if len(item.responses) < n:
            raise JudgescaleError(
                f"{data.path}: item {item.id} has {len(item.responses)} responses, fewer than task.n={n}"
            )
    return [tag_model(replace(i, responses=i.responses[:n], gold=i.gold[:n])) for i in items]


def read(data: RawData, n: int) -> Iterator[SourcedItem]:
    """Read one item a row, with the first n answers of each."""
    for answers in read_answer_sets(data):
        if len(answers.right) < n:
            answers.row.reject("scores", f"holds {len(answers.right)}, fewer than task.n={n}")
        yield answers.make_item(answers.name, range(n))


def credit_reference_picks(item: Item, pools: Pools) -> Mapping[str, float]:
    """Credit a pick at random and a pick by the labels."""
    return {"random pick": float(np.mean(item.gold)), "oracle pick": max(item.gold)}


def task(path: str | None = None, hub: Mapping[str, Any] | None = None, n: int = MOST) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated.

    n: how many of each question's answers are judged, 2 to 32.
    """
    if type(n) is not int or not 2 <= n <= MOST:
        raise JudgescaleError(f"task.n={n}: must be a whole number from 2 to {MOST}")
    return Task(
        name="ppe_best_of_k",
        revision=f"1(n={n})",
        protocols=("ppe_best_of_k",),
        load=lambda data: load(data, n),
        credit=credit_best,
        section=section,
        extras=credit_reference_picks,
        read=make_reader(lambda data: read(data, n), path, hub),
        sizes=ROWS,
    )
