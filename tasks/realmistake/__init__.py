"""ReaLMistake: does a lone response hold an error? (arXiv 2404.03602, section 5)

The positive class is "error". A judgment that says neither is a vote for neither: where such votes outnumber both
classes the decision is none, which is wrong for accuracy and "no error" for F1; a split vote is "no error". ROC-AUC is
of the mean vote. The headline is the plain mean of the tasks' accuracies, as the owners average.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.credit import detected
from harness.recorded import RecordedSet
from harness.types import Item, Task
from tasks.loading import items_with_gold, require_width

# The part that the owners' stored self-consistency figures are about.
SELF_CONSISTENCY = {
    "math_word_problem_generation": 50, "finegrained_fact_verification": 50, "answerability_classification": 50,
}  # fmt: skip


def load(data: RecordedSet) -> list[Item]:
    return require_width(data, items_with_gold(data), 1, "realmistake")


def f1(items: Sequence[Item], decisions: Sequence[np.ndarray]) -> float:
    """F1 of the class "error"; decisions are (1,) each."""
    from sklearn.metrics import f1_score

    said = [bool(d[0] > 0.5) for d in decisions]  # NaN compares false: no error
    return float(f1_score([i.gold[0] >= 1 for i in items], said, zero_division=0.0))


def roc_auc(items: Sequence[Item], decisions: Sequence[np.ndarray]) -> float:
    """ROC-AUC of the mean vote, an item without one at one half; NaN where only one class occurs."""
    from sklearn.metrics import roc_auc_score

    label = [i.gold[0] >= 1 for i in items]
    if len(set(label)) < 2:
        return float("nan")
    return float(roc_auc_score(label, np.nan_to_num([d[0] for d in decisions], nan=0.5)))


def task() -> Task:
    return Task(
        "realmistake", "1", load, detected, headline="sections", metrics={"f1": f1, "roc_auc": roc_auc},
        published="ReaLMistake-SC", sizes=SELF_CONSISTENCY,
    )  # fmt: skip
