"""Which arm at which k is worth its cost: the frontier, the best for a budget, gains a doubling, curves that fall.

Nothing is called better or worse for its estimate alone. Comparisons are paired, on the items that all arms of a group
share, and granted for their number and for having been chosen (stats/simultaneous.py). Where the tie rule alone makes a
difference, it is none (stats/differences.py). Arms of which only means are known, as of suites, are compared by their
intervals, as if they had judged different items, and granted by Holm's method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite, log2

import numpy as np
from scipy import stats

from judgescale.harness.finished.gathering import Curve
from judgescale.harness.finished.sharing import Shared, find_shared_units
from judgescale.harness.finished.signatures import find_unlike_parts
from judgescale.harness.report.readings import name_arms
from judgescale.harness.stats.differences import find_ps
from judgescale.harness.stats.intervals import Interval, share_headline
from judgescale.harness.stats.multiple import adjust_holm
from judgescale.harness.stats.paired import compare_paired
from judgescale.harness.stats.power import LEVEL
from judgescale.harness.stats.simultaneous import DRAWS, Chances, Headlines, compare_pairs, draw_headlines, find_chances
from judgescale.harness.types import CurvePoint

UNITS = ("judgments", "tokens", "flops", "dollars")
OVERLAP = 0.9  # of the items of either: arms that share fewer are not ranked together
ROUNDING = 1e-9
FRONTIER, BEATEN, NOT_TOLD = "frontier", "beaten", "not told apart"


@dataclass(frozen=True)
class Group:
    """Hold arms of one benchmark that may be ranked together, and what sets them apart from the others of it."""

    task: str
    curves: tuple[Curve, ...]
    names: tuple[str, ...]
    about: tuple[str, ...] = ()

    @cached_property
    def shared(self) -> Shared | None:
        """Return what all points earned on the items that all arms share; None where only means are known."""
        judged = [j for curve in self.curves for j in curve.judged]
        known = [j for j in judged if j is not None]
        return find_shared_units(known)[0] if len(known) == len(judged) else None

    @cached_property
    def drawn(self) -> tuple[Headlines, Headlines] | None:
        """Return the headlines of every point, by the rules and with ties broken by lot, with what chance may add.

        None where only means are known.
        """
        if (shared := self.shared) is None:
            return None
        same = np.array_equal(shared.credit, shared.by_lot)
        both = shared.credit if same else np.hstack([shared.credit, shared.by_lot])
        found, points = draw_headlines(shared.units, both, shared.headline), np.arange(shared.credit.shape[1])
        return found.select(points), found.select(points if same else points + len(points))

    @cached_property
    def values(self) -> np.ndarray:
        """Return the headline of every point on the items that all share, (P,), curve after curve."""
        if self.shared is None:
            return np.array([p.estimate.value for curve in self.curves for p in curve.points])
        return share_headline(self.shared.units, self.shared.headline) @ self.shared.credit

    def list_places(self) -> list[tuple[int, int]]:
        """List the points in the order of `values`: (curve, place in its points)."""
        return [(c, j) for c, curve in enumerate(self.curves) for j in range(len(curve.points))]


def measure_work(points: Sequence[int], items: int) -> int:
    """Measure what holding arms of so many points against each other costs: numbers touched, weighed by their time.

    That is to read each point, to draw what chance adds, and to test each pair: some 50 million a second on one core.
    """
    pairs = sum(n * (n - 1) // 2 for n in (*points, sum(points)))  # of falling curves, and of the frontier
    return 40 * items * sum(points) + DRAWS * items * (pairs > 0) + pairs * (2 * items + DRAWS // 3)


def make_groups(curves: Sequence[Curve]) -> list[Group]:
    """Group the arms of every benchmark such that those of a group may be ranked together, and name them."""
    groups: list[tuple[list[Curve], list[str]]] = []
    for curve in curves:
        why: list[str] = []
        for members, _ in groups:
            if members[0].result.task != curve.result.task:
                continue
            if not (unlike := find_reasons(members[0], curve)):
                members.append(curve)
                break
            why += unlike
        else:
            groups.append(([curve], why))
    made = []
    for members, why in groups:
        names = tuple(name_arms([curve.result for curve in members]))
        made.append(Group(members[0].result.task, tuple(members), names, tuple(dict.fromkeys(why))))
    order = list(dict.fromkeys(group.task for group in made))
    return sorted(made, key=lambda group: order.index(group.task))


def find_reasons(one: Curve, other: Curve) -> list[str]:
    """Find why two arms of one benchmark must not be ranked together: a line for each reason; empty where they may."""
    a, b = one.judged[-1], other.judged[-1]
    if a is None or b is None:
        if a is not b:
            return ["of one of them only means are known"]
        split = [[p for p in c.result.signature.split("|") if p.startswith(("suite:", "mean:"))] for c in (one, other)]
        return [] if split[0] == split[1] else ["their suites average other benchmarks"]
    reasons = list(find_unlike_parts(a, b).incomparable)
    common = len(set(a.item) & set(b.item))
    if common < OVERLAP * max(len(a.item), len(b.item)):
        return [*reasons, f"items: {len(a.item):,} | {len(b.item):,}, of which {common:,} are the same"]
    if not reasons:
        reasons += find_shared_units([a, b])[1]
    return reasons


def get_cost(point: CurvePoint, unit: str) -> float | None:
    """Return what an item costs at a point; None where it is unknown."""
    cost: float | None = getattr(point, f"{unit}_per_item")
    return cost if cost is not None and isfinite(cost) and cost > 0 else None


@dataclass(frozen=True)
class Standing:
    """Hold a point with its cost, and how it stands against those that cost no more."""

    curve: int
    point: CurvePoint
    cost: float
    value: float  # on the items that all share
    state: str  # FRONTIER: none that costs no more is higher; BEATEN: one is, beyond doubt; NOT_TOLD: one may be
    by: tuple[int, int] | None = None  # (curve, k) of the highest one that costs no more, if higher
    gap: float = 0.0  # how far below that one
    p: float | None = None  # adjusted
    sure: bool = False  # of one on the frontier: told above the last sure one before it; the cheapest is sure


@dataclass(frozen=True)
class Comparisons:
    """Hold p-values of some pairs of a group's points, adjusted for all of them together."""

    pairs: np.ndarray  # (M, 2)
    gap: np.ndarray  # (M,): the first minus the second
    p: np.ndarray  # (M,)
    chances: Chances | None = None


