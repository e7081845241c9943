"""Findings as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgescale.harness.published.audit.findings import KINDS, Finding, describe_setting
from judgescale.harness.published.setting import describe_printed
from judgescale.harness.rounding import write_rounded
from judgescale.harness.screen import make_table, print_line, print_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_findings(screen: Console, found: Sequence[Finding], everything: bool) -> None:
    """Print a table a kind, and how many are left out.

    everything: whether those that need no doubt are shown too.
    """
    for kind, told in KINDS.items():
        of_kind = [f for f in found if f.kind == kind]
        shown = [f for f in of_kind if everything or not f.settled]
        if shown:
            print_line(screen, f"{kind}: {told}", "bold")
            print_table(screen, _tabulate(shown))
        if left := len(of_kind) - len(shown):
            print_line(screen, f"{left} more that rounding explains, or that are the score with prior sets: --all")
        if of_kind:
            print_line(screen, "")


def _tabulate(found: Sequence[Finding]) -> Table:
    """Make the table of findings of one kind; lines that repeat each other have no numbers to compare."""
    from rich.text import Text

    table = make_table(["judge", "what", "against or explained by", "source"], ["printed", "against", "off by"])
    for f in found:
        row, how = f.cell.row, describe_printed(f.cell.row)
        numbers = [f"{f.cell.value:g}", write_rounded(f.against, 2), write_rounded(f.difference, 2, True)]
        what = f"{row.benchmark} {row.subset}" + f" {row.metric}" * (row.metric != "accuracy")
        if f.kind == "repeat":
            numbers, what = [""] * 3, f"{row.benchmark}, all parts"
        names = [", ".join(filter(None, [row.model, how])), what, _describe_other(f), row.source]
        table.add_row(*map(Text, [*names, *numbers]))
    return table


def _describe_other(f: Finding) -> str:
    """Describe what a number is held against, where that is another judge, setting or source, and what explains it."""
    if f.other is None or f.kind == "mean":
        return f.explained
    mine, theirs = f.cell.row, f.other.row
    parts = [
        theirs.model if theirs.model != mine.model else "",
        describe_setting(theirs) if describe_setting(theirs) != describe_setting(mine) else "",
        theirs.source if theirs.source != mine.source else "",
    ]
    return "; ".join(filter(None, [", ".join(filter(None, parts)), f.explained]))
