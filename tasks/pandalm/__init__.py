"""PandaLM test set: first better, second better or a tie, as the majority of three annotators says (arXiv 2306.05087).

Accuracy and macro F1 over the three classes. An unusable verdict is wrong, and no class, for both.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from harness.credit import f1, same_class
from harness.recorded import RecordedSet
from harness.types import HUMAN, Item, JudgescaleError, Task
from tasks.loading import first_records, majority

TIE: tuple[float, ...] = (0.5, 0.5)  # nobody is better


def load(data: RecordedSet) -> list[Item]:
    votes: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for r in data.records:
        if r.judgment.judge == HUMAN and r.judgment.scores is not None:
            votes[r.prompt].append(tuple(s for _, s in sorted(zip(r.judgment.shown, r.judgment.scores, strict=True))))
    items = []
    for prompt, r in first_records(data).items():
        gold = majority(votes[prompt], split=TIE) if votes[prompt] else ()
        if len(gold) != 2:
            raise JudgescaleError(f'{data.path}: item {prompt} has no label of two responses by judge "{HUMAN}"')
        items.append(Item(prompt, prompt, r.cluster, r.responses, gold, r.subset))
    return items


def macro_f1(gold: np.ndarray, decisions: np.ndarray) -> float:
    """Mean F1 of the three classes; gold and decisions are (N, 2). NaN is no class."""
    label, said = np.sign(gold[:, 0] - gold[:, 1]), np.sign(decisions[:, 0] - decisions[:, 1])
    return float(np.mean([f1(label == c, said == c) for c in (1, -1, 0)]))


def task() -> Task:
    return Task("pandalm", "1", load, same_class, section=lambda item: "", metrics={"macro_f1": macro_f1},
                published="PandaLM", sizes={"": 999})  # fmt: skip
