"""The lines of printed tables: what one source prints of one model, asked and decided in one way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from judgescale.harness.published.lists import Row
from judgescale.harness.published.setting import count_votes

Place = tuple[str, str, str]  # benchmark, subset, metric


class Cell(NamedTuple):
    """Hold a number as it was printed, in percent where the list is, and half a unit of its last digit."""

    row: Row
    value: float
    half: float

    def may_equal(self, other: Cell) -> bool:
        """Tell whether both may be one number, rounded."""
        return abs(self.value - other.value) <= self.half + other.half + SLACK


class Line(NamedTuple):
    """Hold the cells of one line."""

    source: str
    model: str
    votes: tuple[str, int | None]  # strategy and k; a vote of one is a single judgment
    k_meta: int | None
    temperature: float | None
    prompt: str
    cells: dict[Place, Cell]


SLACK = 1e-9  # what sums of floats may be off by


def read_cells(printed: Iterable[tuple[Row, str]]) -> list[Cell]:
    """Read how far each number was rounded off its digits.

    A source that prints none but whole percents of a metric was written into the lists as 94.0.
    """
    printed = list(printed)
    whole: dict[tuple[str, str, str], bool] = {}
    for row, text in printed:
        at = row.source, row.benchmark, row.metric
        whole[at] = whole.get(at, True) and float(text).is_integer()
    found = []
    for row, text in printed:
        digits = 0 if whole[row.source, row.benchmark, row.metric] else len(text.partition(".")[2])
        found.append(Cell(row, float(text), 0.5 * 10**-digits))
    return found


def gather_lines(cells: Iterable[Cell]) -> list[Line]:
    """Gather the cells of each line.

    Where one source gives a cell in two forms of the benchmark, the first one stands for it.
    """
    lines: dict[tuple[object, ...], Line] = {}
    for cell in cells:
        row = cell.row
        key = (row.source, row.model, count_votes(row.strategy, row.k), row.k_meta, row.temperature, row.prompt)
        line = lines.setdefault(key, Line(*key, {}))
        line.cells.setdefault((row.benchmark, row.subset, row.metric), cell)
    return list(lines.values())
