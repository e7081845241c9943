"""A scorecard: a printed table whose every number has what was measured beside it, or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from judgescale.harness.published.find import Printed
from judgescale.harness.published.lists import rank_trust
from judgescale.harness.rounding import write_rounded
from judgescale.harness.scorecard.layout import Cell, Line, PrintedTable
from judgescale.harness.scorecard.measured import Measured, find_measured, gather_from_results
from judgescale.harness.scorecard.verdicts import (
    NOT_COMPARABLE,
    Verdict,
    count_decimals,
    differ_as_printed,
    judge_number,
)
from judgescale.harness.types import Result

MOST_DECIMALS = 4  # of what we print: the lists hold numbers of more


class Entry(NamedTuple):
    """Hold one printed number, with what was measured of it."""

    line: Line
    column: str
    printed: Printed
    measured: Measured | None
    verdict: Verdict
    others: Sequence[Measured]  # more runs that measured it
    shown: bool  # whether it is the one that stands in the cell, where several were printed
    disputed: bool  # whether another number was printed for the cell

    @property
    def difference(self) -> float | None:
        """Return ours minus theirs as a fraction; None where none may be taken."""
        if self.measured is None or self.verdict.word == NOT_COMPARABLE:
            return None
        return self.measured.candidate.value - self.printed[0].value

    @property
    def decimals(self) -> int:
        """Return how many decimals what was measured gets: as many as were printed, one at least."""
        return min(max(count_decimals(self.printed[1]), 1), MOST_DECIMALS)

    def write_measured(self) -> str:
        """Write what was measured, in percent; empty where nothing was."""
        return write_rounded(100 * self.measured.candidate.value, self.decimals) if self.measured else ""

    def write_difference(self) -> str:
        """Write the difference in points; empty where none may be taken."""
        return "" if self.difference is None else write_rounded(100 * self.difference, self.decimals, sign=True)


class Scorecard(NamedTuple):
    """Hold a filled table: an entry for every printed number, in the order of the table's cells."""

    table: PrintedTable
    entries: Sequence[Entry]


def fill_table(table: PrintedTable, measured: Sequence[Measured]) -> Scorecard:
    """Fill a printed table with what runs measured."""
    return Scorecard(table, [entry for cell in table.cells for entry in _fill_cell(cell, measured)])


def fill_from_results(table: PrintedTable, results: Sequence[Result], run: str) -> Scorecard:
    """Fill a printed table with the results of one run."""
    return fill_table(table, gather_from_results(results, run))


def _fill_cell(cell: Cell, measured: Sequence[Measured]) -> list[Entry]:
    found, texts = [find_measured(row, measured) for row, _ in cell.printed], [text for _, text in cell.printed]
    # of several printed numbers the cell shows one that ours may be compared with, and of those the best-trusted
    ranked = sorted(
        range(len(cell.printed)),
        key=lambda i: (not any(not refusal for _, refusal in found[i]), rank_trust(cell.printed[i][0])),
    )
    disputed = any(differ_as_printed(one, other) for one, other in itertools.combinations(texts, 2))
    entries = []
    for place, (one, candidates) in enumerate(zip(cell.printed, found, strict=True)):
        first: Measured | None = None
        verdict, others = Verdict(), list[Measured]()
        if candidates:
            (first, refusal), *more = candidates
            verdict = judge_number(*one, first.candidate, refusal)
            others = [other for other, _ in more]
        entries.append(Entry(cell.line, cell.column, one, first, verdict, others, place == ranked[0], disputed))
    return entries
