"""PandaLM test set: first better, second better or a tie, as the majority of three annotators says (arXiv 2306.05087).

Accuracy and macro precision, recall and F1 over the three classes. An unusable verdict is wrong, and no class, for all.

Texts: the owners' testset-v1.json, or their data folder; rows {"idx", "cmp_key", "instruction", "input", "response1",
"response2", "annotator1", "annotator2", "annotator3"}, annotators saying 1, 2 or 0 for a tie. The prompt is the
instruction and, under it, the input where there is one. Pairs of one question share their cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from judgescale.harness.evaluation.credit import f1, same_class
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.formats.pandalm import models
from judgescale.harness.recorded.source import text_key
from judgescale.harness.types import HUMAN, Item, JudgescaleError, Task
from judgescale.tasks.loading import first_records, majority
from judgescale.tasks.texts import Data, Placed, Row, reader

Gold = tuple[float, ...]
GOLD: Mapping[str, Gold] = {"1": (1.0, 0.0), "2": (0.0, 1.0), "0": (0.5, 0.5)}  # by what an annotator says


def label(votes: Sequence[Gold]) -> Gold:
    """The annotators' majority, or the first one's where they all differ, as the owners' script has it."""
    return majority(votes, split=votes[0])


def load(data: RecordedSet) -> list[Item]:
    votes: dict[str, list[Gold]] = defaultdict(list)
    for j, prompt in sorted(((r.judgment, r.prompt) for r in data.records), key=lambda pair: pair[0].sample):
        if j.judge == HUMAN and j.scores is not None:
            votes[prompt].append(tuple(s for _, s in sorted(zip(j.shown, j.scores, strict=True))))
    items = []
    for prompt, r in first_records(data).items():
        gold = label(votes[prompt]) if votes[prompt] else r.gold or ()  # a live run leaves the label itself behind
        if len(gold) != 2:
            raise JudgescaleError(f'{data.path}: item {prompt} has no label of two responses by judge "{HUMAN}"')
        items.append(
            Item(id=prompt, prompt=prompt, cluster=r.cluster, responses=r.responses, gold=gold, subset=r.subset)
        )
    return items


def read(data: Data) -> Iterator[Placed]:
    for row in data.rows("testset-v1.json*"):
        name, asked = row.name("idx"), [row.text("instruction", empty=True), row.text("input", empty=True)]
        if not any(part.strip() for part in asked):
            row.wrong("instruction", "is empty, and so is the input")
        said = "\n\n".join(part for part in asked if part.strip())
        gold = label([vote(row, f"annotator{i}") for i in (1, 2, 3)])
        texts = (response(row, "response1"), response(row, "response2"))
        both = models(row.text("cmp_key"))
        yield Placed(
            Item(
                id=name,
                prompt=name,
                cluster=text_key(*asked),
                responses=both,
                gold=gold,
                subset="",
                conversation=(("user", said),),
                texts=texts,
            ),
            row,
        )


def vote(row: Row, field: str) -> Gold:
    if (said := row.name(field)) not in GOLD:
        row.wrong(field, f"{said!r} is none of 0, 1, 2")
    return GOLD[said]


def response(row: Row, field: str) -> str:
    """The owners' file holds empty responses, and true where a model wrote "True"."""
    return str(value) if isinstance(value := row.get(field, str, bool), bool) else row.text(field, empty=True)


def classes(gold: np.ndarray, decisions: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which items have each of the three labels, and which got it; gold and decisions are (N, 2). NaN is no class."""
    right, said = np.sign(gold[:, 0] - gold[:, 1]), np.sign(decisions[:, 0] - decisions[:, 1])
    return [(right == c, said == c) for c in (1, -1, 0)]


def macro_f1(gold: np.ndarray, decisions: np.ndarray) -> float:
    return float(np.mean([f1(right, said) for right, said in classes(gold, decisions)]))


def macro_precision(gold: np.ndarray, decisions: np.ndarray) -> float:
    """0 of a class that is never said."""
    return float(np.mean([(right & said).sum() / max(said.sum(), 1) for right, said in classes(gold, decisions)]))


def macro_recall(gold: np.ndarray, decisions: np.ndarray) -> float:
    return float(np.mean([(right & said).sum() / max(right.sum(), 1) for right, said in classes(gold, decisions)]))


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    metrics = {"macro_precision": macro_precision, "macro_recall": macro_recall, "macro_f1": macro_f1}
    return Task(
        name="pandalm",
        revision="2",
        protocols=("pandalm",),
        release=Path(__file__).with_name("release.json"),
        load=load,
        credit=same_class,
        section=lambda item: "",
        metrics=metrics,
        read=reader(read, path, hub),
        published="PandaLM",
        sizes={"": 999},
    )
