"""What judging the same items again would give: how far the judge's own chance moves the number.

An interval over items says what new items like these would give. A number printed for the same benchmark is of the same
items, so it is to be held against another target: one more run of this strategy at this k, each judgment drawn anew by
the judge that gave it, with the same prompt and (where the protocol fixes it) in the same order. The pool stands for
what the judge says: runs are drawn from it with replacement, item by item, and the strategy decides on what was drawn.
A judge varies by m / (m - 1) of what m draws from its m judgments do: exact at k = 1, and too wide where a vote of all
of them is nearly always right.

Ours is a mean over all subsets of k of the n judgments, whose variance is at most k / n of one run's (Hoeffding, 1948).
The interval holds the other run, so it adds both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation.credits import Credits, group_alike, group_by_unit
from judgescale.harness.evaluation.metrics import compute_metric
from judgescale.harness.evaluation.replay import Replay, Shelf, batch_items, draw_orders, share_orders
from judgescale.harness.evaluation.verdicts import number_judges
from judgescale.harness.long_columns import join_keys
from judgescale.harness.recorded.pools import Pools, join_questions
from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.intervals import Interval, Rollup, Units, share_headline
from judgescale.harness.stats.spread import measure_spread

DRAWS = 30  # runs drawn by the same judges, and by other panels: a standard error over panels is known to an eighth


@dataclass(frozen=True)
class Again:
    """Hold the intervals of another run on the same items, and what the number's own uncertainty is made of.

    intervals: of "overall", of every section and of the benchmark's other headlines, where judgments vary. items,
    judgments, judges: standard errors of the headline as fractions: of other items (None of a single cluster), of the
    same judges once more (None where none judged a question twice alike: the part of items then holds it), of other
    judges in their place (None of a single judge).
    """

    intervals: Mapping[str, Interval]
    items: float | None
    judgments: float | None
    judges: float | None

    @property
    def parts(self) -> dict[str, float | None]:
        """Return the standard errors by their source."""
        return {"items": self.items, "judgments": self.judgments, "judges": self.judges}

    def summarise(self) -> dict[str, object]:
        """Return the headline's part as the entry of a result."""
        return {"ci": self.intervals.get("overall"), **self.parts}

    def holds(self, section: str, value: float) -> bool | None:
        """Tell whether another run may give this value in a section; None where that is not known."""
        return None if (found := self.intervals.get(section)) is None else found[0] <= value <= found[1]


def judge_again(
    arm: Arm, pools: Sequence[Pools], credits: Credits, metrics: Mapping[str, float], level: float = 0.95
) -> Again | None:
    """Find what judging the same items again would give at the arm's k; None where the pools cannot tell.

    metrics: the task's metrics of all items, by name.

    They cannot where one judge judged no question twice alike, where all its judgments agree, where the strategy chose
    its questions by the verdicts, for it may then ask what was not bought, and where it decides about all items
    together (`tell_why_unknown`).
    """
    judges, alike = len(arm.judgments.judges), count_alike(arm, pools)
    varies = alike.varies
    if arm.as_bought or arm.strategy.across or arm.shares or arm.strategy.calibrated or not (varies or judges > 1):
        return None
    ours, units = credits.select_column(arm.ks.index(arm.k)).value, credits.units
    same = np.arange(judges)[None].repeat(DRAWS if varies else 0, axis=0)
    others = make_rng(arm.seed, "panels").integers(judges, size=(DRAWS if judges > 1 else 0, judges))
    decisions = _draw_runs(arm, pools, np.concatenate([same, others]))
    runs = _credit_runs(arm, decisions)
    drawn = runs[:, : len(same)].var(axis=1, ddof=1) if varies else np.zeros(len(runs))
    size = alike.judgments / alike.questions
    each = size / (alike.kinds / alike.questions)  # judgments of a kind
    mend, own, share = _mend(each), arm.k / size, share_headline(units, arm.rollup)
    judgments = own * mend * float(share**2 @ drawn)
    panels = None
    if judges > 1:
        more = (share @ runs[:, len(same) :]).var(ddof=1) - share**2 @ drawn
        panels = float(np.sqrt(max(more, 0.0) * _mend(judges)))
    spread = measure_spread(units, ours, share)
    intervals = {}
    if varies:
        widen = (1 + own) * mend
        intervals = _find_intervals(arm, credits, ours[:, 0], widen * drawn, level)
        intervals |= _find_metric_intervals(arm, metrics, [d[: len(same)] for d in decisions], widen, level)
    return Again(
        intervals,
        items=float(np.sqrt(max(spread.variance[0] - judgments, 0.0))) if spread else None,
        judgments=float(np.sqrt(judgments)) if varies else None,
        judges=panels,
    )


