"""Crediting rules that several benchmarks share: what a decision about one item earns.

Each rule is a `credit` of `Task`: it takes the items and decisions of one unit (here always one item; scores (D, n))
and returns one credit for each of the D decisions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from judgescale.harness.types import Item, Rules, Task

Rule = Callable[[Sequence[Item], Sequence[np.ndarray], Rules], np.ndarray]


def looks_at_gold_alone(rule: Rule) -> bool:
    """Tell whether a rule looks at nothing of an item but its gold, so that items of equal gold are credited alike."""
    return rule in (credit_best, credit_detection, credit_same_class)


def credit_best(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    """Credit a decision whose top-scored response is a right one.

    Tied maxima earn what `rules.tie` says, unless all or none of them are right. A lone response is credited by
    `credit_detection`.
    """
    (item,), (decision,) = items, scores
    if len(item.responses) == 1:
        return credit_detection(items, scores, rules)
    top = decision == decision.max(axis=1, keepdims=True)
    share = (top & (np.asarray(item.gold) >= 1)).sum(axis=1) / np.maximum(top.sum(axis=1), 1)
    mixed = (share > 0) & (share < 1)
    credit = np.where(mixed, {"zero": 0.0, "half": 0.5, "share": share}[rules.tie], share)
    return np.where(np.isnan(decision).any(axis=1), rules.failure, credit)


def credit_detection(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    """Credit a decision that says correctly whether a lone response has the property: a score above 1/2 says yes."""
    (item,), (decision,) = items, scores
    right = (decision[:, 0] > 0.5) == (item.gold[0] >= 1)
    return np.where(np.isnan(decision[:, 0]), rules.failure, right)


def mark_right(task: Task, rules: Rules, item: Item, decisions: np.ndarray) -> np.ndarray:
    """Mark each decision about an item, (D, n), that alone would earn it full credit, no tie among them: (D,)."""
    strict = dataclasses.replace(rules, tie="zero", failure=0.0)
    # an item that is only scored together with others has no credit of its own
    rule = task.credit if task.unit(item) == item.id else credit_best
    right: np.ndarray = rule([item], [decisions], strict) >= 1
    return right


def name_split_vote(item: Item) -> str | None:
    """Say what becomes of a vote that splits on whether a lone response has the property, and so is not above 1/2."""
    return 'is "no error"' if len(item.responses) == 1 else None


def credit_same_class(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    """Credit a decision that falls in gold's class: the first is better, the second is, or a tie (gold (.5, .5))."""
    (item,), (decision,) = items, scores
    right = np.sign(decision[:, 0] - decision[:, 1]) == np.sign(item.gold[0] - item.gold[1])
    return np.where(np.isnan(decision).any(axis=1), rules.failure, right)
