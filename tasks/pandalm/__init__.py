"""Judge two responses as first better, second better or a tie, as the majority of three annotators did.

Rule (arXiv 2306.05087): accuracy, and macro precision, recall and F1 over the three classes. An unusable verdict is
wrong for all of them, and belongs to no class. Pairs of one question share their cluster.

Data: the owners' testset-v1.json, or the data folder it lies in. The prompt is the instruction and, under it, the input
where there is one; annotators say 1, 2, or 0 for a tie:

    {"idx": 3, "cmp_key": "opt-7b_llama-7b", "instruction": "Correct the spelling.", "input": "a gras field",
     "response1": "a grass field", "response2": "a gras feild", "annotator1": 1, "annotator2": 1, "annotator3": 0}
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from judgescale.harness.evaluation.rules import credit_same_class
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.formats.pandalm import split_models
from judgescale.harness.recorded.source import hash_texts
from judgescale.harness.stats.annotators import find_majority
from judgescale.harness.stats.classification import (
    CountMetric,
    f1_of_counts,
    precision_of_counts,
    recall_of_counts,
)
from judgescale.harness.types import HUMAN, Item, JudgescaleError, Task
from judgescale.tasks.loading import index_items
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, make_reader

Gold = tuple[float, ...]
GOLD: Mapping[str, Gold] = {"1": (1.0, 0.0), "2": (0.0, 1.0), "0": (0.5, 0.5)}  # by what an annotator says


def choose_label(votes: Sequence[Gold]) -> Gold:
    """Return the annotators' majority, or the first one's vote where they all differ, as the owners' script does."""
    return find_majority(votes, split=votes[0])


def load(data: RecordedSet) -> list[Item]:
    """Load the items of a recorded set, whose gold is the majority of its human rows (or the label itself)."""
    votes: dict[str, list[Gold]] = defaultdict(list)
    for j, prompt in sorted(((r.judgment, r.prompt) for r in data.records), key=lambda pair: pair[0].sample):
        if j.judge == HUMAN and j.scores is not None:
            votes[prompt].append(tuple(s for _, s in sorted(zip(j.shown, j.scores, strict=True))))
    items = []
    for prompt, r in index_items(data).items():
        gold = choose_label(votes[prompt]) if votes[prompt] else r.gold or ()  # a live run's set holds the label itself
        if len(gold) != 2:
            raise JudgescaleError(f'{data.path}: item {prompt} has no label of two responses by judge "{HUMAN}"')
        items.append(
            Item(
                id=prompt,
                prompt=prompt,
                cluster=r.cluster,
                responses=r.responses,
                gold=gold,
                subset=r.subset,
                labels=tuple(votes[prompt]),
            )
        )
    return items


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the pairs of the owners' test set."""
    for row in data.read_rows("testset-v1.json*"):
        name, asked = row.get_name("idx"), [row.get_text("instruction", empty=True), row.get_text("input", empty=True)]
        if not any(part.strip() for part in asked):
            row.reject("instruction", "is empty, and so is the input")
        votes = [read_vote(row, f"annotator{i}") for i in (1, 2, 3)]
        item = Item(
            id=name,
            prompt=name,
            cluster=hash_texts(*asked),
            gold=choose_label(votes),
            labels=tuple(votes),
            texts=(read_response(row, "response1"), read_response(row, "response2")),
            responses=split_models(row.get_text("cmp_key")),
            conversation=(("user", "\n\n".join(part for part in asked if part.strip())),),
        )
        yield SourcedItem(item, row)


def read_vote(row: RawRow, field: str) -> Gold:
    """Read what one annotator says."""
    if (said := row.get_name(field)) not in GOLD:
        row.reject(field, f"{said!r} is none of 0, 1, 2")
    return GOLD[said]


def read_response(row: RawRow, field: str) -> str:
    """Read a response; the owners' file holds empty ones, and true where a model wrote "True"."""
    return str(value) if isinstance(value := row.need(field, str, bool), bool) else row.get_text(field, empty=True)


def split_classes(gold: np.ndarray, decisions: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Tell for each of the three classes which items are in it by gold, and which by the decisions; (N,) booleans each.

    gold, decisions: (N, 2) scores. A decision of NaN is in no class.
    """
    right, said = np.sign(gold[:, 0] - gold[:, 1]), np.sign(decisions[:, 0] - decisions[:, 1])
    return [(right == c, said == c) for c in (1, -1, 0)]


# The mean of the three classes, where 0 is the precision of a class that no decision names, and the recall of one that
# no item is in.
macro_precision = CountMetric(split_classes, precision_of_counts)
macro_recall = CountMetric(split_classes, recall_of_counts)
macro_f1 = CountMetric(split_classes, f1_of_counts)


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated."""
    metrics = {"macro_precision": macro_precision, "macro_recall": macro_recall, "macro_f1": macro_f1}
    return Task(
        name="pandalm",
        revision="2",
        protocols=("pandalm",),
        release=Path(__file__).with_name("release.json"),
        load=load,
        credit=credit_same_class,
        tied=lambda item: "is the third class, a tie",
        section=lambda item: "",
        metrics=metrics,
        read=make_reader(read, path, hub),
        published="PandaLM",
        sizes={"": 999},
    )
