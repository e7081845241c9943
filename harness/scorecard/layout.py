"""From printed rows to a table of cells that keeps the paper's shape and order.

Down stand judges and how their numbers were made, across benchmarks, sections or k; whatever else the rows differ in
stands where it fits. Several rows may be of one cell: two sources, or two lines that nothing tells apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from judgescale.harness.published.curves import name_curve
from judgescale.harness.published.find import Printed, choose_printed, name_judges
from judgescale.harness.published.lists import Row, normalise_subset, read_printed
from judgescale.harness.published.setting import FORMS, SINGLE, count_votes, describe_strategy
from judgescale.harness.types import JudgescaleError

COLUMNS = ("benchmark", "section", "k")
USUAL = "accuracy"  # the metric that needs no mention


class Line(NamedTuple):
    """Hold a line's names."""

    judge: str
    how: str  # how its numbers were made, and of what; empty for single judgments


class Cell(NamedTuple):
    """Hold the printed numbers of one place, in the paper's order."""

    line: Line
    column: str
    printed: Sequence[Printed]


class PrintedTable(NamedTuple):
    """Hold a table as it was printed: lines and columns in order, and the cells that somebody filled."""

    title: str
    about: str  # what all of its numbers share: "RewardBench2, accuracy"
    lines: Sequence[Line]
    columns: Sequence[str]
    cells: Sequence[Cell]


def lay_out(words: Mapping[str, Sequence[str]], title: str = "", columns: str = "") -> PrintedTable:
    """Lay the printed numbers that fit these words out as a table. Raises JudgescaleError where none fits.

    words: by option, as `choose_printed` takes them. columns: what stands across; empty = the first that varies.
    """
    printed = choose_printed(read_printed(), words)
    if not printed:
        raise JudgescaleError("no number fits all of these words")
    table = arrange(printed, title, columns or _choose_columns([row for row, _ in printed]))
    if title:
        return table
    asked = [f"{option} {' or '.join(of_option)}" for option, of_option in words.items()]
    return table._replace(title="printed numbers by " + ", ".join(asked))


def arrange(printed: Sequence[Printed], title: str, columns: str) -> PrintedTable:
    """Arrange printed numbers, in the paper's order, into lines and columns."""
    rows = [row for row, _ in printed]
    names = name_judges(printed)
    varies = {name for name in ("benchmark", "subset", "metric") if len({getattr(row, name) for row in rows}) > 1}
    places = [(Line(names[row.model], _name_line(row, columns, varies)), _name_column(row, columns)) for row in rows]
    forms: dict[tuple[Line, str], set[str]] = {}
    for row, place in zip(rows, places, strict=True):
        forms.setdefault(place, set()).add(row.protocol)
    split = {line for (line, _), of_place in forms.items() if len(of_place) > 1}
    cells: dict[tuple[Line, str], list[Printed]] = {}
    for one, (line, column) in zip(printed, places, strict=True):
        if line in split and (form := one[0].protocol):  # both forms of one benchmark: a line each
            line = line._replace(how=", ".join(filter(None, [line.how, FORMS.get(form, form)])))
        cells.setdefault((line, column), []).append(one)
    across = list(dict.fromkeys(column for _, column in cells))
    if columns == "k":
        across.sort(key=lambda column: int(column.removeprefix("k=")) if column[2:].isdigit() else 0)
    shared = [getattr(rows[0], name) for name in ("benchmark", "subset", "metric") if name not in varies]
    return PrintedTable(
        title,
        ", ".join(shared),
        list(dict.fromkeys(line for line, _ in cells)),
        across,
        [Cell(line, column, found) for (line, column), found in cells.items()],
    )


def _choose_columns(rows: Sequence[Row]) -> str:
    """Choose what stands across: the first that varies, k only where nothing else does."""
    if len({row.benchmark for row in rows}) > 1:
        return "benchmark"
    return "section" if len({(row.subset, row.metric) for row in rows}) > 1 else "k"


def _name_line(row: Row, columns: str, varies: set[str]) -> str:
    """Name how a row was made, without what stands across, and what else of it does not stand there."""
    single = count_votes(row.strategy, row.k) == (SINGLE.strategy, SINGLE.k) and row.temperature != 0
    how = name_curve(row) if columns == "k" else "" if single else describe_strategy(row)
    below = {"benchmark": [], "section": ["benchmark"], "k": ["benchmark", "subset", "metric"]}[columns]
    more = [getattr(row, name) for name in below if name in varies]
    return ", ".join(filter(None, [how, row.prompt and f"{row.prompt} prompt", *more]))


def _name_column(row: Row, columns: str) -> str:
    """Name the column of a row."""
    if columns == "k":
        return "k not stated" if row.k is None else f"k={row.k}"
    section = "" if normalise_subset(row.subset) == "overall" else row.subset
    first = [row.benchmark, section] if columns == "benchmark" else [row.subset]
    return " ".join(filter(None, [*first, "" if row.metric == USUAL else row.metric]))
