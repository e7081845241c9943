"""What several arms earned on the units that all of them have, weighed as if there were no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.errors import list_some
from judgescale.harness.finished.reading import Judged
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.stats.intervals import Rollup, Units, balance_labels
from judgescale.harness.types import JudgescaleError


@dataclass(frozen=True)
class Shared:
    """Hold U shared units and the credits of A arms."""

    item: tuple[str, ...]
    subset: np.ndarray
    gold: tuple[tuple[float, ...], ...]
    units: Units
    headline: Rollup
    credit: np.ndarray  # (U, A)
    by_lot: np.ndarray  # (U, A), with ties broken by lot
    lone: bool  # whether some units are a single response, whose labels weigh alike in `by_lot`
    left_out: tuple[int, ...]  # of each arm, the units that not all have
    fitted: tuple[bool, ...]  # whether each arm's decisions come of a model that was fitted to the other clusters


def find_shared_units(arms: Sequence[Judged]) -> tuple[Shared, list[str]]:
    """Find what the arms share, and what is not the same about it: a line for each, which makes them incomparable.

    Raises JudgescaleError where they share no unit.
    """
    places = [{name: place for place, name in enumerate(arm.item)} for arm in arms]
    common = set(places[0]).intersection(*places[1:])
    names = [name for name in arms[0].item if name in common]
    if not names:
        told = list_some([f"{flatten_text(arm.item[0])} in {arm.folder}" for arm in arms], 3)
        raise JudgescaleError(f"they have no item in common; the first ones are {told}")
    rows = [np.array(list(map(of_arm.__getitem__, names))) for of_arm in places]
    first, kept = arms[0], rows[0]
    unlike = []
    for arm, own in zip(arms[1:], rows[1:], strict=True):
        unlike += _find_unlike_units(first, kept, arm, own)
    units = _weigh(first, kept)
    headline: Rollup = "items"
    if not np.isnan(weights := first.section_weight[kept]).all():
        headline = dict(zip(units.section.tolist(), np.nan_to_num(weights).tolist(), strict=True))
    lone = np.array([len(first.gold[row]) == 1 for row in kept])
    by_lot = [_even_out(arm, own) for arm, own in zip(arms, rows, strict=True)]
    return Shared(
        item=tuple(names),
        subset=first.subset[kept],
        gold=tuple(first.gold[row] for row in kept),
        units=units,
        headline=headline,
        credit=np.column_stack([arm.credit[own] for arm, own in zip(arms, rows, strict=True)]),
        by_lot=np.column_stack(by_lot),
        lone=bool(lone.any()),
        left_out=tuple(len(arm.item) - len(names) for arm in arms),
        fitted=tuple("meta:logistic" in arm.signature.split("|") for arm in arms),
    ), unlike


def _weigh(arm: Judged, rows: np.ndarray) -> Units:
    """Make units of some of an arm's, each subset sharing the weight that the task gives it, where it gives one."""
    counts = Counter(arm.subset[rows].tolist())
    sizes = np.array([counts[subset] for subset in arm.subset[rows].tolist()], dtype=np.float64)
    given = arm.subset_weight[rows]
    return Units(arm.section[rows], arm.cluster[rows], np.where(np.isnan(given), sizes, given) / sizes)


def _even_out(arm: Judged, rows: np.ndarray) -> np.ndarray:
    """Return an arm's credits by lot on some of its units, both labels of lone responses weighing alike among these."""
    lone = np.array(list(map(len, arm.gold))) == 1
    if not lone.any():
        return arm.by_lot[rows]
    label = np.array([bool(gold) and gold[0] >= 1 for gold in arm.gold])
    whole = balance_labels(_weigh(arm, np.arange(len(arm.item))), lone, label)
    even: np.ndarray = arm.by_lot[rows] / whole[rows] * balance_labels(_weigh(arm, rows), lone[rows], label[rows])
    return even


def _find_unlike_units(one: Judged, rows: np.ndarray, other: Judged, own: np.ndarray) -> list[str]:
    """Find what is not the same about units of the same names: a line for each kind."""
    pairs = list(zip(rows.tolist(), own.tolist(), strict=True))
    told = []
    for name in ("gold", "subset", "section", "cluster"):
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, np.ndarray):
            differ = rows[a[rows] != b[own]].tolist()
        else:
            differ = [row for row, of_other in pairs if a[row] is not b[of_other] and a[row] != b[of_other]]
        if differ:
            told.append(f"{name} of {len(differ):,} items, the first {flatten_text(one.item[differ[0]])}")
    return told
