"""What every unit earned at every k, and what was decided about it: the columns of credits.parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, group_by_unit
from judgescale.harness.evaluation.decisions import Decisions, stack_decisions
from judgescale.harness.long_columns import Cut, Repeated
from judgescale.harness.stats.intervals import section_weights, share_headline
from judgescale.harness.stats.votes import margin


def tabulate_credits(
    arm: Arm, credits: Credits, decisions: Sequence[Sequence[Decisions]], judgments: Mapping[int, np.ndarray]
) -> dict[str, Sequence[Any]]:
    """Make the columns of credits.parquet: a row a unit and k, all units at the first k before those at the next.

    decisions: [k][item]. judgments: how many each item took at every k, (N,) each.
    """
    members = list(group_by_unit(arm.task, arm.items).items())
    units, copies = credits.units, len(arm.ks)
    subsets, sections = credits.subset.tolist(), units.section.tolist()
    in_headline = {} if arm.rollup == "items" else section_weights(arm.rollup, sections)
    of_unit: dict[str, Sequence[Any]] = {
        "item": [name for name, _ in members],
        "subset": subsets,
        "section": sections,
        "cluster": units.cluster.tolist(),
        "weight": share_headline(units, arm.rollup).tolist(),
        "subset_weight": [arm.task.weights.get(subset) for subset in subsets],
        "section_weight": [in_headline.get(section) for section in sections],
        "gold": [[gold for row in rows for gold in arm.items[row].gold] for _, rows in members],
    }
    # unit by unit, the places of what is said of each item's responses
    sizes = np.array([len(item.responses) for item in arm.items])
    of_units = np.concatenate([rows for _, rows in members])
    unit_of = np.empty(len(arm.items), int)
    unit_of[of_units] = np.repeat(np.arange(len(members)), [len(rows) for _, rows in members])
    counts = sizes[of_units]
    places = np.repeat(np.cumsum(sizes)[of_units] - counts, counts) + _count_up(counts)
    taken = [np.bincount(unit_of, judgments[k], len(members)) for k in arm.ks]
    ends = np.cumsum(np.tile(np.bincount(unit_of, sizes, len(members)).astype(int), copies))
    said = np.concatenate([np.concatenate(describe_decisions(at_k))[places] for at_k in decisions])
    repeated = {name: Repeated(values, copies) for name, values in of_unit.items()}
    of_rows: dict[str, Any] = {
        "k": np.repeat(np.array(arm.ks), len(members)),
        "credit": credits.value.T.ravel(),
        "credit_by_lot": credits.by_lot.T.ravel(),
        "judgments": np.concatenate(taken),
        "decision": Cut(said, ends),
    }
    return {**repeated, **of_rows}


def _count_up(counts: np.ndarray) -> np.ndarray:
    """Count 0, 1, … for each of these numbers, up to it."""
    whole: np.ndarray = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return whole


def describe_decisions(decisions: Sequence[Decisions]) -> list[np.ndarray]:
    """Return how likely each response of every item is the one chosen, (n,) each, m tied ones counting 1/m.

    They sum to less than 1 where some decisions have no usable judgment, and are NaN where all have none. Of a lone
    response it is how likely it is said to have the property.
    """
    found = [np.empty(0)] * len(decisions)
    for batch in stack_decisions(decisions):
        scores, weight = batch.scores, batch.weight[:, None]  # (items, D, n), (items, 1, D)
        alike = scores.strides[0] == 0  # decisions that were counted are the same of every item
        scores = scores[:1] if alike else scores
        silent = np.isnan(scores).any(axis=2, keepdims=True)
        if scores.shape[2] == 1:
            chosen = (1 + np.sign(margin(scores.reshape(-1, 1)))).reshape(scores.shape) / 2
        else:
            best = scores == scores.max(axis=2, keepdims=True)
            chosen = best / np.maximum(best.sum(axis=2, keepdims=True), 1)
        chances = (weight @ np.where(silent, 0.0, chosen))[:, 0].round(4).astype(np.float32)
        chances[np.broadcast_to(silent.all(axis=(1, 2)), len(chances))] = np.nan
        for place, said in zip(batch.places.tolist(), chances, strict=True):
            found[place] = said
    return found
