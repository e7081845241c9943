"""What every unit earned at every k, and what was decided about it: the columns of credits.parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, group_by_unit
from judgescale.harness.evaluation.decisions import Decisions
from judgescale.harness.stats.intervals import section_weights, share_headline
from judgescale.harness.stats.votes import margin

STACKED = 2_000_000  # scores of decisions in memory at a time


def tabulate_credits(
    arm: Arm, credits: Credits, decisions: Sequence[Sequence[Decisions]], judgments: Mapping[int, np.ndarray]
) -> dict[str, Sequence[Any]]:
    """Make the columns of credits.parquet: a row a unit and k, all units at the first k before those at the next.

    decisions: [k][item]. judgments: how many each item took at every k, (N,) each.
    """
    members = list(group_by_unit(arm.task, arm.items).items())
    units, copies = credits.units, len(arm.ks)
    subset_weights = [arm.task.weights.get(subset) for subset in credits.subset.tolist()]
    in_headline = {} if arm.rollup == "items" else section_weights(arm.rollup, units.section.tolist())
    of_unit: dict[str, list[Any]] = {
        "item": [name for name, _ in members],
        "subset": credits.subset.tolist(),
        "section": units.section.tolist(),
        "cluster": units.cluster.tolist(),
        "weight": share_headline(units, arm.rollup).tolist(),
        "subset_weight": subset_weights,
        "section_weight": [in_headline.get(section) for section in units.section.tolist()],
        "gold": [[gold for row in rows for gold in arm.items[row].gold] for _, rows in members],
    }
    unit_of = np.empty(len(arm.items), int)
    for u, (_, rows) in enumerate(members):
        unit_of[rows] = u
    decided: list[np.ndarray] = []
    for at_k in decisions:
        of_items = describe_decisions(at_k)
        decided += [
            of_items[rows[0]] if len(rows) == 1 else np.concatenate([of_items[row] for row in rows])
            for _, rows in members
        ]
    taken = [np.bincount(unit_of, judgments[k], len(members)) for k in arm.ks]
    return {name: values * copies for name, values in of_unit.items()} | {
        "k": [k for k in arm.ks for _ in members],
        "credit": credits.value.T.ravel().tolist(),
        "credit_by_lot": credits.by_lot.T.ravel().tolist(),
        "judgments": np.concatenate(taken).tolist(),
        "decision": decided,
    }


def describe_decisions(decisions: Sequence[Decisions]) -> list[np.ndarray]:
    """Return how likely each response of every item is the one chosen, (n,) each, m tied ones counting 1/m.

    They sum to less than 1 where some decisions have no usable judgment, and are NaN where all have none. Of a lone
    response it is how likely it is said to have the property.
    """
    found = [np.empty(0)] * len(decisions)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for place, of_item in enumerate(decisions):
        shapes.setdefault(of_item.scores.shape, []).append(place)
    for (rows, n), places in shapes.items():
        step = max(1, STACKED // (rows * n))
        for start in range(0, len(places), step):
            some = places[start : start + step]
            scores = np.stack([decisions[place].scores for place in some])  # (items, D, n)
            weight = np.stack([decisions[place].weight for place in some])[:, None]  # (items, 1, D)
            silent = np.isnan(scores).any(axis=2, keepdims=True)
            if n == 1:
                chosen = (1 + np.sign(margin(scores.reshape(-1, 1)))).reshape(scores.shape) / 2
            else:
                best = scores == scores.max(axis=2, keepdims=True)
                chosen = best / np.maximum(best.sum(axis=2, keepdims=True), 1)
            chances = (weight @ np.where(silent, 0.0, chosen))[:, 0].round(4).astype(np.float32)
            chances[silent.all(axis=(1, 2))] = np.nan
            for place, said in zip(some, chances, strict=True):
                found[place] = said
    return found
