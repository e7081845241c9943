"""The ceiling that label noise sets: how well annotators agree with the labels that are their majority.

Where a task's items carry what each of several annotators said (`Item.labels`), three numbers stand beside accuracy,
all of the items that at least three people annotated, each weighed as in the headline of one section:

- one annotator against the others: what their own vote would earn by the run's rules if the label were the majority of
  the other annotators of the item, over the votes for which these have one (of two others: they agree; such items are
  the easier ones);
- one annotator against the label: the same against the label itself, of which their vote is a part;
- what a judge can expect that always gives the answer most annotators would give, and one that errs as often as one
  annotator does, by two models of how they disagree (stats/annotators.py).

The second flatters the annotator more than the first does. A judge above the first agrees with the labels more often
than one annotator does, which it can by erring less often; only above what the perfect judge can expect is there
nothing left to gain but the labels' own noise, or luck.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, group_by_unit
from judgescale.harness.stats.annotators import (
    bound_right_label,
    expect_equal,
    expect_right_label,
    find_majority,
    fit_annotator,
)
from judgescale.harness.stats.intervals import Units, select_units
from judgescale.harness.stats.means import find_mean_intervals
from judgescale.harness.types import Item

FEWEST = 3  # annotators of an item: two who have a majority always agree
Labels = tuple[tuple[float, ...], ...]


def find_ceiling(arm: Arm, credits: Credits) -> dict[str, Any]:
    """Find the ceiling that the annotators of an arm's items set; empty where no item has three of them.

    Returns "annotators" (of an item; items with another number are left out), "items", "judge" (what the arm itself
    earns on them), "agreement" (of two annotators of an item), "one_against_others" and "one_against_label" (each {"value", "ci", "votes"}), and "model" with
    "classes", "annotator" (how often one of them is right, if all items are alike), "equal_judge" (what a judge expects
    that errs as often) and "perfect_judge" (lowest and highest expected value; `ci` takes in the interval of the
    agreement).
    """
    numbers = Counter(len(item.labels) for item in arm.items if len(item.labels) >= FEWEST)
    if not numbers:
        return {}
    ((annotators, _),) = numbers.most_common(1)
    places = group_by_unit(arm.task, arm.items).values()
    rows = np.array([u for u, of_unit in enumerate(places) if len(arm.items[of_unit[0]].labels) == annotators])
    items = [arm.items[of_unit[0]] for of_unit in places if len(arm.items[of_unit[0]].labels) == annotators]
    units = select_units(credits.units, rows)
    alike = np.array([_share_equal_pairs(item.labels) for item in items])
    agreement, ends = _average(units, alike)
    own, own_ends = _average(units, credits.value[rows, arm.ks.index(arm.k)])
    classes = len({label for item in items for label in item.labels})
    said = np.array([_credit(arm, item, item.labels) for item in items])
    found = {
        "annotators": annotators,
        "items": len(items),
        "judge": {"value": own, "ci": own_ends},
        "agreement": {"value": agreement, "ci": ends},
        "one_against_others": _hold_against_others(arm, items, units),
        "one_against_label": _tell(units, said.mean(axis=1), said.size),
    }
    return found | ({"model": _model(agreement, ends, annotators, classes)} if classes > 1 else {})


def _average(units: Units, value: np.ndarray) -> tuple[float, tuple[float, float] | None]:
    """Average what units (U,) are worth, with its interval over clusters."""
    (interval,) = find_mean_intervals(units, value[:, None], "items")
    return float(np.average(value, weights=units.weight)), interval


def _tell(units: Units, value: np.ndarray, votes: int) -> dict[str, Any]:
    mean, interval = _average(units, value)
    return {"value": mean, "ci": interval, "votes": votes}


def _share_equal_pairs(labels: Labels) -> float:
    """Return the share of pairs of annotators who say the same."""
    counts, n = Counter(labels).values(), len(labels)
    return sum(c * (c - 1) for c in counts) / (n * (n - 1))


def _credit(arm: Arm, item: Item, labels: Labels) -> np.ndarray:
    """Credit each annotator's vote (L,) by the rules of the run, as if it were a judge's decision."""
    return arm.task.credit([item], [np.array(labels)], arm.rules)


def _hold_against_others(arm: Arm, items: list[Item], units: Units) -> dict[str, Any] | None:
    """Credit each vote by the majority of the item's other votes, an item weighing by its votes that can be held so."""
    known = {item.gold for item in items}  # a majority may be none that the task labels by
    earned, votes = np.zeros(len(items)), np.zeros(len(items))
    for i, item in enumerate(items):
        for place, own in enumerate(item.labels):
            others = item.labels[:place] + item.labels[place + 1 :]
            if (label := find_majority(others, split=())) in known:
                earned[i] += _credit(arm, dataclasses.replace(item, gold=label), (own,))[0]
                votes[i] += 1
    there = np.flatnonzero(votes)
    if not len(there):
        return None
    part = select_units(units, there)
    part = dataclasses.replace(part, weight=part.weight * votes[there])
    return _tell(part, earned[there] / votes[there], int(votes.sum()))


def _model(
    agreement: float, ends: tuple[float, float] | None, annotators: int, classes: int
) -> dict[str, Any]:
    """Say what two judges can expect of labels made by such annotators."""

    def expect(at: float) -> tuple[float, float, float, float]:
        p = fit_annotator(at, annotators, classes)
        right = expect_right_label(p, annotators, classes)
        return p, expect_equal(p, right, classes), bound_right_label(at, annotators, classes), right

    annotator, equal, lowest, highest = expect(agreement)
    low, high = map(expect, ends) if ends else (None, None)

    def find_ends(first: int, last: int) -> tuple[float, float] | None:
        return (low[first], high[last]) if low and high else None

    return {
        "classes": classes,
        "annotator": {"value": annotator, "ci": find_ends(0, 0)},
        "equal_judge": {"value": equal, "ci": find_ends(1, 1)},
        "perfect_judge": {"lowest": lowest, "highest": highest, "ci": find_ends(2, 3)},
    }


def describe_ceiling(ceiling: Mapping[str, Any], items: int) -> list[str]:
    """Say what the annotators' disagreement means for the accuracy; nothing where it is not known.

    items: of the arm.
    """
    if not ceiling:
        return []
    of = ""
    if ceiling["items"] < items:
        of = f" on {ceiling['items']:,} of {items:,} items, where this judge has {_write(ceiling['judge'])}"
    told = []
    if one := ceiling["one_against_others"]:
        told.append(f"one of them has {_write(one)} by the majority of the others, where these have one")
    if model := ceiling.get("model"):
        perfect = model["perfect_judge"]
        ends = f"{100 * perfect['lowest']:.1f} to {100 * perfect['highest']:.1f}"
        told.append(f"a judge that always said what most people would say can expect {ends}")
    return [f"Labels are the majority of {ceiling['annotators']} annotators{of}: {'; '.join(told)}."] if told else []


def _write(one: Mapping[str, Any]) -> str:
    ends = f" [{100 * one['ci'][0]:.1f}, {100 * one['ci'][1]:.1f}]" if one["ci"] else ""
    return f"{100 * one['value']:.1f}{ends}"
