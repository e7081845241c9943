"""What the parts of a page are made of, apart from pictures: plain rows of texts, which the template escapes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from markupsafe import Markup

from judgescale.harness.page.arms import PageArm
from judgescale.harness.page.charts import draw_interval, draw_key
from judgescale.harness.plain_text import FORMULAS, flatten_text
from judgescale.harness.report.health_lines import list_health_lines
from judgescale.harness.report.readings import (
    OVERALL,
    find_own_published,
    format_judgments_per_item,
    format_k,
    is_recalled,
    list_context,
)
from judgescale.harness.report.text import (
    UNKNOWN,
    format_interval,
    format_mc_error,
    format_percent,
    format_points,
)
from judgescale.harness.types import Estimate

ACROSS = 8  # columns of a table of sections; of more, sections are its rows
COSTS = {
    "judgments": "judgments", "prompt_tokens": "prompt tokens", "completion_tokens": "completion tokens",
    "flops": "FLOPs", "seconds": "model seconds", "dollars": "dollars", "run_seconds": "run seconds",
}  # fmt: skip
VERDICTS = {"agrees": "good", "differs": "bad", "cannot tell": "warn", "not comparable": "muted"}


@dataclass(frozen=True)
class Headline:
    """Hold an arm's line: its number, and what stands beside it."""

    arm: PageArm
    key: Markup
    value: str
    interval: str
    error: str
    metric: str
    k: str
    items: str
    judgments: str
    picture: Markup
    published: str
    delta: str
    source: str
    signature: str


@dataclass(frozen=True)
class Grid:
    """Hold a table: a header, and rows of which the first cell is a heading; a cell is a text and a smaller one."""

    header: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]


def list_headlines(arms: Sequence[PageArm], looks: Mapping[int, int]) -> list[Headline]:
    """List the lines of one benchmark's arms, in their order; their pictures share an axis."""
    ends = [end for arm in arms for end in list_ends(arm.result.headline)]
    ends += [100 * p.value for arm in arms if (p := find_own_published(arm.result).get(OVERALL))]
    span = (min(ends, default=0.0), max(ends, default=100.0))
    lines = []
    for arm in arms:
        r, look = arm.result, looks[arm.place]
        theirs = find_own_published(r).get(OVERALL)
        doubt = f" ({theirs.status})" if theirs and theirs.status != "confirmed" else ""
        picture = Markup("")
        if isfinite(r.headline.value):
            ci = r.headline.ci
            picture = draw_interval(
                look, 100 * r.headline.value, None if ci is None else (100 * ci[0], 100 * ci[1]), span
            )
        lines.append(
            Headline(
                arm,
                draw_key(look),
                format_percent(r.headline.value),
                format_interval(r.headline.ci),
                format_mc_error(r.headline.mc_error),
                r.headline.metric,
                format_k(r),
                f"{r.items:,}",
                format_judgments_per_item(r),
                picture,
                format_percent(theirs.value) if theirs else "",
                format_points(theirs.delta) if theirs else "",
                f"{theirs.source}{doubt}" if theirs else "",
                r.signature,
            )
        )
    return lines


def list_ends(estimate: Estimate) -> list[float]:
    """List an estimate's value and the ends of its interval in percent, as far as they are known."""
    every = [estimate.value, *(estimate.ci or ())]
    return [100 * value for value in every if isfinite(value)]


def list_printed_context(arms: Sequence[PageArm]) -> list[tuple[str, str, str, str]]:
    """List the printed headlines that none of ours is compared with: whose, value, how, source."""
    rows = [p for p in list_context([arm.result for arm in arms]) if p.section == OVERALL and not is_recalled(p)]
    return [(p.name, format_percent(p.value), p.reason or p.how, f"{p.source} ({p.status})") for p in rows]


def make_sections(arms: Sequence[PageArm], which: str) -> Grid | None:
    """Make the table of sections or subsets; None where there is none, or subsets only repeat sections."""
    held: list[Mapping[str, Estimate]] = [getattr(arm.result, which) for arm in arms]
    names = list(dict.fromkeys(name for one in held for name in one))
    if which == "subsets":
        sections: list[Mapping[str, Estimate]] = [arm.result.sections for arm in arms]
        names = [
            name for name in names if any(name in one and one[name] != s.get(name) for one, s in zip(held, sections))
        ]
    if not names:
        return None

    def write(place: int, name: str) -> tuple[str, str]:
        """Write the cell of an arm and a section."""
        one = held[place].get(name)
        if one is None:
            return UNKNOWN, ""
        theirs = find_own_published(arms[place].result).get(name) if which == "sections" else None
        more = f"; published {format_percent(theirs.value)}, {format_points(theirs.delta)}" if theirs else ""
        return f"{format_percent(one.value)}{format_mc_error(one.mc_error)}", f"{format_interval(one.ci)}{more}"

    counted = [f"{name} ({count_items(held, name)})" for name in names]
    of_arms = [arm.name for arm in arms]
    if len(names) <= ACROSS or len(names) < len(arms):
        rows = [(name, [write(i, section) for section in names]) for i, name in enumerate(of_arms)]
        return Grid(["arm", *counted], rows)
    rows = [(told, [write(i, name) for i in range(len(arms))]) for told, name in zip(counted, names, strict=True)]
    return Grid([which.removesuffix("s"), *of_arms], rows)