def compare_points(group: Group, pairs: np.ndarray) -> Comparisons:
    """Compare pairs (M, 2) of a group's points; 1 is the p-value where nothing tells, or only the tie rule does."""
    gap = group.values[pairs[:, 0]] - group.values[pairs[:, 1]] if len(pairs) else np.empty(0)
    if not len(pairs):
        return Comparisons(pairs, gap, np.empty(0))
    if (shared := group.shared) is None or group.drawn is None:
        return Comparisons(pairs, gap, compare_by_intervals(group, pairs, gap))
    fitted = np.array(shared.fitted)
    by_rule = compare_pairs(group.drawn[0], pairs, fitted)
    p = by_rule.adjust(by_rule.p)
    called = np.flatnonzero(p <= LEVEL)
    if len(called):  # only these need the tests that take longer
        by_lot = compare_pairs(group.drawn[1], pairs, fitted)
        exact = by_rule.p.copy()
        found = find_ps(shared.units, shared.credit, shared.by_lot, pairs[called], shared.headline, fitted)
        exact[called] = np.where(np.isnan(found), 1.0, np.maximum(found, exact[called]))
        same = np.sign(by_lot.gap) == np.sign(by_rule.gap)
        p = np.where(same, np.maximum(by_rule.adjust(exact), by_lot.adjust(np.maximum(by_lot.p, exact))), 1.0)
    return Comparisons(pairs, gap, p)


