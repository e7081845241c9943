"""The figure of how often votes are right against how clear they are: reliability.png and reliability.pdf.

A small panel for each judge of each task whose votes, or whose meta RM's scores, are measured
(evaluation/calibration.py). A point is a bin with the 95 % interval of its share that is right, its area the items in
it; on the diagonal confidence is what it says.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.figure import DPI, STYLE, save_figure, shorten
from judgescale.harness.report.fonts import list_lean_fonts
from judgescale.harness.report.styles import COLOURS, GREY
from judgescale.harness.report.text import format_percent
from judgescale.harness.types import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL = 2.7  # inches
ACROSS = 4
PANELS = 12  # at most
NAMED = 34  # characters of a title
AREA = 90.0  # square points of a bin that holds all items


def list_panels(results: Sequence[Result]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """List what is drawn, each once: whose confidence, what it is, and how it was measured."""
    panels: list[tuple[str, str, Mapping[str, Any]]] = []
    several = len({r.task for r in results}) > 1
    for r in results:
        who = f"{r.task}, {r.judge}" if several else r.judge
        for name, found in (r.health.get("calibration") or {}).items():
            of = "score of the meta RM"
            if name == "votes":
                asked = f" on {found['responses']:.3g} responses" if found["responses"] > 1 else ""
                of = f"share of {found['votes']:.3g} votes{asked}"
            if (who, of, found) not in panels:  # arms may vote by the same judgments
                panels.append((who, of, found))
    return panels


def draw_reliability(results: Sequence[Result], folder: Path) -> None:
    """Write reliability.png and reliability.pdf into the folder; nothing where no confidence was measured."""
    panels = list_panels(results)
    if not panels:
        return
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    left_out, panels = len(panels) - PANELS, panels[:PANELS]
    across = min(len(panels), ACROSS)
    down = -(-len(panels) // across)
    with matplotlib.rc_context(STYLE | list_lean_fonts()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(PANEL * across, (PANEL + 0.45) * down), dpi=DPI)
        FigureCanvasAgg(figure)
        figure.subplots_adjust(wspace=0.22, hspace=0.5)
        grid = figure.subplots(down, across, squeeze=False).ravel()
        ends = [end for *_, found in panels for b in found["bins"] for end in (b["confidence"], b["ci"][0])]
        start = 10 * int(10 * min(ends))  # the same for all
        for number, (ax, (who, what, found)) in enumerate(zip(grid, panels)):
            _draw_panel(ax, who, what, found, start)
            if number % across == 0:
                ax.set_ylabel("right (%)", fontsize=8)
        for ax in grid[len(panels) :]:
            ax.set_axis_off()
        if left_out > 0:
            grid[0].text(0, 1.3, f"{left_out} more are in summary.json", transform=grid[0].transAxes, color=GREY)
        save_figure(figure, folder, "reliability")


def _draw_panel(ax: Axes, who: str, what: str, found: Mapping[str, Any], start: int) -> None:
    """Draw one judge's bins on axes that begin at `start` percent."""
    bins = found["bins"]
    said, right = [100 * b["confidence"] for b in bins], [100 * b["right"] for b in bins]
    low, high = ([100 * b["ci"][end] for b in bins] for end in (0, 1))
    ax.plot([0, 100], [0, 100], color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    ax.vlines(said, low, high, color=COLOURS[0], linewidth=1.2, alpha=0.7, zorder=2)
    sizes = [12 + AREA * b["n"] / found["n"] for b in bins]
    ax.scatter(said, right, s=sizes, color=COLOURS[0], edgecolors="white", linewidths=0.7, zorder=3, clip_on=False)
    ax.set_xlim(start - 3, 103)
    ax.set_ylim(start - 3, 103)
    ax.set_aspect("equal")
    ax.tick_params(labelsize=7.5)
    ax.set_title(
        f"{shorten(who, NAMED)}\n{found['n']:,} {'votes' if 'responses' in found else 'judgments'}", fontsize=8
    )
    ax.set_xlabel(f"{flatten_text(what)} (%)", fontsize=8)
    error = f"error {format_percent(found['ece'])}\nby luck {format_percent(found['luck'])}"
    place = {"x": 0.03, "y": 0.97, "ha": "left", "va": "top"}
    ax.text(s=error, transform=ax.transAxes, fontsize=7.5, color=GREY, **place)  # type: ignore[arg-type]
