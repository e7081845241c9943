"""ReaLMistake: does a lone response hold an error? (arXiv 2404.03602, section 5)

The positive class is "error". A judgment that says neither is a vote for neither: where such votes outnumber both
classes the decision is none, which is wrong for accuracy and "no error" for F1; a split vote is "no error". ROC-AUC is
of the mean vote. The headline is the plain mean of the tasks' accuracies, as the owners average.

Texts: the Hub's set, whose terms have to be accepted there; or the data folder in the owners' data.zip, or a file of
it; rows {"input", "llm_response", "error_label" (on the Hub) or "label": "error" or "no_error", "metadata": {"id",
"llm_response_model"}}. The owners ask that no example be published in plain text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from judgescale.harness.evaluation.credit import auc, detected, f1
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.formats.realmistake import ALIASES, TASK_NAMES, VERDICTS, cluster
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import items_with_gold
from judgescale.tasks.texts import Data, Placed, Row, reader

# The part that the owners' stored self-consistency figures are about.
SELF_CONSISTENCY = {
    "math_word_problem_generation": 50, "finegrained_fact_verification": 50, "answerability_classification": 50,
}  # fmt: skip
COUNTS = dict.fromkeys(SELF_CONSISTENCY, 300)  # the whole: 140 responses of GPT-4 and 160 of Llama 2 each


def load(data: RecordedSet) -> list[Item]:
    return [tagged(item) for item in items_with_gold(data, width=1)]


def tagged(item: Item) -> Item:
    """The item with the model that responded as a break-down."""
    return replace(item, tags=(("model", item.responses[0]),))


def read(data: Data) -> Iterator[Placed]:
    for row in data.rows("**/*-*.jsonl*"):  # named after models; the example.jsonl beside them repeats some rows
        about, field = row.inner("metadata"), "error_label" if "error_label" in row.fields else "label"
        name, model = about.text("id"), about.text("llm_response_model").rpartition("/")[2]
        if (label := row.text(field)) not in VERDICTS:
            row.wrong(field, f"{label!r} is neither 'error' nor 'no_error'")
        asked, texts = (("user", row.text("input")),), (row.text("llm_response"),)
        group, gold = cluster(name, model), VERDICTS[label]
        yield Placed(
            tagged(
                Item(
                    id=name,
                    prompt=name,
                    cluster=group,
                    responses=(model,),
                    gold=gold,
                    subset=task_of(about, name),
                    conversation=asked,
                    texts=texts,
                )
            ),
            row,
        )


def task_of(about: Row, name: str) -> str:
    """The task, which an id begins with."""
    found = next((known for known in (*TASK_NAMES, *ALIASES) if name.startswith(f"{known}_")), None)
    if found is None:
        about.wrong("id", f"{name!r} begins with none of {', '.join((*TASK_NAMES, *ALIASES))}")
    return ALIASES.get(found, found)


def error_f1(gold: np.ndarray, decisions: np.ndarray) -> float:
    """F1 of the class "error"; gold and decisions are (N, 1). NaN compares false: no error."""
    return f1(gold[:, 0] >= 1, decisions[:, 0] > 0.5)


def roc_auc(gold: np.ndarray, decisions: np.ndarray) -> float:
    """ROC-AUC of the mean vote, an item without one at one half; NaN where only one class occurs."""
    return auc(gold[:, 0] >= 1, np.nan_to_num(decisions[:, 0], nan=0.5))


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="realmistake",
        revision="2",
        protocols=("realmistake",),
        load=load,
        credit=detected,
        read=reader(read, path, hub),
        metrics={"f1": error_f1, "roc_auc": roc_auc},
        of_mean=frozenset({"roc_auc"}),
        published="ReaLMistake-SC",
        published_with=("voting", 5),
        sizes=SELF_CONSISTENCY,
        counts=COUNTS,
    )
