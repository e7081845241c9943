"""What a judge prefers besides what is right: the response shown first, the longer one.

That the favoured response is often right is no preference. So beside how often it wins stands how often it is right,
and how often it would win if it were right as often as any other (`balanced`): verdicts about questions where it is
right, and about those where it is not, are weighed so. A judge without the preference then has 1 in m of m responses,
however often it is right. This needs both kinds of questions, and is unknown where the right response always, or never,
stands first. Verdicts that tie are left out: a judge that prefers a place, and ties where it is in doubt, shows less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.verdicts import Verdicts, list_decided
from judgescale.harness.stats.intervals import Units
from judgescale.harness.stats.means import find_mean_intervals


def number_clusters(arm: Arm) -> np.ndarray:
    """Number the clusters of an arm's items: (N,)."""
    number: np.ndarray = np.unique([item.cluster for item in arm.items], return_inverse=True)[1]
    return number


def average_over_items(cluster: np.ndarray, item: np.ndarray, value: np.ndarray, weight: np.ndarray) -> dict[str, Any]:
    """Average values (M,) of items, with the interval over clusters; an item weighs as its rows do together.

    cluster: (N,), of every item. item: (M,), whose each value is.
    """
    whole = np.bincount(item, weight, len(cluster))
    there = np.flatnonzero(whole)
    credit = np.bincount(item, weight * value, len(cluster))[there] / whole[there]
    units = Units(np.zeros(len(there), dtype=int), cluster[there], whole[there])
    (interval,) = find_mean_intervals(units, np.clip(credit, 0.0, 1.0)[:, None], "items")
    return {"value": float(credit @ whole[there] / whole[there].sum()), "ci": interval}


def prefer_first(arm: Arm, every: Sequence[Verdicts], cluster: np.ndarray) -> dict[str, Any] | None:
    """Measure how often the response shown first wins; None where none is shown first, or no verdict is decided."""
    if arm.judgments.pointwise:
        return None
    found = [
        (v.item[rows], best == v.first[rows], v.gold[rows], v.first[rows]) for v, rows, best in list_decided(every)
    ]
    return _measure(cluster, found)


def prefer_longest(arm: Arm, every: Sequence[Verdicts], cluster: np.ndarray) -> dict[str, Any] | None:
    """Measure how often the longest response wins, in characters; None where texts are not known."""
    if not all(len(item.texts) == len(item.responses) for item in arm.items):
        return None
    most = max((len(item.texts) for item in arm.items), default=0)
    length = np.array([[*map(len, item.texts), *[0] * (most - len(item.texts))] for item in arm.items])
    found = []
    for v, rows, best in list_decided(every):
        size = length[v.item[rows, None], v.responses[rows]]
        longest = size == size.max(axis=1, keepdims=True)
        one = np.flatnonzero(longest.sum(axis=1) == 1)
        place = longest[one].argmax(axis=1)
        found.append((v.item[rows][one], best[one] == place, v.gold[rows][one], place))
    return _measure(cluster, found)


def _measure(
    cluster: np.ndarray, found: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
) -> dict[str, Any] | None:
    """Measure how often the favoured response wins: raw, and balanced by how often it is right.

    found: of questions about equally many responses each: the item, whether the favoured response won, (M,) each, the
    gold of all responses (M, m), and which one is favoured, (M,).
    """
    if not sum(len(item) for item, *_ in found):
        return None
    item, won = (np.concatenate([part[at] for part in found]) for at in (0, 1))
    chance = np.concatenate([np.full(len(gold), 1 / gold.shape[1]) for _, _, gold, _ in found])
    right = np.concatenate([np.take_along_axis(gold, at[:, None], axis=1)[:, 0] >= 1 for _, _, gold, at in found])
    share = np.concatenate([(gold >= 1).mean(axis=1) for _, _, gold, _ in found])
    known = (share > 0) & (share < 1)
    told = average_over_items(cluster, item, won, np.ones(len(won))) | {"n": len(won), "chance": float(chance.mean())}
    told["right"] = float(right[known].mean()) if known.any() else None
    weight = _balance(right, share, known)
    counted = weight > 0
    told["balanced"] = None
    if counted.any():
        told["balanced"] = average_over_items(cluster, item[counted], won[counted], weight[counted])
        told["balanced"] |= {"n": int(counted.sum()), "chance": float(np.average(chance, weights=weight))}
    return told


def _balance(right: np.ndarray, share: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Weigh rows so that the favoured response is right as often as any other: (M,), 0 where that cannot be.

    right: whether it is. share: of the question's responses, those that are right. Only rows of one share are weighed
    against each other. known: where some are right and some wrong; elsewhere there is nothing to balance.
    """
    weight = np.where(known, 0.0, 1.0)
    for each in np.unique(share[known]):
        rows = known & (share == each)
        often = right[rows].mean()
        if 0 < often < 1:
            weight[rows] = np.where(right[rows], each / often, (1 - each) / (1 - often))
    return weight if weight[known].any() or not known.any() else np.zeros(len(weight))
