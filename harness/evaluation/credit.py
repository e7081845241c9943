"""What a decision earns: rules that several benchmarks share. Scores are (D, n) decisions, credits (D,)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from judgescale.harness.types import Item, Rules


def best(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    """The top-scored response is a right one. Tied maxima earn by `rules.tie`, unless all or none of them are right."""
    (item,), (decision,) = items, scores
    if len(item.responses) == 1:
        return detected(items, scores, rules)
    top = decision == decision.max(axis=1, keepdims=True)
    share = (top & (np.asarray(item.gold) >= 1)).sum(axis=1) / np.maximum(top.sum(axis=1), 1)
    mixed = (share > 0) & (share < 1)
    credit = np.where(mixed, {"zero": 0.0, "half": 0.5, "share": share}[rules.tie], share)
    return np.where(np.isnan(decision).any(axis=1), rules.failure, credit)


def detected(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    """A lone response is said to have the property exactly when its score is above one half."""
    (item,), (decision,) = items, scores
    right = (decision[:, 0] > 0.5) == (item.gold[0] >= 1)
    return np.where(np.isnan(decision[:, 0]), rules.failure, right)


def same_class(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    """Three classes: the first is better, the second is, or a tie (gold (.5, .5)); the decision must name gold's."""
    (item,), (decision,) = items, scores
    right = np.sign(decision[:, 0] - decision[:, 1]) == np.sign(item.gold[0] - item.gold[1])
    return np.where(np.isnan(decision).any(axis=1), rules.failure, right)


def f1(label: np.ndarray, said: np.ndarray) -> float:
    """F1 of one class, (N,) booleans each; 0 where nothing is in it (van Rijsbergen 1979)."""
    both, either = int((label & said).sum()), int(label.sum() + said.sum())
    return 2 * both / either if either else 0.0


def auc(label: np.ndarray, score: np.ndarray) -> float:
    """ROC-AUC as the Mann-Whitney statistic, ties half; NaN unless both classes occur."""
    from scipy.stats import rankdata

    positive = int(label.sum())
    negative = len(label) - positive
    if not positive or not negative:
        return float("nan")
    return float((rankdata(score)[label].sum() - positive * (positive + 1) / 2) / (positive * negative))
