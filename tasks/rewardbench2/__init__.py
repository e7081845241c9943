"""RewardBench 2: best of 4 in five subsets, and Ties (arXiv 2506.01937; scoring of allenai/reward-bench).

Best of 4 earns 1/m if the right answer is among m tied maxima; an unusable generative verdict earns chance, 1/4. Ties
has two items for each of its prompts, `ref` (one right answer) and `tied` (several), and one score for both of them,
which takes ratings: letters have no margins. The headline is the plain mean of the subsets.

Texts: the owners' file (Parquet or JSON Lines); rows {"id", "subset", "prompt", "chosen": [text, …], "rejected": [text,
…]}; in Ties the ids are ref:NUMBER and tied:NUMBER.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.types import Item, JudgescaleError, Rules, Task
from judgescale.tasks.loading import items_with_gold
from judgescale.tasks.texts import Data, Placed, Row, reader, unranked

SIZES = {"Factuality": 475, "Precise IF": 160, "Math": 183, "Safety": 450, "Focus": 495, "Ties": 102}
SUBSETS = tuple(SIZES)


def load(data: RecordedSet) -> list[Item]:
    return arranged(items_with_gold(data), str(data.path))


def arranged(items: list[Item], path: str) -> list[Item]:
    """The items by subset; JudgescaleError for an unknown one, or a Ties prompt that is not there twice."""
    for item in items:
        if item.subset not in SUBSETS:
            raise JudgescaleError(
                f"{path}: item {item.id} has subset {item.subset!r}; RewardBench 2 has " + ", ".join(SUBSETS)
            )
        if item.subset == "Ties" and all(item.gold):
            raise JudgescaleError(f"{path}: Ties item {item.id} has no wrong response to be above")
    partners: dict[str, list[str]] = {}
    for item in items:
        if item.subset == "Ties":
            partners.setdefault(item.cluster, []).append(item.id)
    for cluster, ids in partners.items():
        if len(ids) != 2:
            raise JudgescaleError(
                f"{path}: Ties prompt {cluster} has {len(ids)} item(s) ({', '.join(ids)}); "
                "it is scored from one ref and one tied item"
            )
    return sorted(items, key=lambda item: SUBSETS.index(item.subset))


def read(data: Data) -> Iterator[Placed]:
    placed = [_item(row) for row in data.rows("*")]
    arranged([p.item for p in placed], data.shown)
    yield from sorted(placed, key=lambda p: SUBSETS.index(p.item.subset))


def _item(row: Row) -> Placed:
    number, subset = row.name("id"), row.text("subset")
    name = f"{subset}/{number}"
    both = [(text, 1.0) for text in row.texts("chosen")] + [(text, 0.0) for text in row.texts("rejected")]
    # called by their places in the file, as in recorded sets
    responses, texts, gold = zip(*unranked(name, [(str(i), *labelled) for i, labelled in enumerate(both)]))
    item = Item(
        id=name,
        prompt=name,
        cluster=f"{subset}/{number.split(':')[-1]}" if subset == "Ties" else name,
        responses=responses,
        gold=gold,
        subset=subset,
        conversation=row.turns("prompt"),
        texts=texts,
    )
    return Placed(item, row)


def unit(item: Item) -> str:
    """An item, or both items of a Ties prompt, by a name that no item has."""
    return f"{item.cluster} (ref and tied)" if item.subset == "Ties" else item.id


def credit(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    return best(items, scores, rules) if items[0].subset != "Ties" else ties(items, scores)


def ties(items: Sequence[Item], scores: Sequence[np.ndarray]) -> np.ndarray:
    """One Ties prompt: .3 tied right + .3 ref right + .2 [m_tied > s] + .2 [min(m) > s] + .01 tanh(min(m)/s - 1).

    m is the margin by which the worst right answer beats the best wrong one, s the spread of the tied right answers.
    """
    # `ref` has the fewer right answers of the two.
    (ref, tied) = sorted(range(2), key=lambda i: sum(items[i].gold))
    margins = [_margin(items[i], scores[i]) for i in range(2)]
    right = scores[tied][:, np.asarray(items[tied].gold) >= 1]
    spread = right.max(axis=1) - right.min(axis=1)
    low = np.minimum(margins[ref], margins[tied])
    with np.errstate(divide="ignore", invalid="ignore"):
        bonus = np.nan_to_num(np.tanh(low / spread - 1))
    return (
        0.3 * (margins[tied] > 0)
        + 0.3 * (margins[ref] > 0)
        + 0.2 * (margins[tied] > spread)
        + 0.2 * (low > spread)
        + 0.01 * bonus
    )


def _margin(item: Item, scores: np.ndarray) -> np.ndarray:
    gold = np.asarray(item.gold) >= 1
    return scores[:, gold].min(axis=1) - scores[:, ~gold].max(axis=1)


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="rewardbench2",
        revision="1",
        protocols=("rewardbench2",),
        load=load,
        credit=credit,
        unit=unit,
        read=reader(read, path, hub),
        published="RewardBench2",
        sizes=SIZES,
    )