def _find_intervals(
    arm: Arm, credits: Credits, ours: np.ndarray, variance: np.ndarray, level: float
) -> dict[str, Interval]:
    """Find the interval of another run in every section and headline. ours, variance: (U,), the latter of a unit."""
    units = credits.units

    def find_interval(part: Units, rows: np.ndarray, how: Rollup) -> Interval:
        """Find the interval of the units in these rows, rolled up in this way."""
        weight = share_headline(part, how)
        return _make_interval(float(weight @ ours[rows]), float(weight**2 @ variance[rows]), level)

    whole = np.arange(len(variance))
    found = {"overall": find_interval(units, whole, arm.rollup)}
    for name in dict.fromkeys(units.section.tolist()):
        rows = np.flatnonzero(units.section == name)
        found.setdefault(name, find_interval(credits.select_units(rows.tolist()).units, rows, "items"))
    for name, headline in arm.task.rollups.items():
        if set(headline) <= set(units.section.tolist()):
            found.setdefault(name, find_interval(units, whole, headline))
    return found


def _find_metric_intervals(
    arm: Arm, metrics: Mapping[str, float], runs: Sequence[np.ndarray], widen: float, level: float
) -> dict[str, Interval]:
    """Find the interval of another run in every metric that is no mean of credits.

    runs: each item's decisions in the runs drawn, (D, n). widen: by what their variance is multiplied.
    """
    found: dict[str, Interval] = {}
    for name in metrics.keys() - set(arm.task.of_mean):  # those look at other decisions
        again = compute_metric(arm, arm.task.metrics[name], runs)
        found[name] = _make_interval(metrics[name], widen * float(np.var(again, ddof=1)), level)
    return found


def _make_interval(value: float, variance: float, level: float) -> Interval:
    """Make the interval of another run around ours, within 0 and 1; None where nothing varies, or nobody knows."""
    half = float(stats.norm.ppf((1 + level) / 2) * np.sqrt(variance))
    return (max(value - half, 0.0), min(value + half, 1.0)) if half > 0 else None


def describe_judging_again(again: Again) -> str:
    """Say in one line where another run on the same items would land, and what the number's uncertainty is made of."""
    told = ", ".join(f"{name} {error * 100:.1f}" for name, error in again.parts.items() if error is not None)
    if found := again.intervals.get("overall"):
        within = f"95 % of runs within [{found[0] * 100:.1f}, {found[1] * 100:.1f}]"
        return f"The same items, judged again: {within}; standard errors by source: {told} points."
    # none was asked the same twice: the chance of the judges is not known alone
    told = told.replace(",", " (with the judges' own chance),", 1)
    return f"Standard errors by source: {told} points."


def tell_why_unknown(strategy: Strategy) -> list[str]:
    """Tell why nothing is known of judging the same items again, where it is the strategy's doing."""
    if not strategy.across:
        return []
    return [
        f"strategy={strategy.name} decides about all items together: what judging them again would give is not known,"
        " and intervals take items for independent."
    ]


def explain_unknown(arm: Arm, pools: Sequence[Pools]) -> str:
    """Say why what judging the same items again would give is not known, wherever `judge_again` does not tell."""
    if arm.strategy.across:
        return "the strategy decides about all items together"
    if arm.as_bought or arm.shares or arm.strategy.calibrated:
        return "the strategy chose by the verdicts whom or what to ask"
    alike = count_alike(arm, pools)
    if alike.kinds == alike.judgments:
        return "nothing was asked twice alike"
    if not alike.varies:
        return "asked again, the judge said the same every time"
    return "it was not computed for this number"


class Alike(NamedTuple):
    """Hold how many judgments there are of how many questions, and of how many kinds in them: those asked for alike.

    varies: whether some of one kind differ.
    """

    judgments: int
    questions: int
    kinds: int
    varies: bool


def count_alike(arm: Arm, pools: Sequence[Pools]) -> Alike:
    """Count the judgments that were asked for alike, and so differ by chance alone."""
    columns, judgments, questions, kinds, varies = arm.judgments.data.columns, 0, 0, 0, False
    for asked in join_questions(pools):
        key = join_keys(asked.number, columns.judge[asked.rows], _find_ways(arm, asked.rows))
        _, first, kind = np.unique(key, return_index=True, return_inverse=True)
        others = asked.scores[first[kind.reshape(-1)]]
        same = (asked.scores == others) | (np.isnan(asked.scores) & np.isnan(others))
        judgments, questions, kinds = judgments + len(key), questions + len(asked.sizes), kinds + len(first)
        varies = varies or not same.all()
    return Alike(judgments, questions, kinds, varies)


