"""A judge's printed curves as a figure: what stands on it, and in which file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from judgescale.harness.published.curves import list_curves
from judgescale.harness.published.find import Printed
from judgescale.harness.published.lists import Row
from judgescale.harness.published.show import MARKS, mark_row
from judgescale.harness.report.printed_curves import Series, draw_printed_curves
from judgescale.harness.types import JudgescaleError


def draw_curves(printed: Sequence[Printed], metric: str, folder: Path) -> tuple[Path, Path]:
    """Draw the curves that numbers of one judge, benchmark, section and metric form; return the PNG and the PDF.

    Raises JudgescaleError where no strategy was printed at two k.
    """
    row, curves = printed[0][0], list_curves(printed)
    if all(len(curve.rows) == 1 for curve in curves):
        there = ", ".join(f"{curve.name} at k={curve.rows[0].k}" for curve in curves) or "none with a k"
        raise JudgescaleError(f"{row.model} on {row.benchmark}: no strategy was printed at two k; there is {there}")
    forms = {curve.form for curve in curves}
    shared = [forms.pop()] if len(forms) == 1 else []
    series = []
    for curve in curves:
        name = ", ".join(filter(None, [curve.name, *([] if shared else [curve.form])]))
        series.append(Series(name, [(r.k or 0, r.value, f"{100 * r.value:.1f}{mark_row(r)}") for r in curve.rows]))
    shown = [r for curve in curves for r in curve.rows]
    marks = "".join(map(mark_row, shown))
    notes = ["Printed values only: nothing was run here.", *(f"{m} {told}." for m, told in MARKS.items() if m in marks)]
    section = [] if row.subset == "Overall" else [row.subset]
    title = ", ".join(filter(None, [f"{row.model} on {row.benchmark}", *section, *shared, "as printed"]))
    path = folder / re.sub(r"[^\w.-]+", "-", "-".join([row.model, row.benchmark, *section]))
    return draw_printed_curves(title, metric, series, [*notes, _describe_sources(shown)], path)


def _describe_sources(rows: Sequence[Row]) -> str:
    """Describe each source of these rows once, with its status where it is not simply confirmed."""
    told = {f"{row.source} ({row.status})" if row.status != "confirmed" else row.source for row in rows}
    return f"Sources: {'; '.join(sorted(told))}"