def compare_by_intervals(group: Group, pairs: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Compare points of which only estimates and intervals are known, as if they had judged different items."""
    ends = [p.estimate.ci for curve in group.curves for p in curve.points]
    error = np.array([(ci[1] - ci[0]) / 2 / stats.norm.ppf(0.975) if ci else np.inf for ci in ends])
    both = np.hypot(error[pairs[:, 0]], error[pairs[:, 1]])
    p = 2 * stats.norm.sf(np.abs(gap) / np.where(both > 0, both, np.inf))
    return np.array(adjust_holm(p.tolist()), dtype=np.float64)


def find_frontier(group: Group, unit: str) -> list[Standing]:
    """Find how every point of known cost stands, the cheapest first; of equal cost the highest first."""
    places = group.list_places()
    costs = [get_cost(group.curves[c].points[j], unit) for c, j in places]
    known = [m for m, cost in enumerate(costs) if cost is not None]
    cost = np.array([costs[m] if costs[m] is not None else np.nan for m in range(len(places))])
    pairs = np.array(
        [(q, p) for q in known for p in known if q != p and (cost[q] < cost[p] or (cost[q] == cost[p] and q < p))],
        dtype=np.int64,
    ).reshape(-1, 2)
    found = compare_points(group, pairs)
    value, standings = group.values, list[tuple[int, Standing]]()
    both = np.concatenate([found.pairs, found.pairs[:, ::-1]]) if len(pairs) else pairs
    every_p = np.concatenate([found.p, found.p])
    may_beat = cost[both[:, 0]] <= cost[both[:, 1]] if len(both) else np.empty(0, bool)
    for m in known:
        c, j = places[m]
        mine = np.flatnonzero((both[:, 1] == m) & may_beat) if len(both) else np.empty(0, int)
        higher = mine[value[both[mine, 0]] > value[m] + ROUNDING]
        standing = Standing(c, group.curves[c].points[j], float(cost[m]), float(value[m]), FRONTIER)
        if len(higher):
            sure = higher[every_p[higher] <= LEVEL]
            best = max(sure if len(sure) else higher, key=lambda row: value[both[row, 0]])
            other = int(both[best, 0])
            oc, oj = places[other]
            standing = Standing(
                c, standing.point, standing.cost, standing.value, BEATEN if len(sure) else NOT_TOLD,
                (oc, group.curves[oc].points[oj].k), float(value[m] - value[other]), float(every_p[best]),
            )  # fmt: skip
        standings.append((m, standing))
    standings.sort(key=lambda one: (one[1].cost, -one[1].value))
    p_of = dict(zip(map(tuple, both.tolist()), every_p.tolist(), strict=True))
    last: int | None = None
    marked = []
    for m, standing in standings:
        sure = standing.state == FRONTIER and (last is None or p_of.get((last, m), 1.0) <= LEVEL)
        last = m if sure else last
        marked.append(replace(standing, sure=sure))
    return marked


@dataclass(frozen=True)
class Candidate:
    """Hold what an arm gives for a budget: its dearest point within it."""

    curve: int
    point: CurvePoint
    cost: float
    value: float
    chance: float  # of being the highest, where the benchmark is drawn anew; NaN where nothing tells
    p: float | None  # of the difference from the highest one, adjusted for all pairs; None of that one itself

    @property
    def may_be_best(self) -> bool:
        """Tell whether it is not told below the highest one."""
        return self.p is None or not self.p <= LEVEL


@dataclass(frozen=True)
class Choice:
    """Hold the candidates for a budget, the highest first, and what luck alone would lift the highest by."""

    candidates: tuple[Candidate, ...]
    luck: float
    too_dear: tuple[int, ...]  # curves of which no point lies within the budget, or none of known cost

    @property
    def is_told(self) -> bool:
        """Tell whether the highest one is told above every other one."""
        return len(self.candidates) > 1 and not any(c.may_be_best for c in self.candidates[1:])


def choose_for_budget(group: Group, unit: str, budget: float) -> Choice:
    """Hold the arms against each other at what a budget an item buys of each: their dearest points within it."""
    places = group.list_places()
    chosen: dict[int, tuple[float, int]] = {}
    for m, (c, j) in enumerate(places):
        cost = get_cost(group.curves[c].points[j], unit)
        if cost is not None and cost <= budget * (1 + ROUNDING) and cost >= chosen.get(c, (0.0, 0))[0]:
            chosen[c] = (cost, m)
    rows = [m for _, m in chosen.values()]
    too_dear = tuple(c for c in range(len(group.curves)) if c not in chosen)
    if not rows:
        return Choice((), 0.0, too_dear)
    values = group.values
    rows.sort(key=lambda m: -values[m])
    pairs = np.array([(a, b) for i, a in enumerate(rows) for b in rows[i + 1 :]], dtype=np.int64).reshape(-1, 2)
    found = compare_points(group, pairs)
    chances = Chances(np.full(len(rows), np.nan), np.nan)
    if group.drawn is not None:
        chances = find_chances(group.drawn[0].select(np.array(rows)))
    candidates = []
    for place, m in enumerate(rows):
        c, j = places[m]
        p = None if not place else float(found.p[place - 1])  # the pairs of the highest come first
        cost = chosen[c][0]
        chance = float(chances.best[place])
        candidates.append(Candidate(c, group.curves[c].points[j], cost, float(values[m]), chance, p))
    return Choice(tuple(candidates), chances.luck, too_dear)


@dataclass(frozen=True)
class Gain:
    """Hold what a doubling of the cost adds to an arm's headline, on average over its curve."""

    curve: int
    slope: float
    interval: Interval


def measure_gains(group: Group, unit: str) -> list[Gain]:
    """Measure each curve's gain a doubling: the slope of a line through its points over log2 of their costs."""
    gains, start = [], 0
    for c, curve in enumerate(group.curves):
        columns = np.arange(start, start := start + len(curve.points))
        costs = [get_cost(p, unit) for p in curve.points]
        known = [j for j, cost in enumerate(costs) if cost is not None]
        x = np.array([log2(costs[j] or 1.0) for j in known])
        if len(known) < 2 or np.ptp(x) < ROUNDING:
            continue
        weight = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
        rows, interval = columns[known], None
        if (shared := group.shared) is not None:
            up, down = (shared.credit[:, rows] @ np.maximum(sign * weight, 0) for sign in (1, -1))
            fitted = bool(np.array(shared.fitted)[rows].any())
            interval = compare_paired(shared.units, up, down, shared.headline, fitted=fitted).interval
        gains.append(Gain(c, float(group.values[rows] @ weight), interval))
    return gains


@dataclass(frozen=True)
class Fall:
    """Hold that more judgments make an arm worse, beyond its interval."""

    curve: int
    top: CurvePoint
    end: CurvePoint
    gap: float
    p: float


def find_falls(group: Group) -> list[Fall]:
    """Find the curves that fall beyond doubt, each with its largest such fall; granted for all pairs of all curves."""
    places = group.list_places()
    pairs = [(m, n) for m, (c, _) in enumerate(places) for n, (d, _) in enumerate(places) if c == d and m < n]
    found = compare_points(group, np.array(pairs, dtype=np.int64).reshape(-1, 2))
    falls: dict[int, Fall] = {}
    for (m, n), gap, p in zip(pairs, found.gap.tolist(), found.p.tolist(), strict=True):
        (c, top), (_, end) = places[m], places[n]
        if gap > 0 and p <= LEVEL and (c not in falls or gap > falls[c].gap):
            falls[c] = Fall(c, group.curves[c].points[top], group.curves[c].points[end], gap, p)
    return list(falls.values())
