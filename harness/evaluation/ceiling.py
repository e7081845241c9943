"""The ceiling that label noise sets: how well annotators agree with the labels that are their majority.

Where a task's items carry what each of several annotators said (`Item.labels`), three numbers stand beside accuracy,
all of the items that at least three people annotated, each weighed as in the headline of one section:

- one annotator against the others: what their own vote would earn by the run's rules if the label were the majority of
  the other annotators of the item, over the votes for which these have one (of two others: they agree). Such items are
  the easier ones, so the judge stands beside it on the same votes;
- one annotator against the label: the same against the label itself, of which their vote is a part;
- what a judge can expect that always gives the answer most annotators would give, and one that errs as often as one
  annotator does, by two models of how they disagree (stats/annotators.py).

The second flatters the annotator. A judge above the first agrees with the labels more often than one annotator does,
which it can by erring less often; only above what the perfect judge can expect is there nothing left to gain but luck,
the labels' own noise, and errors that it shares with the annotators.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, group_by_unit
from judgescale.harness.rounding import write_points
from judgescale.harness.stats.annotators import (
    bound_right_label,
    expect_equal,
    expect_right_label,
    find_majority,
    fit_annotator,
)
from judgescale.harness.stats.intervals import Units, select_units
from judgescale.harness.stats.means import find_mean_intervals
from judgescale.harness.stats.paired import compare_paired
from judgescale.harness.types import Item

FEWEST = 3  # annotators of an item: two who have a majority always agree
Labels = tuple[tuple[float, ...], ...]


def find_ceiling(arm: Arm, credits: Credits) -> dict[str, Any]:
    """Find the ceiling that the annotators of an arm's items set; empty where no item has three of them.

    Returns "annotators" (of an item; items with another number are left out), "items", "agreement" (of two annotators
    of an item), "judge" (what the arm itself earns on these items), "one_against_label", "one_against_others" (with
    "judge": what the arm earns on the same votes; and "difference", by how much the arm is above), each {"value",
    "ci"}; and "model" with "classes", "annotator" (how often one of them is right, if all items are alike),
    "equal_judge" (what a judge expects that errs as often) and "perfect_judge" (the lowest and the highest value that
    it may expect; `ci` takes in the interval of the agreement).
    """
    numbers = Counter(len(item.labels) for item in arm.items if len(item.labels) >= FEWEST)
    if not numbers:
        return {}
    ((annotators, _),) = numbers.most_common(1)
    first = [arm.items[of_unit[0]] for of_unit in group_by_unit(arm.task, arm.items).values()]
    rows = np.array([u for u, item in enumerate(first) if len(item.labels) == annotators])
    items, units = [first[u] for u in rows], select_units(credits.units, rows)
    judge = credits.value[rows, arm.ks.index(arm.k)]
    # (items, annotators): what each vote earns by the run's rules
    said = np.array([arm.task.credit([item], [np.array(item.labels)], arm.rules) for item in items])
    agreement = _average(units, np.array([_share_equal_pairs(item.labels) for item in items]))
    classes = len({label for item in items for label in item.labels})
    return {
        "annotators": annotators,
        "items": len(items),
        "agreement": agreement,
        "judge": _average(units, judge),
        "one_against_label": _average(units, said.mean(axis=1)),
        "one_against_others": _hold_against_others(items, units, said, judge),
        "model": _model(agreement["value"], agreement["ci"], annotators, classes) if classes > 1 else None,
    }


def _average(units: Units, value: np.ndarray) -> dict[str, Any]:
    """Average what units (U,) are worth, with the interval over clusters."""
    (interval,) = find_mean_intervals(units, value[:, None], "items")
    return {"value": float(np.average(value, weights=units.weight)), "ci": interval}


def _share_equal_pairs(labels: Labels) -> float:
    """Return the share of pairs of annotators who say the same."""
    counts, n = Counter(labels).values(), len(labels)
    return sum(c * (c - 1) for c in counts) / (n * (n - 1))


def _hold_against_others(
    items: Sequence[Item], units: Units, said: np.ndarray, judge: np.ndarray
) -> dict[str, Any] | None:
    """Hold each vote against the majority of the item's other votes, where they have one, and the judge on the same.

    That majority is the label: without a vote for it, it is still the majority or there is none. An item weighs by its
    votes that can be held so. said: what each vote earns, (U, annotators). judge: what the judge does, (U,).
    """
    held = np.array(
        [
            [find_majority(item.labels[:i] + item.labels[i + 1 :], split=()) == item.gold for i in range(said.shape[1])]
            for item in items
        ]
    )
    votes = held.sum(axis=1)
    there = np.flatnonzero(votes)
    if not len(there):
        return None
    part = select_units(units, there)
    part = dataclasses.replace(part, weight=part.weight * votes[there])
    earned = (said * held).sum(axis=1)[there] / votes[there]
    paired = compare_paired(part, judge[there], earned, "items")
    return _average(part, earned) | {
        "votes": int(votes.sum()),
        "judge": _average(part, judge[there]),
        "difference": {"value": paired.gap, "ci": paired.interval},
    }


def _model(agreement: float, ends: tuple[float, float] | None, annotators: int, classes: int) -> dict[str, Any]:
    """Say what two judges can expect of labels made by such annotators."""

    def expect(at: float) -> tuple[float, float, float, float]:
        """Return what one annotator, an equal judge, and a perfect one (lowest, highest) have at an agreement."""
        p = fit_annotator(at, annotators, classes)
        right = expect_right_label(p, annotators, classes)
        return p, expect_equal(p, right, classes), bound_right_label(at, annotators, classes), right

    annotator, equal, lowest, highest = expect(agreement)
    low, high = map(expect, ends) if ends else (None, None)

    def find_ends(first: int, last: int) -> tuple[float, float] | None:
        """Return the interval between what the agreement's two ends give."""
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
    of = "" if ceiling["items"] == items else f" on {ceiling['items']:,} of {items:,} items"
    told, beside = [], []
    if one := ceiling["one_against_others"]:
        told.append(f"by that of the others, where there is one, one annotator has {_write(one)}")
        gap, ends = one["difference"]["value"], one["difference"]["ci"]
        sure = f", 95 % interval [{write_points(ends[0])}, {write_points(ends[1])}]" if ends else ""
        beside = [f"The judge - one annotator, on the same votes: {write_points(gap)} points{sure}."]
    if model := ceiling["model"]:
        perfect = model["perfect_judge"]
        ends = f"{100 * perfect['lowest']:.1f} to {100 * perfect['highest']:.1f}"
        told.append(f"a judge that always said what most people would say can expect {ends}")
    whole = f"Labels are the majority of {ceiling['annotators']} annotators{of}: {'; '.join(told)}."
    return [whole, *beside] if told else []


def _write(one: Mapping[str, Any]) -> str:
    ends = f" [{100 * one['ci'][0]:.1f}, {100 * one['ci'][1]:.1f}]" if one["ci"] else ""
    return f"{100 * one['value']:.1f}{ends}"
