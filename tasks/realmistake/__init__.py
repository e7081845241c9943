"""Judge whether a lone response holds an error.

Rule (arXiv 2404.03602, section 5): the positive class is "error". A judgment that says neither is a vote for neither:
where such votes outnumber both classes the decision is none, which is wrong for accuracy and "no error" for F1; a split
vote is "no error". ROC-AUC is of the mean vote. The headline is the plain mean of the tasks' accuracies, as the owners
average.

Data: the Hub's set, whose terms have to be accepted there; or the data folder in the owners' data.zip, or a file of it.
The label is "error" or "no_error", and on the Hub its column is called "error_label". The owners ask that no example be
published in plain text; this row is made up:

    {"input": "Write a problem about …", "llm_response": "Ann has …", "label": "error",
     "metadata": {"id": "math_problem_generation_7_gpt-4-0613", "llm_response_model": "gpt-4-0613"}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from judgescale.harness.evaluation.rules import credit_detection, name_split_vote
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.formats.realmistake import ALIASES, TASK_NAMES, VERDICTS, drop_responder
from judgescale.harness.stats.classification import CountMetric, RankMetric, f1_of_counts
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import load_gold_items
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, make_reader

TASKS = ("math_word_problem_generation", "finegrained_fact_verification", "answerability_classification")
SELF_CONSISTENCY = dict.fromkeys(TASKS, 50)  # the part that the owners' stored self-consistency figures are about
COUNTS = dict.fromkeys(TASKS, 300)  # the whole: 140 responses of GPT-4 and 160 of Llama 2 each


def load(data: RecordedSet) -> list[Item]:
    """Load the lone responses of a recorded set."""
    return [tag_model(item) for item in load_gold_items(data, width=1)]


def tag_model(item: Item) -> Item:
    """Add the model that responded as a break-down of results."""
    return replace(item, tags=(("model", item.responses[0]),))


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the responses of the owners' files or of the Hub."""
    for row in data.read_rows("**/*-*.jsonl*"):  # named after models; the example.jsonl beside them repeats some rows
        about, field = row.get_object("metadata"), "error_label" if "error_label" in row.fields else "label"
        name, model = about.get_text("id"), about.get_text("llm_response_model").rpartition("/")[2]
        if (label := row.get_text(field)) not in VERDICTS:
            row.reject(field, f"{label!r} is neither 'error' nor 'no_error'")
        item = Item(
            id=name,
            prompt=name,
            cluster=drop_responder(name, model),
            responses=(model,),
            gold=VERDICTS[label],
            subset=find_task(about, name),
            conversation=(("user", row.get_text("input")),),
            texts=(row.get_text("llm_response"),),
        )
        yield SourcedItem(tag_model(item), row)


def find_task(about: RawRow, name: str) -> str:
    """Find the owners' task that an id begins with. Raises JudgescaleError where it begins with none."""
    found = next((known for known in (*TASK_NAMES, *ALIASES) if name.startswith(f"{known}_")), None)
    if found is None:
        about.reject("id", f"{name!r} begins with none of {', '.join((*TASK_NAMES, *ALIASES))}")
    return ALIASES.get(found, found)


def find_errors(gold: np.ndarray, decisions: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Tell which items have an error by gold, and which by the decisions; (N, 1) both. NaN is no error."""
    return [(gold[:, 0] >= 1, decisions[:, 0] > 0.5)]


error_f1 = CountMetric(find_errors, f1_of_counts)
# ROC-AUC of the mean vote, an item without one at one half
roc_auc = RankMetric(lambda gold: gold[:, 0] >= 1, lambda decisions: np.nan_to_num(decisions[:, 0], nan=0.5))


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated."""
    return Task(
        name="realmistake",
        revision="2",
        protocols=("realmistake",),
        load=load,
        credit=credit_detection,
        tied=name_split_vote,
        read=make_reader(read, path, hub),
        metrics={"f1": error_f1, "roc_auc": roc_auc},
        of_mean=frozenset({"roc_auc"}),
        published="ReaLMistake-SC",
        sizes=SELF_CONSISTENCY,
        counts=COUNTS,
    )
