"""What a page tells of the health of judges: what could not be read, what they prefer, how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from markupsafe import Markup

from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.page.arms import PageArm
from judgescale.harness.page.charts import Bin, draw_reliability
from judgescale.harness.report.reliability import list_panels
from judgescale.harness.report.text import UNKNOWN, format_interval, format_percent
from judgescale.harness.rounding import write_rounded
from judgescale.harness.types import STATUSES, Result

HEADER = (
    "judgments", "tied", "order flips", "the first shown wins", "the longest wins", "agreement (κ)",
    "worth, in independent votes", "decisions that tie",
)  # fmt: skip
PANELS = 12
WINNERS = ("response 1", "a tie", "response 2")


@dataclass(frozen=True)
class HealthRow:
    """Hold what is known of the judgments of some arms, which share them."""

    names: Sequence[str]
    statuses: Sequence[tuple[str, str]]  # status and its count
    cells: Sequence[str]  # as HEADER


@dataclass(frozen=True)
class FlipMatrix:
    """Hold how verdicts in one order go with those in the other, as shares of all pairs, and over how much."""

    task: str
    cells: Sequence[Sequence[float]]  # [winner when response 1 comes first][when response 2 does], as WINNERS
    pairs: int
    items: int

    @property
    def same(self) -> float:
        """Return the share of pairs with the same verdict."""
        return sum(self.cells[i][i] for i in range(3))

    @property
    def by_place(self) -> tuple[float, float]:
        """Return the shares in which the first shown and the last shown win both times."""
        return self.cells[0][2], self.cells[2][0]


def list_health(arms: Sequence[PageArm], prefix: bool) -> list[HealthRow]:
    """List a row for each set of judgments: arms that vote by the same ones share it. prefix: whether to name tasks."""
    rows: dict[tuple[object, ...], HealthRow] = {}
    for arm in arms:
        row = make_row(arm.result)
        key = (arm.task if prefix else "", *row.statuses, *row.cells)
        name = f"{arm.task}: {arm.name}" if prefix else arm.name
        held = rows.get(key)
        rows[key] = HealthRow([*held.names, name] if held else [name], row.statuses, row.cells)
    return list(rows.values())


def make_row(r: Result) -> HealthRow:
    """Make the row of one arm, without its name."""
    h = r.health
    statuses = h.get("statuses") or {}
    told = [(name, f"{statuses[name]:,}") for name in STATUSES if statuses.get(name)]
    order = h.get("order") or {}
    flips = order.get("flip_rate")
    flip = f"{format_percent(flips['value'])} % {format_interval(flips['ci'])} of {flips['n']:,}" if flips else UNKNOWN
    agree = [
        f"{name} {format_percent(found['value'])}\u00a0%"
        + ("" if found["kappa"] is None else f" (κ\u00a0{write_rounded(found['kappa'], 2)})")
        for name, found in (h.get("agreement") or {}).items()
    ]
    worth = [
        f"{found['votes']} {name}: {write_rounded(found['effective'], 2)}"
        for name, found in (h.get("effective_votes") or {}).items()
        if found["effective"] is not None and isfinite(found["effective"])
    ]
    tied = h.get("tied_decisions")
    cells = [
        write_count(h.get("judgments")),
        write_count(h.get("ties")),
        flip,
        write_preference(order.get("first_place")),
        write_preference(h.get("length")),
        "; ".join(agree) or UNKNOWN,
        "; ".join(worth) or UNKNOWN,
        f"{format_percent(tied / r.items)} %" if tied is not None and r.items else UNKNOWN,
    ]
    return HealthRow([], told, cells)


def write_count(value: Any) -> str:
    """Write a whole number; a dash where it is unknown."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def write_preference(found: Mapping[str, Any] | None) -> str:
    """Write how often the favoured response wins, where right ones are evened out if that is known."""
    if not found:
        return UNKNOWN
    if (even := found["balanced"]) is None:
        return f"{format_percent(found['value'])} %, and is {'always' if found['right'] else 'never'} right"
    return f"{format_percent(even['value'])} % {format_interval(even['ci'])}; {format_percent(even['chance'])} if fair"


