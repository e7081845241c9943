"""What judging the same items again would give: how far the judge's own chance moves the number.

An interval over items says what new items like these would give. A number printed for the same benchmark is of the same
items, so it is to be held against another target: one more run of this strategy at this k, each judgment drawn anew by
the judge that gave it. The pool stands for what the judge says: runs are drawn from it with replacement, item by item,
and the strategy decides on what was drawn. A judge varies by m / (m - 1) of what m draws from its m judgments
do: exact at k = 1, and too wide where a vote of all of them is nearly always right.

Ours is a mean over all subsets of k of the n judgments, whose variance is at most k / n of one run's (Hoeffding, 1948).
The interval holds the other run, so it adds both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, group_by_unit
from judgescale.harness.evaluation.replay import Replay, draw_orders
from judgescale.harness.recorded.pools import Pool, Pools
from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.intervals import Interval, Rollup, Units, share_headline
from judgescale.harness.stats.spread import measure_spread

DRAWS = 40  # runs drawn by the same judges, and by other panels: a standard error over panels is known to a tenth


@dataclass(frozen=True)
class Again:
    """Hold the intervals of another run on the same items, and what the number's own uncertainty is made of.

    intervals: of "overall", of every section and of the benchmark's other headlines, where judgments vary. items,
    judgments, judges: standard errors of the headline as fractions: of other items (None of a single cluster), of the
    same judges once more, of other judges in their place (None of a single judge).
    """

    intervals: Mapping[str, Interval]
    items: float | None
    judgments: float
    judges: float | None

    def summarise(self) -> dict[str, object]:
        """Return the headline's part as the entry of a result."""
        parts = {"items": self.items, "judgments": self.judgments, "judges": self.judges}
        return {"ci": self.intervals["overall"], **parts}

    def holds(self, section: str, value: float) -> bool | None:
        """Tell whether another run may give this value in a section; None where that is not known."""
        return None if (found := self.intervals.get(section)) is None else found[0] <= value <= found[1]


def judge_again(arm: Arm, pools: Sequence[Pools], credits: Credits, level: float = 0.95) -> Again | None:
    """Find what judging the same items again would give at the arm's k; None where the pools cannot tell.

    They cannot where no judge judged a question twice, where all its judgments agree, and where the strategy chose its
    questions by the verdicts, for it may then ask what was not bought.
    """
    every = [pool for p in pools for pool in p.values()]
    if arm.as_bought or not any(_varies_within_judge(pool) for pool in every):
        return None
    ours, units = credits.select_column(arm.ks.index(arm.k)).value, credits.units
    judges = len(arm.judgments.judges)
    same = np.arange(judges)[None].repeat(DRAWS, axis=0)
    others = make_rng(arm.seed, "panels").integers(judges, size=(DRAWS if judges > 1 else 0, judges))
    runs = _draw_runs(arm, pools, np.concatenate([same, others]))
    drawn = runs[:, :DRAWS].var(axis=1, ddof=1)
    size = float(np.mean([len(pool) for pool in every]))
    each = size / float(np.mean([len({j.judge for j in pool.judgments}) for pool in every]))
    run, own = drawn * _mend(each), arm.k / size
    share, z = share_headline(units, arm.rollup), float(stats.norm.ppf((1 + level) / 2))

    def find_interval(part: Units, rows: np.ndarray, how: Rollup) -> Interval:
        weight = share_headline(part, how)
        half = z * float(np.sqrt((1 + own) * (weight**2 @ run[rows])))
        value = float(weight @ ours[rows, 0])
        return (max(value - half, 0.0), min(value + half, 1.0)) if half else None

    whole = np.arange(len(share))
    intervals = {"overall": find_interval(units, whole, arm.rollup)}
    for name in dict.fromkeys(units.section.tolist()):
        rows = np.flatnonzero(units.section == name)
        intervals.setdefault(name, find_interval(credits.select_units(rows.tolist()).units, rows, "items"))
    for name, headline in arm.task.rollups.items():
        if set(headline) <= set(units.section.tolist()):
            intervals.setdefault(name, find_interval(units, whole, headline))
    if intervals["overall"] is None:
        return None
    judgments = own * float(share**2 @ run)
    panels = None
    if judges > 1:
        more = (share @ runs[:, DRAWS:]).var(ddof=1) - share**2 @ drawn
        panels = float(np.sqrt(max(more, 0.0) * _mend(judges)))
    spread = measure_spread(units, ours, share)
    return Again(
        intervals,
        items=float(np.sqrt(max(spread.variance[0] - judgments, 0.0))) if spread else None,
        judgments=float(np.sqrt(judgments)),
        judges=panels,
    )


