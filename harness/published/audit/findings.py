"""What an audit finds: printed numbers that do not go together, and what would explain it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from judgescale.harness.plain_text import defuse_formula
from judgescale.harness.published.audit.lines import Cell
from judgescale.harness.published.lists import Row
from judgescale.harness.published.setting import describe_printed
from judgescale.harness.rounding import write_rounded

KINDS = {  # in the order they are reported
    "mean": "a headline is not the mean of its own parts",
    "repeat": "two lines of one table have the same parts",
    "swap": "two sources differ by an exchange of two parts",
    "conflict": "two sources print another number for one model and setting",
    "order": "a sampled judgment is below the greedy one",
    "definition": "a number is on the wrong side of one that bounds it",
}
HEADER = (
    "kind", "model", "how", "benchmark", "subset", "metric", "printed", "against", "difference", "beyond_rounding",
    "explained_by", "source", "other_model", "other_how", "other_source", "disputed",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Hold one contradiction."""

    kind: str
    cell: Cell
    against: float  # what it should be by the rule, or what the other cell says; in the units of the list
    other: Cell | None = None  # the printed number that it contradicts, where that is one number
    parts: tuple[Cell, ...] = ()  # further numbers that it is about: the parts of a mean, of lines that repeat, …
    beyond_rounding: bool = True  # whether no rounding of any of these numbers explains it
    explained: str = ""  # what does, in words

    @property
    def difference(self) -> float:
        """Return printed minus expected, in the units of the list."""
        return self.cell.value - self.against

    @property
    def settled(self) -> bool:
        """Tell whether it needs no doubt: rounding explains it, or the lists call it another metric for that reason."""
        return not self.beyond_rounding or bool(self.explained and self.cell.row.metric == "score_as_published")

    @property
    def rows(self) -> tuple[Row, ...]:
        """Return every row that it doubts."""
        cells = (self.cell, *([self.other] if self.other else []), *self.parts)
        return tuple(dict.fromkeys(cell.row for cell in cells))

    @property
    def disputed(self) -> bool:
        """Tell whether a row that it doubts is marked in the lists."""
        return any("disputed" in row.status for row in self.rows)


def sort_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Sort by kind, then those beyond rounding and without an explanation first, then by size."""
    order = list(KINDS)
    return sorted(
        findings,
        key=lambda f: (order.index(f.kind), not f.beyond_rounding, bool(f.explained), -abs(f.difference)),
    )


def describe_setting(row: Row) -> str:
    """Say in words how a printed number was made; of a single judgment too."""
    return describe_printed(row) or "a single judgment"


def render_csv(findings: Sequence[Finding]) -> str:
    """Render one CSV row a finding."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(HEADER)
    for f in findings:
        row, other = f.cell.row, f.other.row if f.other else None
        cells = [f.kind, row.model, describe_setting(row), row.benchmark, row.subset, row.metric]
        cells += [f"{f.cell.value:g}", write_rounded(f.against, 2), write_rounded(f.difference, 2)]
        cells += [_say(f.beyond_rounding), f.explained, row.source]
        cells += [other.model, describe_setting(other), other.source] if other else [""] * 3
        write([*map(defuse_formula, cells), _say(f.disputed)])
    return out.getvalue()


def _say(yes: bool) -> str:
    return "yes" if yes else "no"