def _find_ways(arm: Arm, rows: np.ndarray) -> np.ndarray:
    """Find how judgments of one question were asked for: (n,), equal for one prompt and one order shown.

    The order is left out where it is by chance.
    """
    columns = arm.judgments.data.columns
    by_chance = arm.judgments.data.meta.get("order") == "random"
    ways: np.ndarray = columns.variant[rows] * np.int64(1 if by_chance else len(columns.orders))
    return ways if by_chance else ways + columns.order[rows]


def _mend(count: float) -> float:
    """Return what a variance of draws from so few is short of: n / (n - 1), exact at k = 1."""
    return count / (count - 1) if count > 1 else 1.0


def _draw_runs(arm: Arm, pools: Sequence[Pools], panels: np.ndarray) -> list[np.ndarray]:
    """Draw runs of the arm's strategy at its k on the same items, and return each item's decisions, (D, n).

    panels: (D, judges), which judge takes the place of each, by their places in the arm.
    """
    decisions: list[np.ndarray] = []
    # filled in, not returned: asyncio.run would build the repr of what the coroutine returns
    asyncio.run(_fill_runs(arm, pools, panels, decisions))
    return decisions


def _credit_runs(arm: Arm, decisions: Sequence[np.ndarray]) -> np.ndarray:
    """Credit the units in every run, (U, D)."""
    members = list(group_by_unit(arm.task, arm.items).values())
    earned = np.empty((len(members), len(decisions[0])))
    for units in group_alike(arm.task, arm.items, members):
        items = [arm.items[i] for i in members[units[0]]]
        scores = [np.concatenate([decisions[members[u][place]] for u in units]) for place in range(len(items))]
        earned[units] = arm.task.credit(items, scores, arm.rules).reshape(len(units), -1)
    return earned


async def _fill_runs(arm: Arm, pools: Sequence[Pools], panels: np.ndarray, decisions: list[np.ndarray]) -> None:
    strategy, number, columns = arm.strategy.at(arm.k), number_judges(arm), arm.judgments.data.columns
    known: dict[bytes, Sources] = {}  # many pools are of the same kinds
    found: dict[int, np.ndarray] = {}  # by the item's place
    for places in batch_items(arm.items, pools, len(panels)):
        orders = []
        for place in places:
            rng = make_rng(arm.seed, "again", arm.items[place].id)
            order = draw_orders(pools[place], len(panels), rng)
            for row, pool in enumerate(pools[place].values()):
                judge, way = number[columns.judge[pool.rows]], _find_ways(arm, pool.rows)
                if (sources := known.get(kinds := judge.tobytes() + way.tobytes())) is None:
                    sources = known.setdefault(kinds, Sources.find(judge, way, len(arm.judgments.judges)))
                order[:, row, : len(pool)] = sources.redraw(order[:, row, : len(pool)], panels, rng)
            orders.append(share_orders(pools[place], order))
        replay = Replay(Shelf.fill([pools[place] for place in places]), orders)
        rng = make_rng(arm.seed, "again", *(arm.items[place].id for place in places))
        scores = await strategy(replay, len(arm.items[places[0]].responses), rng)
        found |= zip(places, np.split(scores, len(places)), strict=True)
    decisions += (found[place] for place in range(len(pools)))


@dataclass(frozen=True)
class Sources:
    """Hold which judgments of a pool may stand for which: those of one kind, a kind being a judge asked in one way."""

    judge: np.ndarray  # (n,), whose each judgment is
    way: np.ndarray  # (n,), how it was asked for
    ways: int
    by_kind: np.ndarray  # (n,), the judgments sorted by kind: kind = judge * ways + way
    first: np.ndarray  # (judges * ways,), where a kind begins in by_kind
    count: np.ndarray  # (judges * ways,)

    @classmethod
    def find(cls, judge: np.ndarray, way: np.ndarray, judges: int) -> Sources:
        """Sort a pool's judgments by kind. judge, way: of each (n,), among so many judges."""
        asked, way = np.unique(way, return_inverse=True)
        kind = judge * len(asked) + way
        count = np.bincount(kind, minlength=judges * len(asked))
        return cls(judge, way, len(asked), np.argsort(kind, kind="stable"), np.cumsum(count) - count, count)

    def redraw(self, order: np.ndarray, panels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Put for each judgment of an order (D, n) a random one of its kind, or of who takes its judge's place.

        A judge that was not asked that way takes nobody's place.
        """
        judge, way = self.judge[order], self.way[order]
        kind = np.take_along_axis(panels, judge, axis=1) * self.ways + way
        kind = np.where(self.count[kind] > 0, kind, judge * self.ways + way)
        drawn: np.ndarray = self.by_kind[self.first[kind] + (rng.random(order.shape) * self.count[kind]).astype(int)]
        return drawn