def describe_judging_again(again: Again) -> str:
    """Say in one line where another run on the same items would land, and what the number's uncertainty is made of."""
    found = again.intervals["overall"]
    assert found is not None
    parts = {"items": again.items, "judgments": again.judgments, "judges": again.judges}
    told = ", ".join(f"{name} {error * 100:.1f}" for name, error in parts.items() if error is not None)
    return (
        f"The same items, judged again: 95 % of runs within [{found[0] * 100:.1f}, {found[1] * 100:.1f}];"
        f" standard errors by source: {told} points."
    )


def _varies_within_judge(pool: Pool) -> bool:
    """Tell whether some judge of a pool gave judgments that differ."""
    said: dict[str, set[tuple[float, ...] | None]] = {}
    for judgment, scores in zip(pool.judgments, pool.scores.tolist(), strict=True):
        said.setdefault(judgment.judge, set()).add(None if np.isnan(scores).any() else tuple(scores))
    return any(len(kinds) > 1 for kinds in said.values())


def _mend(count: float) -> float:
    """Return what a variance of draws from so few is short of: n / (n - 1), exact at k = 1."""
    return count / (count - 1) if count > 1 else 1.0


def _draw_runs(arm: Arm, pools: Sequence[Pools], panels: np.ndarray) -> np.ndarray:
    """Draw runs of the arm's strategy at its k on the same items, and credit them: (U, D).

    panels: (D, judges), which judge takes the place of each, by their places in the arm.
    """
    decisions: list[np.ndarray] = []
    # filled in, not returned: asyncio.run would build the repr of what the coroutine returns
    asyncio.run(_fill_runs(arm, pools, panels, decisions))
    return np.array(
        [
            arm.task.credit([arm.items[i] for i in rows], [decisions[i] for i in rows], arm.rules)
            for rows in group_by_unit(arm.task, arm.items).values()
        ]
    )


async def _fill_runs(arm: Arm, pools: Sequence[Pools], panels: np.ndarray, decisions: list[np.ndarray]) -> None:
    place, strategy = {judge: i for i, judge in enumerate(arm.judgments.judges)}, arm.strategy.at(arm.k)
    for item, of_item in zip(arm.items, pools, strict=True):
        rng = make_rng(arm.seed, "again", item.id)
        order = draw_orders(of_item, len(panels), rng)
        for row, pool in enumerate(of_item.values()):
            judge = np.array([place[j.judge] for j in pool.judgments])
            order[:, row, : len(pool)] = _redraw(judge, order[:, row, : len(pool)], panels, rng)
        decisions.append(await strategy(Replay(of_item, order), len(item.responses), rng))


def _redraw(judge: np.ndarray, order: np.ndarray, panels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put in place of each judgment of an order (D, n) a random one of its judge, or of who takes the judge's place.

    judge: (n,), whose each judgment of the pool is. A judge that has none in this pool takes nobody's place.
    """
    by_judge, counts = np.argsort(judge, kind="stable"), np.bincount(judge, minlength=panels.shape[1])
    first = np.cumsum(counts) - counts
    own = judge[order]
    new = np.take_along_axis(panels, own, axis=1)
    new = np.where(counts[new] > 0, new, own)
    drawn: np.ndarray = by_judge[first[new] + (rng.random(order.shape) * counts[new]).astype(int)]
    return drawn