def draw_panels(arms: Sequence[PageArm]) -> tuple[list[tuple[str, str, Markup]], int]:
    """Draw how far votes, and a meta RM's scores, are right as often as they say; and count what is left out."""
    panels = list_panels([arm.result for arm in arms])
    drawn = []
    for who, what, found in panels[:PANELS]:
        n = found["n"] or 1
        bins = [
            Bin(
                100 * b["confidence"],
                100 * b["right"],
                (100 * b["ci"][0], 100 * b["ci"][1]),
                b["n"] / n,
                f"{b['n']:,} at {format_percent(b['confidence'])} %: {format_percent(b['right'])} % right"
                f" {format_interval(b['ci'])}",
            )
            for b in found["bins"]
        ]
        error = (
            f"calibration error {format_percent(found['ece'])} points, {format_percent(found['luck'])} by luck alone"
        )
        drawn.append((who, f"{what}: {error}", draw_reliability(f"{who}, {what}: {error}", bins)))
    return drawn, max(0, len(panels) - PANELS)


def find_flip_matrices(runs: Sequence[FinishedRun]) -> list[FlipMatrix]:
    """Find, of each benchmark judged in pairs, how verdicts in one order go with those in the other."""
    return [matrix for run in runs for task in list_tasks(run) if (matrix := make_flip_matrix(run, task)) is not None]


def list_tasks(run: FinishedRun) -> list[str]:
    """List the benchmarks of a run whose verdicts are known to follow the order, or not to."""
    known = [r.task for r in run.results if (r.health.get("order") or {}).get("flip_rate")]
    return list(dict.fromkeys(known))


def make_flip_matrix(run: FinishedRun, task: str) -> FlipMatrix | None:
    """Make the matrix of a benchmark: over every pair of judgments of one item by one judge, one in either order.

    Every item, judge and variant that was read in both orders counts as one; None where there is none.
    """
    import pyarrow.compute as pc

    table = run.judgments
    table = table.filter(pc.and_(pc.equal(table["task"], task), pc.equal(table["status"], "ok")))
    table = table.filter(pc.equal(pc.list_value_length(table["shown"]), 2))
    table = table.filter(pc.equal(pc.fill_null(pc.list_value_length(table["scores"]), 0), 2))
    if not len(table):
        return None
    shown, scores = (
        np.asarray(pc.list_flatten(table[name]).to_numpy(zero_copy_only=False), float).reshape(-1, 2)
        for name in ("shown", "scores")
    )
    codes = [
        np.unique(np.asarray(table[name].to_pylist(), dtype=object).astype(str), return_inverse=True)[1].reshape(-1)
        for name in ("item", "judge", "variant")
    ]
    ends = np.sort(shown, axis=1).T
    group = np.unique(np.stack([*codes, *ends]), axis=1, return_inverse=True)[1].reshape(-1)
    gap = np.where(shown[:, 0] < shown[:, 1], 1, -1) * (scores[:, 0] - scores[:, 1])  # of the lower number's response
    fine = np.isfinite(gap)
    winner = np.where(gap > 0, 0, np.where(gap == 0, 1, 2))
    turned = (shown[:, 0] > shown[:, 1]).astype(int)
    counts = np.zeros((int(group.max()) + 1, 2, 3))
    np.add.at(counts, (group[fine], turned[fine], winner[fine]), 1)
    sizes = counts.sum(axis=2)
    both = (sizes > 0).all(axis=1)
    if not both.any():
        return None
    share = counts[both] / sizes[both][:, :, None]
    cells = np.einsum("ni,nj->ij", share[:, 0], share[:, 1]) / both.sum()
    items = np.unique(codes[0][np.isin(group, np.flatnonzero(both))])
    return FlipMatrix(task, cells.tolist(), int(sizes[both].prod(axis=1).sum()), len(items))
