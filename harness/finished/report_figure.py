"""The figure of a report: a panel a group of arms, accuracy against what an item costs, and the frontier below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from judgescale.harness.finished.rivals import BEATEN, FRONTIER, Group, Standing, get_cost
from judgescale.harness.report.figure import Panel, draw_curves, draw_panels, find_common_styles, measure_legend
from judgescale.harness.types import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONTIER_LABEL = "frontier: the highest so far, by the estimates"
BEATEN_LABEL = "crossed out: a point that costs no more is told above it"


def draw_report(groups: Sequence[Group], frontiers: Sequence[Sequence[Standing]], unit: str, folder: Path) -> None:
    """Write report.png and report.pdf into the folder."""
    common = find_common_styles([group.names for group in groups])
    columns = [[make_panel(g, standings, unit, common)] for g, standings in zip(groups, frontiers, strict=True)]
    draw_panels(columns, folder, "report", common)


def make_panel(group: Group, standings: Sequence[Standing], unit: str, common: Mapping[str, int] | None) -> Panel:
    """Make the panel of a group."""
    results = [list_drawn(curve.result, unit) for curve in group.curves]

    def draw(ax: Axes) -> None:
        from matplotlib.lines import Line2D

        more = [Line2D([], [], color="#c4c4c4", linewidth=5, solid_capstyle="butt", label=FRONTIER_LABEL)]
        crosses = {"marker": "x", "markersize": 8, "color": "black", "markeredgewidth": 0.9, "linestyle": ""}
        if any(s.state == BEATEN for s in standings):
            more.append(Line2D([], [], label=BEATEN_LABEL, **crosses))  # type: ignore[arg-type]
        draw_curves(ax, group.task, results, unit, common, more, labels=group.names)
        best = [(s.cost, 100 * s.point.estimate.value) for s in standings if s.state == FRONTIER]
        if best:
            xs, ys = zip(*best, strict=True)
            end = max(max(s.cost for s in standings), xs[-1])
            ax.step([*xs, end], [*ys, ys[-1]], where="post", color="#c4c4c4", linewidth=5, zorder=1.2)
        for s in standings:
            if s.state == BEATEN:
                ax.plot([s.cost], [100 * s.point.estimate.value], zorder=5, **crosses)  # type: ignore[arg-type]

    return Panel(draw, 4.2 if common else 4.2 + measure_legend(results, more=2))


def list_drawn(result: Result, unit: str) -> Result:
    """Return a result with the points of its curve whose cost is known."""
    return replace(result, curve=[p for p in result.curve if get_cost(p, unit) is not None])
