"""Accuracy against compute: curve.png and curve.pdf.

A task whose arms have a curve gets a panel with judgments per item on a log axis (and one below it with tokens, where
they are known); a task of single points gets a row a judge. Series differ in lightness, line and marker, so the figure
survives a black-and-white printer; names stand outside the axes, so they never cover data.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from judgescale.harness.report import (
    OVERALL,
    by_task,
    clean,
    curve,
    interval,
    is_recalled,
    labels,
    own,
    percent,
    points,
)
from judgescale.harness.types import CurvePoint, Estimate, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

COLOURS = ("#12355b", "#e58a3c", "#8c1c4b", "#4fa3a5", "#66701f", "#b39ddb", "#000000", "#9a9a9a")
MARKERS = "os^DvX<p>"  # nine, so that a marker meets a colour again only after 72 arms
LINES = ("-", "--", "-.", ":")
GREY = "#555555"
LINES_AT_MOST = 8  # more short curves than this cross too often to follow: one row each instead
SHORT = 3  # points
BANDS_AT_MOST = 4  # more bands than this are mud: error bars instead
MARKER = 6.0  # points, as wide as it is drawn
HAIR = 2.0  # points between the error bars of curves at one cost
WIDE, HIGH = 390.0, 200.0  # points that the data take, about
ROWS_AT_MOST = 36  # sections are drawn while arms x sections stays below this
REFERENCES = 5
PUBLISHED = "published, same judge"
WRAP = 34  # characters a line, beside the axes
LEGEND = 64  # and below them
UNITS = {"judgments": "judgments per item", "tokens": "tokens per item, prompt + completion"}
PANEL = 6.2  # inches
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
    "axes.titlelocation": "left", "pdf.fonttype": 42, "axes.grid": True, "grid.color": "#e6e6e6",
    "axes.axisbelow": True, "text.usetex": False, "text.parse_math": False, "savefig.bbox": "tight",
}  # fmt: skip


class Panel(NamedTuple):
    """One axes: who draws it and how tall it wants to be."""

    draw: Callable[[Axes], None]
    height: float


def draw(results: Sequence[Result], folder: Path) -> None:
    """Writes curve.png and curve.pdf into the folder."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = [_panels(task, arms) for task, arms in by_task(results).items()]
    blank = Panel(lambda ax: ax.set_axis_off(), 0)
    lines: list[list[Panel]] = []
    for start in range(0, len(columns), 3):
        group = columns[start : start + 3]
        for i in range(max(map(len, group))):
            cells = [column[i] if i < len(column) else blank for column in group]
            lines.append(cells + [blank] * (min(3, len(columns)) - len(group)))
    heights = [max(panel.height for panel in line) for line in lines]
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in a script the font lacks shows boxes
        figure = Figure(figsize=(PANEL * len(lines[0]), sum(heights)), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(len(lines), len(lines[0]), squeeze=False, height_ratios=heights)
        for line, row in zip(lines, grid, strict=True):
            for panel, ax in zip(line, row, strict=True):
                panel.draw(ax)
        figure.savefig(folder / "curve.png", dpi=160)
        figure.savefig(folder / "curve.pdf", metadata={"CreationDate": None})


def _panels(task: str, arms: Sequence[Result]) -> list[Panel]:
    curves = [curve(r) for r in arms]
    longest = max(map(len, curves))
    if longest <= 1 or (longest <= SHORT and len(arms) > LINES_AT_MOST):
        rows = _sections(arms)
        height = 1.5 + (0.32 if len(rows) > 1 else 0.36) * len(rows) * len(arms)
        return [Panel(lambda ax: _dots(ax, task, arms, rows), height)]
    legend = 0.19 * sum(_wrap(name, LEGEND).count("\n") + 1 for name in labels(arms))
    panels = [Panel(lambda ax: _curves(ax, task, arms, "judgments"), 4 + legend)]
    if all(p.tokens_per_item for c in curves for p in c):
        panels.append(Panel(lambda ax: _curves(ax, task, arms, "tokens"), 4 + legend))
    return panels


def _curves(ax: Axes, task: str, arms: Sequence[Result], unit: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
    from matplotlib.transforms import ScaledTranslation

    def shifted(by: float) -> Transform:  # on the page and not in the data, so that the axis stays true
        return ax.transData + ScaledTranslation(by / 72, 0, _figure(ax).dpi_scale_trans)

    spans: list[float] = []
    last: list[float] = []
    costs: list[float] = []
    found = [[(x, p.estimate) for p in curve(r) if (x := _cost(p, unit)) and x > 0] for r in arms]
    places = [[(x, 100 * e.value) for x, e in series] for series in found]
    moves = _aside(places)
    for i, (name, series, aside) in enumerate(zip(labels(arms), found, moves, strict=True)):
        if not series:
            continue
        xs, ys = [x for x, _ in series], [100 * e.value for _, e in series]
        lows, highs = [100 * _ci(e)[0] for _, e in series], [100 * _ci(e)[1] for _, e in series]
        style = _style(i) | ({} if len(series) > 1 else {"linestyle": ""})
        bands = len(series) > 1 and len(arms) <= BANDS_AT_MOST
        hair = 0.0 if len(arms) <= BANDS_AT_MOST else HAIR * (i - (len(arms) - 1) / 2)
        ax.plot([], [], label=_wrap(name, LEGEND), **style)  # for the legend
        last.append(ys[-1])
        offsets = [hair if place is None else place for place in aside]
        for by in dict.fromkeys(offsets):
            here = [j for j, offset in enumerate(offsets) if offset == by]
            markers = style | {"linestyle": ""}
            ax.plot([xs[j] for j in here], [ys[j] for j in here], transform=shifted(by), zorder=3, **markers)
            barred = [j for j in here if not bands and (len(arms) <= LINES_AT_MOST or j == len(series) - 1)]
            at, down, up = ([values[j] for j in barred] for values in (xs, lows, highs))
            ax.vlines(at, down, up, color=style["color"], alpha=0.6, linewidth=1, transform=shifted(by))
        ax.plot(xs, ys, transform=shifted(hair), zorder=2.5, **style | {"marker": ""})
        if bands:
            ax.fill_between(xs, lows, highs, color=style["color"], alpha=0.13, linewidth=0)
        spans += lows + highs
        costs += xs
    if costs:
        low, high = min(costs), max(costs)
        pad = max((high / low) ** 0.06, 1.12)
        ax.set_xscale("log")
        ax.set_xlim(low / pad, high * pad)
        ax.xaxis.set_major_locator(FixedLocator(_ticks(low, high)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
        room = 0.06 * (max(spans) - min(spans)) or 1.0
        _references(ax, arms, (min(spans) - room, max(spans) + room))
    metric = clean(arms[0].headline.metric)
    ax.set_title(_wrap(f"{_common(task, arms)}: {metric} against {unit}", 64))
    beside = "; equal points side by side" if any(a is not None for aside in moves for a in aside) else ""
    ax.set_xlabel(f"{UNITS[unit]} (log scale{beside})")
    ax.set_ylabel(f"{metric} (%), 95 % interval")
    handles, names = ax.get_legend_handles_labels()
    order = sorted(range(len(handles)), key=lambda i: -last[i])  # as the lines end, top to bottom
    if len(arms) > 1:
        _legend(ax, [handles[i] for i in order], [names[i] for i in order])


def _aside(series: Sequence[Sequence[tuple[float, float]]]) -> list[list[float | None]]:
    """How far aside each curve's markers go, in points: side by side where they would hide one another, else None."""
    places = [(x, y) for line in series for x, y in line]
    if not places:
        return [[] for _ in series]
    spread = log(max(x for x, _ in places) / min(x for x, _ in places)) or 1.0
    tall = max(y for _, y in places) - min(y for _, y in places) or 1.0

    def across(a: tuple[float, float], b: tuple[float, float]) -> float:
        return abs(log(a[0] / b[0])) / spread * WIDE

    groups: list[list[tuple[int, int]]] = []  # (curve, point): of each curve one at most
    for i, line in enumerate(series):
        for j, at in enumerate(line):
            for group in groups:
                first = series[group[0][0]][group[0][1]]
                near = across(at, first) < MARKER and abs(at[1] - first[1]) / tall * HIGH < MARKER
                if near and group[-1][0] != i:
                    group.append((i, j))
                    break
            else:
                groups.append([(i, j)])
    aside: list[list[float | None]] = [[None] * len(line) for line in series]
    for group in groups:
        if len(group) > 1:
            # no further than half way to a curve's own next point
            gaps = [across(series[i][j], at) for i, j in group for n, at in enumerate(series[i]) if abs(n - j) == 1]
            step = min([MARKER, 0.1 * WIDE / len(group), *(gap / len(group) for gap in gaps)])
            for place, (i, j) in enumerate(group):
                aside[i][j] = step * (place - (len(group) - 1) / 2)
    return aside


def _legend(ax: Axes, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Below the axis label, a fixed way down however tall the axes are."""
    from matplotlib.transforms import ScaledTranslation

    below = ax.transAxes + ScaledTranslation(0, -0.5, _figure(ax).dpi_scale_trans)
    ax.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=below,
        frameon=False,
        handlelength=4,
        borderaxespad=0,
        borderpad=0,
    )


def _figure(ax: Axes) -> Figure:
    from matplotlib.figure import Figure

    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    return figure


def _common(task: str, arms: Sequence[Result]) -> str:
    """The task, and what all arms share and no label says."""
    shared = [names.pop() for names in ({r.judge for r in arms}, {r.strategy for r in arms}) if len(names) == 1]
    return clean(", ".join([task, *(shared if len(arms) > 1 or len(curve(arms[0])) > 1 else [])]))


def _references(ax: Axes, arms: Sequence[Result], span: tuple[float, float]) -> None:
    """Published numbers as dashed lines, named in the right margin; only those near what is drawn."""
    theirs = [p for r in arms for p in r.published if p.section == OVERALL and p.status.startswith("confirmed")]
    theirs.sort(key=lambda p: p.delta is None)  # the same judge first
    lines = dict.fromkeys(
        (p.name, p.value, p.source, p.status) for p in theirs if p.delta is not None or p.status == "confirmed"
    )
    low, high = span
    reach = 0.35 * (high - low)
    near = [line for line in lines if low - reach <= 100 * line[1] <= high + reach][:REFERENCES]
    low, high = min([low, *(100 * t[1] - 0.5 for t in near)]), max([high, *(100 * t[1] + 0.5 for t in near)])
    ax.set_ylim(low, high)
    texts = []
    for name, value, source, status in sorted(near, key=lambda t: t[1]):
        ax.axhline(100 * value, color=GREY, linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
        doubt = "" if status == "confirmed" else f" [{status.removeprefix('confirmed').strip(', -')}]"
        texts.append((100 * value, f"published: {_wrap(name, 40)} {percent(value)}{doubt}\n{_shortened(source, 56)}"))
    sizes = [0.034 * (text.count("\n") + 1) * (high - low) for _, text in texts]
    heights = _spread([y for y, _ in texts], sizes, low, high)
    beside = ("axes fraction", "data")
    for (y, text), at in zip(texts, heights, strict=True):
        ax.annotate(
            text,
            (1, y),
            (1.03, at),
            xycoords=beside,
            textcoords=beside,
            fontsize=6.5,
            color=GREY,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.5, "relpos": (0, 0.5)},
        )


def _dots(ax: Axes, task: str, arms: Sequence[Result], sections: Sequence[str]) -> None:
    """A row a judge, or, where sections are drawn too, a group of rows a section."""
    names, n = labels(arms), len(arms)
    step = n + 0.8 if len(sections) > 1 else 1.0
    seen_diamond = False
    rows: list[tuple[float, str, str]] = []  # where, what, the numbers
    for s, section in enumerate(sections):
        for i, r in enumerate(arms):
            y = -(s * step + i)
            estimate = r.headline if section == OVERALL else r.sections.get(section)
            if estimate is None:
                continue
            style = _style(i if len(sections) > 1 else 0) | {"linestyle": ""}
            low, high = _ci(estimate)
            first = curve(r)[:1] if section == OVERALL and len(curve(r)) > 1 else []
            for p in first:  # where the arm came from at its smallest k
                start = 100 * p.estimate.value
                ax.plot([start, 100 * estimate.value], [y, y], color="#bbbbbb", linewidth=2.5, zorder=2)
                ax.plot(start, y, marker="|", color="#777777", markersize=9, zorder=3)
            ax.hlines(y, 100 * low, 100 * high, color=style["color"], linewidth=1.6, alpha=0.75, zorder=2)
            label = _wrap(names[i], LEGEND) if s == 0 and len(sections) > 1 else None
            ax.plot(100 * estimate.value, y, label=label, zorder=4, **style)
            printed = own(r).get(section)
            if printed and not is_recalled(printed):
                ax.plot(
                    100 * printed.value,
                    y - 0.4,
                    marker="D",
                    markersize=4,
                    markerfacecolor="white",
                    linestyle="",
                    markeredgecolor="black",
                    zorder=5,
                    label=None if seen_diamond else PUBLISHED,
                )
                seen_diamond = True
            delta = f"  Δ {points(printed.delta)}" if printed else ""
            rows.append((y, _wrap(names[i]), f"{percent(estimate.value)} {interval(estimate.ci)}{delta}"))
    if len(sections) > 1:
        centres = [-(s * step + (n - 1) / 2) for s in range(len(sections))]
        ax.set_yticks(centres, [_wrap(s) for s in sections])
        for s in range(1, len(sections)):
            ax.axhline(-(s * step - 0.9), color="#d0d0d0", linewidth=0.6)
    else:
        ax.set_yticks([y for y, _, _ in rows], [name for _, name, _ in rows])
    margin = ax.get_yaxis_transform()
    for y, _, note in rows:
        ax.text(1.02, y, note, transform=margin, fontsize=7.5, va="center", color=GREY, family="monospace")
    bottom = -((len(sections) - 1) * step + n - 1)
    ax.set_ylim(bottom - 0.7, 0.6)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.06)
    metric = clean(arms[0].headline.metric)
    ks = sorted({r.k for r in arms})
    about = f"k = {ks[0]}" if len(ks) == 1 else f"k = {ks[0]} to {ks[-1]}"
    moved = any(len(curve(r)) > 1 for r in arms)
    ax.set_title(_wrap(f"{_common(task, arms)}: {metric}, {about}" + (" (grey tick: smallest k)" if moved else ""), 70))
    ax.set_xlabel(f"{metric} (%), 95 % interval")
    handles, labelled = ax.get_legend_handles_labels()
    if handles:
        order = sorted(range(len(handles)), key=lambda i: labelled[i] == PUBLISHED)
        _legend(ax, [handles[i] for i in order], [labelled[i] for i in order])


def _sections(arms: Sequence[Result]) -> list[str]:
    found = list(dict.fromkeys(name for r in arms for name in r.sections))
    few = len(arms) <= LINES_AT_MOST and len(arms) * (1 + len(found)) <= ROWS_AT_MOST
    return [OVERALL, *found] if few else [OVERALL]


def _style(i: int) -> dict[str, Any]:
    return {
        "color": COLOURS[i % len(COLOURS)],
        "marker": MARKERS[i % len(MARKERS)],
        "linestyle": LINES[i % len(LINES)],
        "markersize": 5.5,
        "linewidth": 1.6,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
    }


def _cost(point: CurvePoint, unit: str) -> float | None:
    return point.judgments_per_item if unit == "judgments" else point.tokens_per_item


def _ci(estimate: Estimate) -> tuple[float, float]:
    return estimate.ci or (estimate.value, estimate.value)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, … within the data, and where the data end; both of the data's ends where that leaves too few."""
    ticks = [m * 10.0**e for e in range(-3, 13) for m in (1, 2, 5) if low * 0.999 <= m * 10.0**e <= high * 1.001]
    if len(ticks) < 2:
        return sorted({low, high, *ticks})
    return [*ticks, high] if high > 1.15 * ticks[-1] else ticks


def _short(x: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:.3g}{letter}"
    return f"{x:.3g}"


def _spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Moves labels apart, as little as needed; both lists ascend."""
    at = list(wanted)
    for _ in range(200):
        for i in range(1, len(at)):
            overlap = at[i - 1] + (sizes[i - 1] + sizes[i]) / 2 - at[i]
            if overlap > 0:
                at[i - 1], at[i] = at[i - 1] - overlap / 2, at[i] + overlap / 2
        at = [min(max(y, low), high) for y in at]
    return at


def _wrap(text: str, width: int = WRAP) -> str:
    """Long names on several lines, broken where a name can be broken."""
    text = re.sub(r"([/_@,])(?=\S)", "\\1\u200b", clean(text))
    lines = textwrap.wrap(text.replace("\u200b", " \u200b"), width, break_on_hyphens=True) or [""]
    return "\n".join(line.replace(" \u200b", "").replace("\u200b", "") for line in lines)


def _shortened(text: str, width: int) -> str:
    text = clean(text)
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
