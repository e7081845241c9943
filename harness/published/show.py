"""A benchmark's printed table: a line a judge and setting, a column a section, of each cell the best-trusted number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from judgescale.harness.published.find import Printed, name_judges
from judgescale.harness.published.lists import Row, normalise_benchmark, rank_trust
from judgescale.harness.published.rollups import HEADLINES
from judgescale.harness.published.setting import COMPARED, describe_printed

DISPUTED, UNSURE = "!", "?"
MARKS = {
    DISPUTED: "contradicts its own table or another source (judgescale published audit)",
    UNSURE: "not from its source: recalled, derived, read off a figure, or a rerun",
}


class TableLine(NamedTuple):
    """Hold a judge's line: one cell a column, empty where nobody printed it."""

    judge: str
    how: str  # empty for a single judgment
    cells: tuple[str, ...]
    value: float  # of the headline, to sort by


def choose_metric(printed: Sequence[Printed]) -> str:
    """Choose the metric that most of the numbers are of."""
    return Counter(row.metric for row, _ in printed).most_common(1)[0][0]


def list_columns(printed: Sequence[Printed]) -> list[str]:
    """List the sections to show: the headline, then its parts; all there are where nobody says what its parts are."""
    names = dict.fromkeys(row.subset for row, _ in printed)
    benchmark = normalise_benchmark(printed[0][0].benchmark)
    means = [
        weights
        for headline in HEADLINES
        if normalise_benchmark(headline.benchmark) == benchmark and headline.subset == "Overall"
        for weights in (*headline.own.values(), *headline.others.values())
        if not headline.across
    ]
    known = dict.fromkeys(["Overall", *(part for weights in means for part in weights)])
    return [name for name in known if name in names] if means else sorted(names, key=lambda name: name != "Overall")


def tabulate_benchmark(printed: Sequence[Printed], columns: Sequence[str]) -> list[TableLine]:
    """Make the lines of a benchmark's table, the highest headline first. printed: of one benchmark and metric."""
    names = name_judges(printed)
    best: dict[tuple[str, str], dict[str, Printed]] = {}
    for row, text in sorted(printed, key=lambda pair: rank_trust(pair[0])):
        best.setdefault((names[row.model], describe_printed(row)), {}).setdefault(row.subset, (row, text))
    lines = []
    for (judge, how), cells in best.items():
        shown = tuple(_mark(*cells[name]) if name in cells else "" for name in columns)
        if any(shown):
            lines.append(TableLine(judge, how, shown, cells[columns[0]][0].value if columns[0] in cells else -1.0))
    return sorted(lines, key=lambda line: (-line.value, line.judge.lower(), line.how))


def mark_row(row: Row) -> str:
    """Mark a number that is not simply what its source says."""
    doubted = DISPUTED if "disputed" in row.status else ""
    return doubted + ("" if row.status.split(",")[0] in COMPARED else UNSURE)


def _mark(row: Row, text: str) -> str:
    return f"{text}{mark_row(row)}"