def count_items(held: Sequence[Mapping[str, Estimate]], name: str) -> str:
    """Count the items of a section: a number, or the least and the most where arms differ."""
    counts = sorted({one[name].items for one in held if name in one})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,}–{counts[-1]:,}"


def list_notes(arms: Sequence[PageArm]) -> list[tuple[str, str]]:
    """List each note of a benchmark's arms once, with the arms that it is about where these are not all."""
    holders: dict[str, list[str]] = {}
    lines = list_health_lines([arm.result for arm in arms])
    for arm, health in zip(arms, lines, strict=True):
        told = [*arm.result.notes, *arm.result.differences, *(health if "summary.json" not in str(health) else [])]
        for note in dict.fromkeys(map(flatten_text, told)):
            holders.setdefault(note, []).append(arm.name)
    return [
        ("" if len(who) == len(arms) or any(note.startswith(name) for name in who) else join_names(who), note)
        for note, who in holders.items()
    ]


def join_names(names: Sequence[str], most: int = 6) -> str:
    """Join names, the first ones of many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def list_details(arms: Sequence[PageArm]) -> list[tuple[str, str, str]]:
    """List further figures of arms: whose, what, value."""
    rows = []
    for arm in arms:
        for label, value in arm.result.details.items():
            told = flatten_text(str(value))
            if isinstance(value, int | float) and not isinstance(value, bool):
                told = f"{value:.3g}" if "AUC" in label or not 0 <= value <= 1 else f"{format_percent(value)} %"
            rows.append((arm.name, str(label), told))
    return rows


def make_compute(arms: Sequence[PageArm], prefix: bool) -> Grid:
    """Make the table of what every arm cost."""
    known = [name for name in COSTS if any(arm.result.compute.get(name) is not None for arm in arms)]
    rows = []
    for arm in arms:
        values = [arm.result.compute.get(name) for name in known]
        cells = [(write_cost(name, value), "") for name, value in zip(known, values, strict=True)]
        rows.append((f"{arm.task}: {arm.name}" if prefix else arm.name, cells))
    return Grid(["arm", *(COSTS[name] for name in known)], rows)


def write_cost(name: str, value: float | None) -> str:
    """Write a sum of costs; a dash where it is unknown."""
    if value is None or not isfinite(value):
        return UNKNOWN
    if name == "flops":
        return f"{value:.3g}"
    if name == "dollars":
        return f"{value:,.2f}" if value >= 0.1 else f"{value:.2g}"
    return f"{value:,.1f}" if "seconds" in name else f"{value:,.0f}"


@dataclass(frozen=True)
class Cell:
    """Hold a cell of a scorecard: what was measured, what was printed, and the verdict with its reason."""

    measured: str
    printed: str
    verdict: str
    why: str
    kind: str  # the class of the verdict's colour


@dataclass(frozen=True)
class Card:
    """Hold a scorecard in the shape of its paper's table."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]
    counts: Sequence[tuple[str, str, int]]  # verdict, class, how many of all printed numbers


def read_card(folder: Path) -> Card | None:
    """Read the scorecard that a run wrote; None where it has none."""
    path = folder / "scorecard.csv"
    if not path.is_file():
        return None
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    found: dict[str, dict[str, Cell]] = {}
    counts: dict[str, int] = {}
    for row in rows:
        verdict = row.get("verdict") or "not run"
        counts[verdict] = counts.get(verdict, 0) + 1
        if row.get("in_cell") == "yes":
            name = ", ".join(restore(row[part]) for part in ("judge", "how") if row.get(part))
            cell = Cell(
                restore(row.get("measured") or ""),
                restore(row.get("printed") or ""),
                verdict,
                restore(row.get("why") or ""),
                VERDICTS.get(verdict, "muted"),
            )
            found.setdefault(name, {})[restore(row["column"])] = cell
    columns = list(dict.fromkeys(column for cells in found.values() for column in cells))
    kept = [(name, [cells.get(column) for column in columns]) for name, cells in found.items()]
    return Card(columns, kept, [(name, VERDICTS.get(name, "muted"), n) for name, n in counts.items()])


def restore(cell: str) -> str:
    """Take away the apostrophe that keeps a spreadsheet from reading a cell as a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in (*FORMULAS,) else cell
