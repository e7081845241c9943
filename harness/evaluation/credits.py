"""From decisions to credits: what every unit of a benchmark is expected to earn at every k."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.decisions import Counted, Decisions
from judgescale.harness.evaluation.rules import looks_at_gold_alone
from judgescale.harness.evaluation.ties import credit_by_lot, even_out_labels, tie_all
from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.intervals import Units, select_units
from judgescale.harness.types import TIES, Item, Rules, Task


@dataclass(frozen=True)
class Credits:
    """Hold the expected credit of every unit at every k, and the variance that sampling subsets left in it.

    `by_lot` is what it would be if every tie were broken by lot, and lone responses with and without the property were
    as many as each other (evaluation/ties.py): there a guess earns the same, however it is made.
    """

    units: Units
    subset: np.ndarray  # (U,)
    items: np.ndarray  # (U,): how many items a unit holds
    value: np.ndarray  # (U, K)
    variance: np.ndarray  # (U, K)
    by_lot: np.ndarray  # (U, K)
    tags: Sequence[tuple[tuple[str, str], ...]] = ()  # (U,)

    def select_units(self, rows: Sequence[int]) -> Credits:
        """Return the credits of these units only, without their tags."""
        units = select_units(self.units, np.asarray(rows))
        columns = self.value[rows], self.variance[rows], self.by_lot[rows]
        return Credits(units, self.subset[rows], self.items[rows], *columns)

    def select_column(self, column: int) -> Credits:
        """Return the credits at one k only, given as its place among the K: all are (U, 1)."""
        columns = {name: getattr(self, name)[:, [column]] for name in ("value", "variance", "by_lot")}
        return dataclasses.replace(self, **columns)


def make_units(task: Task, items: Sequence[Item]) -> Units:
    """Make one unit of each item.

    Items of a subset share the weight that the task gives it; where it gives none, each item counts as one.
    """
    weights, counts = task.weights, Counter(item.subset for item in items)
    return Units(
        section=np.array([task.section(item) for item in items]),
        cluster=np.array([item.cluster for item in items]),
        weight=np.array([weights.get(item.subset, counts[item.subset]) / counts[item.subset] for item in items]),
    )


def keep_shared_units(arm: Arm, credits: Credits, names: Collection[str]) -> Credits:
    """Return the credits of the units of these names only, weighed as if the arm had no others; without their tags."""
    members = group_by_unit(arm.task, arm.items)
    rows = [place for place, name in enumerate(members) if name in names]
    first = [arm.items[of_unit[0]] for of_unit in members.values()]
    whole, kept = even_out_labels(credits.units, first), [first[row] for row in rows]
    units, found = make_units(arm.task, kept), credits.select_units(rows)
    factor = even_out_labels(units, kept) / whole[rows]
    return dataclasses.replace(found, units=units, by_lot=found.by_lot * factor[:, None])


def group_by_unit(task: Task, items: Sequence[Item]) -> dict[str, list[int]]:
    """Map each unit's name to the places of its items."""
    members: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        members.setdefault(task.unit(item), []).append(i)
    return members


def group_alike(task: Task, items: Sequence[Item], members: Sequence[Sequence[int]]) -> list[list[int]]:
    """Group the places of units that the task credits alike: of one item each, of equal gold, where only that counts.

    members: the places of each unit's items. Whatever has to be credited can then be for a whole group at once.
    """
    rules = (task.credit, task.credit_by_lot or task.credit)
    if not all(map(looks_at_gold_alone, rules)):
        return [[place] for place in range(len(members))]
    groups: dict[object, list[int]] = {}
    for place, rows in enumerate(members):
        groups.setdefault(items[rows[0]].gold if len(rows) == 1 else (place,), []).append(place)
    return list(groups.values())


def credits_ties(task: Task, rules: Rules, items: Sequence[Item]) -> bool:
    """Tell whether it matters to any of the items what the rules say of ties."""
    members = list(group_by_unit(task, items).values())
    for alike in group_alike(task, items, members):
        unit = [items[i] for i in members[alike[0]]]
        earned = {float(task.credit(unit, tie_all(unit), dataclasses.replace(rules, tie=tie))[0]) for tie in TIES}
        if len(earned) > 1:
            return True
    return False


def describe_ties(task: Task, items: Sequence[Item]) -> str:
    """Say what a tied decision about these items is where no rule credits it; empty where the task does not tell."""
    return " or ".join(dict.fromkeys(filter(None, map(task.tied, items))))


def credit_units(arm: Arm, decisions: Sequence[Sequence[Decisions]]) -> Credits:
    """Compute the expected credit of every unit at every k from decisions[k][item]."""
    members = list(group_by_unit(arm.task, arm.items).values())
    value = np.zeros((len(members), len(decisions)))
    variance, by_lot = np.zeros_like(value), np.zeros_like(value)
    counted = [at_k for at_k in decisions if isinstance(at_k, Counted)]
    for alike in group_alike(arm.task, arm.items, members):
        rows = [members[u] for u in alike]
        if len(counted) == len(decisions) and len(rows[0]) == 1:
            places = np.concatenate(rows)
            value[alike], variance[alike], by_lot[alike] = _credit_counted(arm, places, counted)
            continue
        for u, of_unit in zip(alike, rows, strict=True):
            for at, found in _credit_unit(arm, of_unit, decisions):
                value[u, at], variance[u, at], by_lot[u, at] = found
    first = [arm.items[rows[0]] for rows in members]
    units = make_units(arm.task, first)
    subset, sizes = np.array([item.subset for item in first]), np.array([len(rows) for rows in members])
    by_lot *= even_out_labels(units, first)[:, None]
    return Credits(units, subset, sizes, value, variance, by_lot, [item.tags for item in first])


