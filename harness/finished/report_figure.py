"""The figure of a report: a panel a group of arms, accuracy against what an item costs, and the frontier below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from judgescale.harness.finished.rivals import BEATEN, FRONTIER, Group, Standing, get_cost
from judgescale.harness.report.figure import (
    ASPECT,
    CROSS,
    OTHERS,
    Panel,
    draw_curves,
    draw_dots,
    draw_panels,
    measure_legend,
    measure_rows,
)
from judgescale.harness.report.readings import OVERALL
from judgescale.harness.report.styles import Styles, choose_styles
from judgescale.harness.types import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONTIER_LABEL = "frontier, by the estimates"
BEATEN_LABEL = "beaten by one that costs no more"
TOLD_APART = 20  # arms in a panel: of more than these only those on the frontier are told apart
TOLD_CROSSED = 32  # and of judges times strategies, of which each has a look of its own


def draw_report(groups: Sequence[Group], frontiers: Sequence[Sequence[Standing]], unit: str, folder: Path) -> None:
    """Write report.png and report.pdf into the folder."""
    arms = [[list_drawn(curve.result, unit) for curve in group.curves] for group in groups]
    styles = choose_styles(arms, [group.names for group in groups])
    columns = []
    for group, results, standings in zip(groups, arms, frontiers, strict=True):
        own = styles if styles.shared else choose_styles([results], [group.names])
        columns.append([make_panel(group, results, standings, unit, own)])
    draw_panels(columns, folder, "report", styles.shared)


def make_panel(
    group: Group, results: Sequence[Result], standings: Sequence[Standing], unit: str, styles: Styles
) -> Panel:
    """Make the panel of a group: curves, or a row an arm where all points cost the same."""
    costs = {get_cost(point, unit) for result in results for point in result.curve}
    if len(costs) == 1:
        return Panel(lambda ax: draw_dots(ax, group.task, results, [OVERALL]), measure_rows(results))
    named = None
    if len(results) > (TOLD_CROSSED if styles.judges else TOLD_APART):
        named = sorted({s.curve for s in standings if s.state == FRONTIER})
        styles = choose_styles([[results[c] for c in named]], [[group.names[c] for c in named]])

    def draw(ax: Axes) -> None:
        """Draw the curves, the frontier below them, and a cross on what is beaten."""
        from matplotlib.lines import Line2D

        more = [Line2D([], [], color="#c4c4c4", linewidth=5, solid_capstyle="butt", label=FRONTIER_LABEL)]
        beaten = {(s.curve, s.point.k) for s in standings if s.state == BEATEN}
        if named is not None:
            others = f"{len(results) - len(named)} more arms, never on the frontier (report.csv names each)"
            more.append(Line2D([], [], label=others, **OTHERS))
            beaten = {(c, k) for c, k in beaten if c in named}
        if beaten:
            more.append(Line2D([], [], label=BEATEN_LABEL, **CROSS))
        draw_curves(ax, group.task, results, unit, styles, more, group.names, beaten, named)
        best = [(s.cost, 100 * s.point.estimate.value) for s in standings if s.state == FRONTIER]
        if best:
            xs, ys = zip(*best, strict=True)
            end = max(max(s.cost for s in standings), xs[-1])
            ax.step([*xs, end], [*ys, ys[-1]], where="post", color="#c4c4c4", linewidth=5, zorder=1.2)

    listed = results if named is None else [results[c] for c in named]
    return Panel(draw, 4.2 + measure_legend(listed, styles, more=3), ASPECT)


def list_drawn(result: Result, unit: str) -> Result:
    """Return a result with the points of its curve whose cost is known."""
    return replace(result, curve=[p for p in result.curve if get_cost(p, unit) is not None])
