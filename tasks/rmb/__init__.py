"""RMB, whole, in the pair protocol: four sets, helpful and harmless, pairs and best-of-N (arXiv 2410.09893).

A pair is right where the chosen response scores strictly higher. A best-of-N item is judged as pairs of its best
response with each loser, and right only where the best one wins them all: the owners' pair protocol, which is not the
list protocol of task=rmb_bon. Each set is micro-averaged; the headline is the plain mean of the four.

Texts: the owners' folder, or its Pairwise_set or BoN_set, or a file of them; rows {"pair_uid", "category_path",
"conversation_input": [{"role", "content"}, …], "chosen": {"llm_name", "answer"}, "reject": {…}} or {"bon_uid",
"category_path", "conversation_input", "bon_best": {"llm_name", "answer"}, "loser_list": [{…}, …]}. Items of one
conversation share their cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.types import Item, JudgescaleError, Rules, Task
from judgescale.tasks.loading import pairs_with_gold
from judgescale.tasks.texts import Data, Placed, Row, question_key, reader, unranked

PAIRS, BON = "Pairwise_set", "BoN_set"
SECTIONS = {"Helpfulness": "Helpful", "Harmlessness": "Harmless"}
# of best-of-N: pairs of 2,109 helpful and 1,677 harmless items
SIZES = {"Helpful-Pair": 10_067, "Harmless-Pair": 7_064, "Helpful-BoN": 4_895, "Harmless-BoN": 3_819}


def load(data: RecordedSet) -> list[Item]:
    """Raises JudgescaleError for a best-of-N pair whose name does not tell which item it is of."""
    items = pairs_with_gold(data)
    for item in items:
        if of_bon(item) and not re.fullmatch(r".+/\d+", item.id, re.DOTALL):
            raise JudgescaleError(
                f"{data.path}: item {item.id} of subset {item.subset} is one of several pairs that are right or wrong"
                " together: name them ITEM/0, ITEM/1, …"
            )
    return items


def section(item: Item) -> str:
    first, *rest = item.subset.removeprefix("BoN/").split("/")
    return SECTIONS.get(first, first) + ("-BoN" if of_bon(item) else "-Pair")


def of_bon(item: Item) -> bool:
    return item.subset.startswith("BoN/")


def unit(item: Item) -> str:
    """A pair, or all pairs of a best-of-N item, whose names end in /0, /1, …"""
    return item.id.rpartition("/")[0] if of_bon(item) else item.id


def credit(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    """Of a best-of-N item: all of its pairs are right."""
    earned: np.ndarray = np.prod([best((item,), (s,), rules) for item, s in zip(items, scores)], axis=0)
    return earned


def rows(data: Data, *folders: str) -> Iterator[tuple[Row, str, str]]:
    """The rows of RMB's folders (or of a folder or file within one), each with its folder and category."""
    present = [name for name in folders if data.path and (data.path / name).is_dir()]
    for pattern in [f"{name}/**/*" for name in present] or ["**/*"]:
        for row in data.rows(pattern):
            folder, _, category = row.text("category_path").partition("/")
            if folder not in folders:
                row.wrong("category_path", f"{folder!r} is not {' or '.join(folders)}: give its folder as task.path")
            yield row, folder, category.strip("/")


def answers(row: Row) -> dict[str, Row]:
    """A best-of-N row's responses by the model that wrote them, the best one first."""
    top = row.inner("bon_best")
    found = {top.text("llm_name"): top}
    for holder, field in row.elements("loser_list"):
        loser = holder.inner(field)
        if (model := loser.text("llm_name")) in found:
            loser.wrong("llm_name", f"{model} is among the responses already")
        found[model] = loser
    if len(found) < 2:
        row.wrong("loser_list", "is empty")
    return found


def item(row: Row, name: str, category: str, said: Mapping[str, Row], best_name: str) -> Placed:
    """An item out of its answers by name, in an order that does not tell which of them is best."""
    labelled = [(by, answer.text("answer", empty=True), float(by == best_name)) for by, answer in said.items()]
    responses, texts, gold = zip(*unranked(name, labelled))
    made = Item(
        id=name,
        prompt=name,
        cluster=question_key(row.get("conversation_input", list)),
        responses=responses,
        gold=gold,
        subset=category,
        conversation=row.turns("conversation_input", empty=True),  # the owners' files hold empty messages and answers
        texts=texts,
    )
    return Placed(made, row)


def read(data: Data) -> Iterator[Placed]:
    for row, folder, category in rows(data, PAIRS, BON):
        if folder == PAIRS:
            name = f"{category}/{row.name('pair_uid')}"
            yield item(row, name, category, {"chosen": row.inner("chosen"), "rejected": row.inner("reject")}, "chosen")
            continue
        (top, said), *losers = answers(row).items()
        for place, (model, loser) in enumerate(losers):
            name = f"BoN/{category}/{row.name('bon_uid')}/{place}"
            yield item(row, name, f"BoN/{category}", {top: said, model: loser}, top)


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="rmb",
        revision="2",
        protocols=("rmb",),
        release=Path(__file__).with_name("release.json"),
        load=load,
        credit=credit,
        section=section,
        unit=unit,
        read=reader(read, path, hub),
        published="RMB",
        sizes=SIZES,
    )