def _credit_counted(
    arm: Arm, places: np.ndarray, counted: Sequence[Counted]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Credit items of one kind whose decisions were counted: expected credit, variance, and by lot, (N, K) each."""
    one, outcomes = counted[0][int(places[0])], np.stack([at_k.outcomes[places] for at_k in counted], axis=1)
    item = arm.items[places[0]]
    earned = arm.task.credit([item], [one.scores], arm.rules)
    lot = credit_by_lot(arm.task, arm.rules, [item], [one.scores])
    mean, by_lot = np.zeros((2, *outcomes.shape[:2]))
    for o in range(outcomes.shape[2]):  # added up in this order, as a product of two vectors is
        mean, by_lot = mean + outcomes[..., o] * float(earned[o]), by_lot + outcomes[..., o] * float(lot[o])
    variance = np.zeros_like(mean)
    for row in np.flatnonzero(counted[0].draws[places]):
        draws = int(counted[0].draws[places[row]])
        for at in range(len(counted)):
            variance[row, at] = ((earned - mean[row, at]) ** 2 @ outcomes[row, at]) / (draws - 1)
    return mean, variance, by_lot


def _credit_unit(
    arm: Arm, rows: Sequence[int], decisions: Sequence[Sequence[Decisions]]
) -> Iterator[tuple[int, tuple[float, float, float]]]:
    """Credit one unit's items: at each k its place, the expected credit, its variance, and the credit by lot."""
    items = [arm.items[i] for i in rows]
    of_unit = [_find_unit_decisions(arm, items, [at_k[i] for i in rows]) for at_k in decisions]
    for at, earned, lot in _credit_decisions(arm, items, of_unit):
        weight, draws = of_unit[at].weight, of_unit[at].draws
        mean = earned @ weight
        yield at, (mean, ((earned - mean) ** 2 @ weight) / (draws - 1) if draws else 0.0, lot @ weight)


class UnitDecisions(NamedTuple):
    """Hold the decisions about a unit at one k: the scores of each of its items, (D, n); the rest as in `Decisions`."""

    scores: Sequence[np.ndarray]
    weight: np.ndarray
    draws: int


def _credit_decisions(
    arm: Arm, items: Sequence[Item], of_unit: Sequence[UnitDecisions]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Credit a unit's decisions at each k: its place, and what they earn by the arm's rules and by lot, (D,) each.

    All k are credited at once; decisions that are counted are the same at every k, only their weights differ.
    """
    distinct = {id(d.scores[0]): d for d in of_unit}
    scores = [np.concatenate(of_item) for of_item in zip(*(d.scores for d in distinct.values()), strict=True)]
    earned, lot = arm.task.credit(items, scores, arm.rules), credit_by_lot(arm.task, arm.rules, items, scores)
    ends = np.cumsum([len(d.weight) for d in distinct.values()])
    own = {name: slice(end - len(d.weight), end) for (name, d), end in zip(distinct.items(), ends, strict=True)}
    for at, d in enumerate(of_unit):
        yield at, earned[own[id(d.scores[0])]], lot[own[id(d.scores[0])]]


def _find_unit_decisions(arm: Arm, items: Sequence[Item], of_items: Sequence[Decisions]) -> UnitDecisions:
    """Return the decisions about a unit's items at one k; of several items, combined."""
    if len(items) == 1:
        return UnitDecisions([of_items[0].scores], of_items[0].weight, of_items[0].draws)
    return UnitDecisions(*_combine_decisions(arm, items, of_items))


def _combine_decisions(
    arm: Arm, items: Sequence[Item], of_items: Sequence[Decisions]
) -> tuple[list[np.ndarray], np.ndarray, int]:
    """Combine the decisions about a unit's several items in every way, or in a random sample of the ways.

    Returns the scores of each item, (D, n), how likely each combination is (D,), and the number of random draws (0
    where none was made).
    """
    if math.prod(len(d.scores) for d in of_items) <= arm.draws:
        index = np.indices([len(d.scores) for d in of_items]).reshape(len(of_items), -1)
        weight = np.prod([d.weight[i] for d, i in zip(of_items, index, strict=True)], axis=0)
        draws = max(d.draws for d in of_items)
    else:
        rng = make_rng(arm.seed, "unit", *(item.id for item in items))
        index = np.array([rng.choice(len(d.scores), arm.draws, p=d.weight) for d in of_items])
        weight, draws = np.full(arm.draws, 1 / arm.draws), arm.draws
    return [d.scores[i] for d, i in zip(of_items, index, strict=True)], weight, draws
