"""Rank many arms of finished runs, with intervals of their ranks that hold all at once.

Every pair is compared on the items that all arms share, and the p-values of all pairs are adjusted by Holm's method.
An arm's best rank is one below those that are above it, its worst one above those that are below it. One false claim or
more among all pairs is made 5 % of the time at most, so that all intervals hold all true ranks at once 95 % of the time
at least (Mogstad, Romano, Shaikh and Wilhelm, Review of Economic Studies 91, 2024). Arms that are equally good share
their ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from judgescale.harness.finished.comparing import refuse
from judgescale.harness.finished.reading import Judged
from judgescale.harness.finished.sharing import Shared, find_shared_units
from judgescale.harness.finished.signatures import find_unlike_parts
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.stats.differences import measure_difference
from judgescale.harness.stats.intervals import Interval, share_headline
from judgescale.harness.stats.means import find_mean_intervals
from judgescale.harness.stats.multiple import adjust_holm
from judgescale.harness.stats.power import LEVEL
from judgescale.harness.types import JudgescaleError


@dataclass(frozen=True)
class Place:
    """Hold an arm's place on a leaderboard."""

    arm: Judged
    value: float
    interval: Interval
    best: int  # the ranks that it may have
    worst: int


@dataclass(frozen=True)
class Printed:
    """Hold a number that somebody printed for the same benchmark: it has no interval and no rank."""

    name: str
    value: float
    how: str
    source: str
    status: str


@dataclass(frozen=True)
class Leaderboard:
    """Hold A arms, the best first, and by how much each is above each other one."""

    places: tuple[Place, ...]
    printed: tuple[Printed, ...]
    items: int
    gap: np.ndarray  # (A, A): the row's headline minus the column's
    p: np.ndarray  # (A, A), adjusted over all pairs; NaN where nothing tells, and on the diagonal
    left_out: tuple[int, ...]  # of each arm, the items that not all have
    warnings: tuple[str, ...]

    def is_apart(self, row: int, column: int) -> bool:
        """Tell whether two arms are told apart once all pairs are granted."""
        return bool(self.p[row, column] <= LEVEL)  # NaN is not


def rank_arms(arms: Sequence[Judged], anyway: bool = False) -> Leaderboard:
    """Rank arms of one task on the items that all share.

    anyway: rank also what is not comparable, and say so.

    Raises JudgescaleError where there are no two arms, where some are not comparable, or where they share no item.
    """
    if len(arms) < 2:
        raise JudgescaleError("a leaderboard takes two arms or more; give more runs")
    warnings = []
    for arm in arms[1:]:
        if unlike := find_unlike_parts(arms[0], arm).incomparable:
            if not anyway:
                refuse(arms[0], arm, unlike)
            warnings.append(f"{arm.name} in {arm.folder} is not comparable with the first: {'; '.join(unlike)}")
    shared, unlike_units = find_shared_units(arms)
    if unlike_units and not anyway:
        raise JudgescaleError(f"not comparable: {'; '.join(unlike_units)} (--anyway ranks them all the same)")
    warnings += [f"not comparable: {what}" for what in unlike_units]
    value = share_headline(shared.units, shared.headline) @ shared.credit
    intervals = find_mean_intervals(shared.units, shared.credit, shared.headline)
    gap, p = compare_all_pairs(shared)
    best, worst = find_rank_intervals(gap, p)
    order = np.argsort(-value, kind="stable")
    return Leaderboard(
        tuple(Place(arms[i], float(value[i]), intervals[i], int(best[i]), int(worst[i])) for i in order),
        tuple(list_printed(arms)),
        len(shared.item),
        gap[np.ix_(order, order)],
        p[np.ix_(order, order)],
        tuple(shared.left_out[i] for i in order),
        tuple(warnings),
    )


def compare_all_pairs(shared: Shared) -> tuple[np.ndarray, np.ndarray]:
    """Compare all pairs of arms: by how much the row is above the column, and p-values adjusted over all pairs."""
    arms = shared.credit.shape[1]
    gap, p = np.zeros((arms, arms)), np.full((arms, arms), np.nan)
    pairs = list(combinations(range(arms), 2))
    found = []
    for i, j in pairs:
        credit = shared.credit[:, i], shared.credit[:, j]
        by_lot = shared.by_lot[:, i], shared.by_lot[:, j]
        fitted = shared.fitted[i] or shared.fitted[j]
        found.append(measure_difference(shared.units, credit, by_lot, shared.headline, fitted))
    for (i, j), one, adjusted in zip(pairs, found, adjust_holm([one.p for one in found]), strict=True):
        gap[i, j], gap[j, i] = one.by_rule.gap, -one.by_rule.gap
        p[i, j] = p[j, i] = np.nan if adjusted is None else adjusted
    return gap, p


def find_rank_intervals(gap: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the best and the worst rank that each arm may have, (A,) each, of what `compare_all_pairs` returns."""
    apart = p <= LEVEL
    return 1 + (apart & (gap < 0)).sum(axis=1), len(p) - (apart & (gap > 0)).sum(axis=1)


def list_printed(arms: Sequence[Judged]) -> list[Printed]:
    """List the headlines that others printed, each once, the largest first; not those typed from memory."""
    found: dict[tuple[str, str, float], Printed] = {}
    for arm in arms:
        for row in arm.published:
            if (printed := read_printed(row)) and not printed.status.startswith("recalled"):
                found.setdefault((printed.name, printed.how, round(printed.value, 4)), printed)
    return sorted(found.values(), key=lambda printed: -printed.value)


def read_printed(row: Mapping[str, Any]) -> Printed | None:
    """Read a row of summary.json's "published"; None where it is not a headline."""
    value = row.get("value")
    if row.get("section") != "overall" or not isinstance(value, float | int):
        return None
    texts = (flatten_text(str(row.get(column) or "")) for column in ("name", "source", "status", "strategy"))
    name, source, status, strategy = texts
    how = f"{strategy}@{row['k']}" if strategy and row.get("k") else strategy
    return Printed(name, float(value), how, source, status)
