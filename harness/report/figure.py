"""The figure of accuracy against compute: curve.png and curve.pdf.

A task whose arms have a curve gets a panel with judgments per item on a log axis (and one below it with tokens, where
they are known); a task of single points gets a row a judge. Arms that differ in the thinking budget alone also are one
curve against tokens, above the rest, each point named after its budget. Series differ in lightness, line and marker, so
the figure survives a black-and-white printer; names stand outside the axes, so they never cover data.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Callable, Collection, Sequence
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.fonts import list_lean_fonts
from judgescale.harness.report.readings import (
    OVERALL,
    describe_published,
    find_own_published,
    fold_points,
    group_by_task,
    join_budgets,
    list_context,
    list_curve_points,
    name_arms,
)
from judgescale.harness.report.reference_curves import list_reference_curves
from judgescale.harness.report.styles import GREY, Styles, choose_styles
from judgescale.harness.report.text import format_interval, format_percent, format_points
from judgescale.harness.types import CurvePoint, Estimate, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

HOLLOW: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 1.1}
BESIDE: dict[str, Any] = {"fontsize": 6.5, "color": GREY, "ha": "center", "annotation_clip": False}
PRINTED: dict[str, Any] = {
    "color": GREY,
    "linewidth": 0.9,
    "linestyle": (0, (4, 4)),
    "marker": "o",
    "markersize": 4,
    **HOLLOW,
}
SPLIT = "hollow: an even vote, which can split; a tie earns other than a lot would"
LINES_AT_MOST = 8  # more short curves than this cross too often to follow: one row each instead
SHORT = 3  # points
BANDS_AT_MOST = 4  # more bands than this are mud: error bars instead
MARKER = 6.0  # points, as wide as it is drawn
HAIR = 2.0  # points between the error bars of curves at one cost
HAIRS = 18.0  # and of all together
WIDE, HIGH = 390.0, 200.0  # points that the data take, about
ROWS_AT_MOST = 36  # sections are drawn while arms x sections stays below this
REFERENCES = 5
PUBLISHED = "published, same judge"
WRAP = 34  # characters a line, beside the axes
LEGEND = 64  # and below them
HALF = 40  # and in one of two columns
CROSS: dict[str, Any] = {"marker": "x", "markersize": 8, "color": "black", "markeredgewidth": 0.9, "linestyle": ""}
OTHERS: dict[str, Any] = {"color": "#b4b4b4", "linewidth": 0.7}  # arms that are too many to be told apart
PANEL = 6.2  # inches
DPI = 160
ASPECT = 0.75  # of the axes of a panel of curves, height by width, beside a panel that is far taller
STRETCH = 1.4  # a panel may be drawn so many times as tall as it should be
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10,
    "axes.titlelocation": "left", "pdf.fonttype": 42, "axes.grid": True, "grid.color": "#e6e6e6",
    "axes.axisbelow": True, "text.usetex": False, "text.parse_math": False, "savefig.bbox": "tight",
}  # fmt: skip


class Panel(NamedTuple):
    """Hold one axes of the figure: what draws it, and how tall it should be."""

    draw: Callable[[Axes], None]
    height: float  # inches
    aspect: float | None = None  # height by width of its axes beside a taller panel; None: as tall as that one


def draw_figure(results: Sequence[Result], folder: Path) -> None:
    """Write curve.png and curve.pdf into the folder."""
    groups = {task: fold_points(arms) for task, arms in group_by_task(results).items()}
    styles = choose_styles(list(groups.values()), [name_arms(arms) for arms in groups.values()])
    columns = [_make_panels(task, arms, styles if styles.shared else None) for task, arms in groups.items()]
    draw_panels(columns, folder, "curve", styles.shared)


def draw_panels(columns: Sequence[Sequence[Panel]], folder: Path, name: str, shared: bool = False) -> None:
    """Write NAME.png and NAME.pdf: a column of panels a benchmark, three columns side by side.

    Where there are more, those of like height stand side by side, and none is stretched to the height of another.
    shared: whether one legend below serves all the panels.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    blank = Panel(lambda ax: ax.set_axis_off(), 0)
    if len(columns) > 3:
        columns = sorted(columns, key=lambda column: sum(panel.height for panel in column))
    lines: list[list[Panel]] = []
    for start in range(0, len(columns), 3):
        group = columns[start : start + 3]
        for i in range(max(map(len, group))):
            cells = [column[i] if i < len(column) else blank for column in group]
            lines.append(cells + [blank] * (min(3, len(columns)) - len(group)))
    heights = [max(panel.height for panel in line) for line in lines]
    with matplotlib.rc_context(STYLE | list_lean_fonts()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in a script the font lacks shows boxes
        figure = Figure(figsize=(PANEL * len(lines[0]), sum(heights)), layout="constrained", dpi=DPI)
        FigureCanvasAgg(figure)
        grid = figure.subplots(len(lines), len(lines[0]), squeeze=False, height_ratios=heights)
        for line, row in zip(lines, grid, strict=True):
            for panel, ax in zip(line, row, strict=True):
                panel.draw(ax)
                if panel.aspect and max(p.height for p in line) > STRETCH * panel.height:
                    ax.set_box_aspect(panel.aspect)
                    ax.set_anchor("NW")
        if shared:
            _draw_common_legend(figure)
        save_figure(figure, folder, name)


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as NAME.png and NAME.pdf: laid out once, so that both are alike, and cut to what is drawn."""
    import matplotlib

    figure.draw_without_rendering()
    figure.set_layout_engine(None)
    for ax in figure.axes:
        if legend := ax.get_legend():
            legend.set_in_layout(True)  # else the page would be cut through it
    where: dict[str, Any] = {"bbox_inches": figure.get_tightbbox().padded(matplotlib.rcParams["savefig.pad_inches"])}
    for kind, more in (("png", {"dpi": figure.dpi}), ("pdf", {"metadata": {"CreationDate": None}})):
        draft = folder / f".{name}.{kind}"  # a reader of the one before finds a whole picture at any time
        figure.savefig(draft, **where, **more)
        draft.replace(folder / f"{name}.{kind}")


def _draw_common_legend(figure: Figure) -> None:
    """Draw one legend below all panels, each name once."""
    handles: dict[str, Any] = {}
    for ax in figure.axes:
        if ax.get_legend() is None:  # a panel with a legend of its own needs no other
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
    longest = max((len(line) for name in handles for line in name.split("\n")), default=0)
    columns = max(1, int(figure.get_figwidth() / (0.07 * (longest + 12))))
    if handles:
        where: dict[str, Any] = {"loc": "outside lower left", "ncols": columns}
        figure.legend(list(handles.values()), list(handles), frameon=False, handlelength=4, **where)


def _make_panels(task: str, arms: Sequence[Result], shared: Styles | None) -> list[Panel]:
    """Make the panels of one task: dots where its arms have no curve, else curves, by tokens too where known.

    shared: the styles of all tasks' arms, where one legend serves them all.
    """
    curves = [list_curve_points(r) for r in arms]
    longest = max(map(len, curves))
    over_budgets = [panel for panel in [_make_budget_panel(task, arms)] if panel]
    if longest <= 1 or (longest <= SHORT and len(arms) > LINES_AT_MOST):
        rows = _list_sections(arms)
        height = 1.5 + 0.32 * len(rows) * len(arms) if len(rows) > 1 else measure_rows(arms)
        return [*over_budgets, Panel(lambda ax: draw_dots(ax, task, arms, rows), height)]
    styles = shared or choose_styles([arms], [name_arms(arms)])
    legend = measure_legend(arms, styles)
    panels = [*over_budgets, Panel(lambda ax: draw_curves(ax, task, arms, "judgments", styles), 4 + legend, ASPECT)]
    if all(p.tokens_per_item for c in curves for p in c):
        panels.append(Panel(lambda ax: draw_curves(ax, task, arms, "tokens", styles), 4 + legend, ASPECT))
    return panels


def measure_rows(arms: Sequence[Result]) -> float:
    """Measure a panel of a row an arm, in inches: as tall as the longest name, put on several lines, needs."""
    lines = max(_wrap(name).count("\n") + 1 for name in name_arms(arms))
    return 1.5 + max(0.36, 0.17 * lines + 0.05) * len(arms)


def measure_legend(arms: Sequence[Result], styles: Styles, more: int = 0) -> float:
    """Measure the legend below a panel, in inches. more: lines besides those of the arms."""
    if styles.shared:
        return 0.0
    names = [*styles.judges, *styles.strategies] or name_arms(arms)
    names = [_wrap(name, LEGEND) for name in names] + [SPLIT] * _any_can_split(arms)
    return 0.19 * -(-(sum(name.count("\n") + 1 for name in names) + more) // _count_columns(names))


def _count_columns(names: Sequence[str]) -> int:
    """Count the columns of a panel's legend: two where many names are short."""
    return 2 if len(names) > LINES_AT_MOST and max(map(len, names)) <= HALF else 1


def _make_budget_panel(task: str, arms: Sequence[Result]) -> Panel | None:
    """Make the panel of accuracy against tokens over thinking budgets; None where no judge has several."""
    joined = join_budgets(arms)
    if not joined or not all(p.tokens_per_item for r in joined for p in list_curve_points(r)):
        return None
    return Panel(lambda ax: draw_curves(ax, task, joined, "tokens"), 4 + 0.19 * len(joined))


def draw_curves(
    ax: Axes,
    task: str,
    arms: Sequence[Result],
    unit: str,
    styles: Styles | None = None,
    more: Sequence[Any] = (),
    labels: Sequence[str] | None = None,
    crossed_out: Collection[tuple[int, int]] = (),
    named: Collection[int] | None = None,
) -> None:
    """Draw a curve an arm against what an item costs, on a log axis.

    unit: judgments, tokens, flops or dollars. styles: of the arms, where they were chosen. more: artists with labels
    that the legend lists last. labels: the arms' names, where they have some. crossed_out: points, as (arm, k). named:
    the arms that are told apart, where they are too many: the others are thin grey lines.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
    from matplotlib.transforms import ScaledTranslation

    def shift(by: float) -> Transform:  # on the page and not in the data, so that the axis stays true
        return ax.transData + ScaledTranslation(by / 72, 0, _get_figure(ax).dpi_scale_trans)

    spans: list[float] = []
    last: list[float] = []
    costs: list[float] = []
    found = [[(x, p) for p in list_curve_points(r) if (x := _get_cost(p, unit)) and x > 0] for r in arms]
    places = [[(x, 100 * p.estimate.value) for x, p in series] for series in found]
    moves = _place_side_by_side(places)
    labels = labels or name_arms(arms)
    styles = styles or choose_styles([arms], [labels])
    for i, (name, series, aside) in enumerate(zip(labels, found, moves, strict=True)):
        if not series:
            continue
        xs, split = [x for x, _ in series], [p.can_split for _, p in series]
        ys = [100 * p.estimate.value for _, p in series]
        lows, highs = ([100 * _get_interval(p.estimate)[end] for _, p in series] for end in (0, 1))
        style = styles.choose(arms[i], name) | ({} if len(series) > 1 else {"linestyle": ""})
        lines = _list_lines(split)
        banded = lines[0] if len(lines[0]) > 1 and len(arms) <= BANDS_AT_MOST else []
        hair = 0.0 if len(arms) <= BANDS_AT_MOST else min(HAIR, HAIRS / len(arms)) * (i - (len(arms) - 1) / 2)
        if named is not None and i not in named:
            ax.plot(xs, ys, zorder=1.1, **(OTHERS if len(xs) > 1 else OTHERS | {"marker": ".", "markersize": 3}))
            spans += ys
            costs += xs
            continue
        if not styles.judges:
            ax.plot([], [], label=_wrap(name, LEGEND), **style)  # for the legend
        last.append(ys[-1])
        offsets = [hair if place is None else place for place in aside]
        for by, hollow in dict.fromkeys(zip(offsets, split, strict=True)):
            here = [j for j, place in enumerate(zip(offsets, split, strict=True)) if place == (by, hollow)]
            markers = style | {"linestyle": ""} | (HOLLOW | {"markeredgecolor": style["color"]} if hollow else {})
            ax.plot([xs[j] for j in here], [ys[j] for j in here], transform=shift(by), zorder=3, **markers)
            barred = [j for j in here if j not in banded and (len(arms) <= LINES_AT_MOST or j == len(series) - 1)]
            at, down, up = ([values[j] for j in barred] for values in (xs, lows, highs))
            ax.vlines(at, down, up, color=style["color"], alpha=0.6, linewidth=1, transform=shift(by))
        for x, y, by, (_, point) in zip(xs, ys, offsets, series, strict=True):
            if (i, point.k) in crossed_out:
                ax.plot([x], [y], transform=shift(by), zorder=5, **CROSS)
            if point.thinking_budget:
                ax.annotate(f"≤ {point.thinking_budget:,}", (x, y), (0, 7), textcoords="offset points", **BESIDE)
        for line in lines:
            at, middle, down, up = ([values[j] for j in line] for values in (xs, ys, lows, highs))
            thin = {"linewidth": 0.8} if split[line[0]] else {}
            ax.plot(at, middle, transform=shift(hair), zorder=2.5, **style | {"marker": ""} | thin)
            if line == banded:
                ax.fill_between(at, down, up, color=style["color"], alpha=0.13, linewidth=0)
        spans += lows + highs
        costs += xs
    if costs:
        low, high = min(costs), max(costs)
        pad = max((high / low) ** 0.06, 1.12)
        ax.set_xscale("log")
        ax.set_xlim(low / pad, high * pad)
        ax.xaxis.set_major_locator(FixedLocator(_choose_ticks(low, high, unit)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _abbreviate(x)))
        room = 0.06 * (max(spans) - min(spans)) or 1.0
        _draw_references(ax, arms, (min(spans) - room, max(spans) + room), unit)
    metric = flatten_text(arms[0].headline.metric)
    ax.set_title(_wrap(f"{_write_title(task, arms)}: {metric} against {unit}", 64))
    hint = "; equal points side by side" if any(a is not None for aside in moves for a in aside) else ""
    hint += "; ≤: thinking budget" if any(p.thinking_budget for series in found for _, p in series) else ""
    ax.set_xlabel(f"{_name_unit(unit, arms)} (log scale{hint})")
    ax.set_ylabel(f"{metric} (%), 95 % interval")
    handles, names = ax.get_legend_handles_labels()
    order = sorted(range(len(handles)), key=lambda i: -last[i])  # as the lines end, top to bottom
    handles, names = [handles[i] for i in order], [names[i] for i in order]
    extra = [Line2D([], [], color=GREY, marker="o", linestyle="", label=SPLIT, **HOLLOW)] * _any_can_split(arms)
    for artist in (*styles.list_parts(), *extra, *more):
        handles.append(artist)
        names.append(str(artist.get_label()))
        if styles.shared:
            ax.add_artist(artist)
    if len(names) > 1 and not styles.shared:
        _draw_legend(ax, handles, names)


def _any_can_split(arms: Sequence[Result]) -> bool:
    return any(p.can_split for r in arms for p in list_curve_points(r))


def _list_lines(split: Sequence[bool]) -> list[list[int]]:
    """List which points of a curve a line joins: those whose votes can split are joined apart from the others."""
    lines = [[j for j, even in enumerate(split) if even == apart] for apart in (False, True)]
    return [line for line in lines if line]


def _place_side_by_side(series: Sequence[Sequence[tuple[float, float]]]) -> list[list[float | None]]:
    """Return how far aside each curve's markers go, in points of the page; None where they hide no other curve's.

    series: the (x, y) of each curve's points.
    """
    places = [(x, y) for line in series for x, y in line]
    if not places:
        return [[] for _ in series]
    spread = log(max(x for x, _ in places) / min(x for x, _ in places)) or 1.0
    tall = max(y for _, y in places) - min(y for _, y in places) or 1.0

    def measure_across(a: tuple[float, float], b: tuple[float, float]) -> float:
        return abs(log(a[0] / b[0])) / spread * WIDE

    groups: list[list[tuple[int, int]]] = []  # (curve, point): of each curve one at most
    for i, line in enumerate(series):
        for j, at in enumerate(line):
            for group in groups:
                first = series[group[0][0]][group[0][1]]
                near = measure_across(at, first) < MARKER and abs(at[1] - first[1]) / tall * HIGH < MARKER
                if near and group[-1][0] != i:
                    group.append((i, j))
                    break
            else:
                groups.append([(i, j)])
    aside: list[list[float | None]] = [[None] * len(line) for line in series]
    for group in groups:
        if len(group) > 1:
            # no further than half way to a curve's own next point
            gaps = [
                measure_across(series[i][j], at) for i, j in group for n, at in enumerate(series[i]) if abs(n - j) == 1
            ]
            step = min([MARKER, 0.1 * WIDE / len(group), *(gap / len(group) for gap in gaps)])
            for place, (i, j) in enumerate(group):
                aside[i][j] = step * (place - (len(group) - 1) / 2)
    return aside


def _draw_legend(ax: Axes, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Draw the legend below the axis label, a fixed way down however tall the axes are.

    It may be wider than the axes: they are laid out by its height alone, for which blank lines stand.
    """
    from matplotlib.transforms import ScaledTranslation

    below = ax.transAxes + ScaledTranslation(0, -0.5, _get_figure(ax).dpi_scale_trans)
    lines = -(-sum(name.count("\n") + 1 for name in names) // _count_columns(names))
    ax.text(0, 0, "\n".join([" "] * lines), transform=below, va="top", linespacing=1.5)
    legend = ax.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=below,
        ncols=_count_columns(names),
        frameon=False,
        handlelength=4,
        borderaxespad=0,
        borderpad=0,
    )
    legend.set_in_layout(False)


def _get_figure(ax: Axes) -> Figure:
    from matplotlib.figure import Figure

    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    return figure


def _write_title(task: str, arms: Sequence[Result]) -> str:
    """Name the task, and the judge or strategy that all arms share and no label gives."""
    shared = [names.pop() for names in ({r.judge for r in arms}, {r.strategy for r in arms}) if len(names) == 1]
    return flatten_text(", ".join([task, *(shared if len(arms) > 1 or len(list_curve_points(arms[0])) > 1 else [])]))


def _draw_references(ax: Axes, arms: Sequence[Result], span: tuple[float, float], unit: str) -> None:
    """Draw published numbers as dashed lines, named in the right margin; only those near what is drawn.

    Against judgments, numbers of one judge that were printed at several k are a dashed curve instead.
    """
    low, high = span
    reach = 0.35 * (high - low)
    left, right = ax.get_xlim()
    curves, texts, inside = [], [], []
    for curve in list_reference_curves(arms) if unit == "judgments" else []:
        points = [(p.k or 0, 100 * p.value) for p in curve.rows]
        seen = [y for k, y in points if left <= k <= right and low - reach <= y <= high + reach]
        if not seen:
            continue
        ax.plot(*zip(*points, strict=True), zorder=1.5, **PRINTED)
        curves.append(curve)
        inside += seen
        values = ", ".join(format_percent(p.value) for p in curve.rows)
        sources = "; ".join(dict.fromkeys(p.source for p in curve.rows))
        texts.append((seen[-1], f"published: {_wrap(f'{curve.name}: {values}', 40)}\n{shorten(sources, 56)}"))
    compared = [p for r in arms for p in r.published if p.delta is not None]
    theirs = [
        p
        for p in [*compared, *list_context(arms)]
        if p.section == OVERALL and p.status.startswith("confirmed") and not any(c.holds(p) for c in curves)
    ]
    lines: dict[tuple[str, float], tuple[str, float, str, str]] = {}  # of several sources of one figure the first
    for p in theirs:
        name = ", ".join(filter(None, [p.name, describe_published(p)]))
        lines.setdefault((name, p.value), (name, p.value, p.source, p.status))
    near = [line for line in lines.values() if low - reach <= 100 * line[1] <= high + reach]
    near = near[: max(0, REFERENCES - len(curves))]
    inside += [100 * t[1] for t in near]
    low, high = min([low, *(y - 0.5 for y in inside)]), max([high, *(y + 0.5 for y in inside)])
    ax.set_ylim(low, high)
    for name, value, source, status in near:
        ax.axhline(100 * value, color=GREY, linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
        doubt = "" if status == "confirmed" else f" [{status.removeprefix('confirmed').strip(', -')}]"
        texts.append(
            (100 * value, f"published: {_wrap(name, 40)} {format_percent(value)}{doubt}\n{shorten(source, 56)}")
        )
    sizes = [0.038 * (text.count("\n") + 1) * (high - low) for _, text in texts]
    texts.sort()
    heights = _spread_labels([y for y, _ in texts], sizes, low, high)
    coordinates = ("axes fraction", "data")
    for (y, text), at in zip(texts, heights, strict=True):
        ax.annotate(
            text,
            (1, y),
            (1.03, at),
            xycoords=coordinates,
            textcoords=coordinates,
            fontsize=6.5,
            color=GREY,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.5, "relpos": (0, 0.5)},
        )


def draw_dots(ax: Axes, task: str, arms: Sequence[Result], sections: Sequence[str]) -> None:
    """Draw a row an arm, or, where sections are drawn too, a group of rows a section."""
    names, n = name_arms(arms), len(arms)
    step = n + 0.8 if len(sections) > 1 else 1.0
    seen_diamond = False
    rows: list[tuple[float, str, str]] = []  # where, what, the numbers
    for s, section in enumerate(sections):
        for i, r in enumerate(arms):
            y = -(s * step + i)
            estimate = r.headline if section == OVERALL else r.sections.get(section)
            if estimate is None:
                continue
            number = i if len(sections) > 1 else 0
            style = Styles({"": number}).choose(r, "") | {"linestyle": ""}
            low, high = _get_interval(estimate)
            first = list_curve_points(r)[:1] if section == OVERALL and len(list_curve_points(r)) > 1 else []
            for p in first:  # where the arm came from at its smallest k
                start = 100 * p.estimate.value
                ax.plot([start, 100 * estimate.value], [y, y], color="#bbbbbb", linewidth=2.5, zorder=2)
                ax.plot(start, y, marker="|", color="#777777", markersize=9, zorder=3)
            ax.hlines(y, 100 * low, 100 * high, color=style["color"], linewidth=1.6, alpha=0.75, zorder=2)
            label = _wrap(names[i], LEGEND) if s == 0 and len(sections) > 1 else None
            ax.plot(100 * estimate.value, y, label=label, zorder=4, **style)
            printed = find_own_published(r).get(section)
            if printed:
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
            delta = f"  Δ {format_points(printed.delta)}" if printed else ""
            rows.append((y, _wrap(names[i]), f"{format_percent(estimate.value)} {format_interval(estimate.ci)}{delta}"))
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
    metric = flatten_text(arms[0].headline.metric)
    ks = sorted({r.k for r in arms})
    about = f"k = {ks[0]}" if len(ks) == 1 else f"k = {ks[0]} to {ks[-1]}"
    moved = any(len(list_curve_points(r)) > 1 for r in arms)
    ax.set_title(
        _wrap(f"{_write_title(task, arms)}: {metric}, {about}" + (" (grey tick: smallest k)" if moved else ""), 70)
    )
    ax.set_xlabel(f"{metric} (%), 95 % interval")
    handles, labelled = ax.get_legend_handles_labels()
    if handles:
        order = sorted(range(len(handles)), key=lambda i: labelled[i] == PUBLISHED)
        _draw_legend(ax, [handles[i] for i in order], [labelled[i] for i in order])


def _list_sections(arms: Sequence[Result]) -> list[str]:
    """List the sections to draw beside the headline: all of them, or none where there would be too many rows."""
    found = list(dict.fromkeys(name for r in arms for name in r.sections))
    few = len(arms) <= LINES_AT_MOST and len(arms) * (1 + len(found)) <= ROWS_AT_MOST
    return [OVERALL, *found] if few else [OVERALL]


def _get_cost(point: CurvePoint, unit: str) -> float | None:
    cost: float | None = getattr(point, f"{unit}_per_item")
    return cost


def _get_interval(estimate: Estimate) -> tuple[float, float]:
    return estimate.ci or (estimate.value, estimate.value)


def _name_unit(unit: str, arms: Sequence[Result]) -> str:
    """Name what the axis counts; of tokens, whether prompts are among them: a set may not have recorded these."""
    if unit != "tokens":
        return f"{'floating-point operations' if unit == 'flops' else unit} per item"
    lacking = [r.compute.get("prompt_tokens") is None for r in arms]
    if all(lacking):
        return "completion tokens per item"
    return "tokens per item, completion + prompt" + " where recorded" * any(lacking)


def _choose_ticks(low: float, high: float, unit: str) -> list[float]:
    """Choose 1, 2, 4, 8, … judgments or 1, 2, 5, 10, … tokens within the data, and where the data end.

    Both of the data's ends if that leaves too few.
    """
    doublings = unit == "judgments" and high <= 1024 * low
    steps = [2.0**e for e in range(-10, 40)] if doublings else [m * 10.0**e for e in range(-9, 19) for m in (1, 2, 5)]
    ticks = [step for step in steps if low * 0.999 <= step <= high * 1.001]
    if len(ticks) < 2:
        return sorted({low, high, *ticks})
    return [*ticks, high] if high > 1.15 * ticks[-1] else ticks


def _abbreviate(x: float) -> str:
    """Write a number in three digits with G, M or k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:.3g}{letter}"
    return f"{x:.3g}"


def _spread_labels(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Move labels apart, as little as needed, within low and high; both lists ascend."""
    at = list(wanted)
    for _ in range(200):
        for i in range(1, len(at)):
            overlap = at[i - 1] + (sizes[i - 1] + sizes[i]) / 2 - at[i]
            if overlap > 0:
                at[i - 1], at[i] = at[i - 1] - overlap / 2, at[i] + overlap / 2
        at = [min(max(y, low), high) for y in at]
    return at


def _wrap(text: str, width: int = WRAP) -> str:
    """Put a long name on several lines, broken where a name can be broken."""
    text = re.sub(r"([/_@,])(?=\S)", "\\1\u200b", flatten_text(text))
    lines = textwrap.wrap(text.replace("\u200b", " \u200b"), width, break_on_hyphens=True) or [""]
    return "\n".join(line.replace(" \u200b", "").replace("\u200b", "") for line in lines)


def shorten(text: str, width: int) -> str:
    """Cut a long name."""
    text = flatten_text(text)
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
