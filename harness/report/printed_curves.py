"""The figure of a paper's own scaling curves, drawn from the numbers in its tables."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.figure import HOLLOW, STYLE
from judgescale.harness.report.styles import COLOURS, GREY, LINES, MARKERS

WRAP = 92  # characters a line below the axes


class Series(NamedTuple):
    """Hold one curve; a single point is drawn without a line."""

    name: str
    points: Sequence[tuple[int, float, str]]  # k, value as a fraction, what is written beside it


def draw_printed_curves(
    title: str, metric: str, series: Sequence[Series], notes: Sequence[str], path: Path
) -> tuple[Path, Path]:
    """Draw curves against k as PATH.png and PATH.pdf, and return both names.

    notes: lines below the axes, such as where the numbers were printed. Markers are hollow: nothing was run here.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    path.parent.mkdir(parents=True, exist_ok=True)
    ks = sorted({k for one in series for k, _, _ in one.points})
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        ax = figure.subplots()
        for i, one in enumerate(series):
            xs, ys, labels = zip(*((k, 100 * value, label) for k, value, label in one.points), strict=True)
            colour = COLOURS[i % len(COLOURS)]
            line = LINES[i % len(LINES)] if len(xs) > 1 else ""
            style = {"color": colour, "marker": MARKERS[i % len(MARKERS)], "linestyle": line, **HOLLOW}
            ax.plot(xs, ys, label=flatten_text(one.name), markeredgecolor=colour, markersize=6, linewidth=1.4, **style)
            for x, y, label in zip(xs, ys, labels, strict=True):
                ax.annotate(label, (x, y), (0, 7), textcoords="offset points", ha="center", fontsize=7, color=GREY)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_locator(FixedLocator([float(k) for k in ks]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.margins(x=0.08, y=0.14)
        ax.set_title("\n".join(textwrap.wrap(flatten_text(title), 64)))
        ax.set_xlabel("k, judgments per item (log scale)")
        ax.set_ylabel(f"{flatten_text(metric)} (%), as printed")
        ax.legend(frameon=False, fontsize=8, loc="best")
        text = "\n".join(wrapped for note in notes for wrapped in textwrap.wrap(flatten_text(note), WRAP))
        figure.supxlabel(text, x=0.01, ha="left", fontsize=6.5, color=GREY)
        png, pdf = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.pdf")
        figure.savefig(png, dpi=160)
        figure.savefig(pdf, metadata={"CreationDate": None})
    return png, pdf
