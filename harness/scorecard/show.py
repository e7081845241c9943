"""A scorecard on the terminal: the table in the paper's shape, then why each verdict is what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.scorecard.card import Entry, Scorecard
from judgescale.harness.scorecard.render import (
    EQUAL,
    NOT_RUN,
    count_verdicts,
    list_legend,
    list_wide_rows,
    mark_verdict,
    write_heading,
    write_verdict,
)
from judgescale.harness.screen import make_table, open_screen, print_line, print_table

if TYPE_CHECKING:
    from rich.console import Console

MOST_LINES = 40  # of the table; longer ones show those with a measured cell
MOST_REASONS = 12  # verdicts that are explained one by one
NARROWEST = 16  # characters to which names may be folded


def show_scorecard(card: Scorecard, console: Console | None = None) -> None:
    """Print the table, what its marks mean, and a line for every number that was measured."""
    screen = console or open_screen()
    screen.print()
    print_line(screen, flatten_text(write_heading(card)), "bold")
    header, rows = list_wide_rows(card)
    measured = {entry.line for entry in card.entries if entry.measured}
    left_out = 0
    if len(rows) > MOST_LINES and measured:
        kept = [row for row, line in zip(rows, card.table.lines, strict=True) if line in measured]
        left_out, rows = len(rows) - len(kept), kept
    names = len(header) - len(card.table.columns)
    for part in fit_to_screen(header, rows, names, screen.width):
        table = make_table(header[:names], [flatten_text(header[j]) for j in part])
        for row in rows:
            cells = [row[j] for j in part]
            if any(cells):
                table.add_row(*map(_make_text, [*row[:names], *cells]))
        print_table(screen, table)
    if left_out:
        print_line(screen, f"{left_out:,} more lines, in none of which anything was run", "dim")
    for note in list_legend(card, rows):
        print_line(screen, note, "dim")
    told = [entry for entry in card.entries if entry.shown and mark_verdict(entry) not in (NOT_RUN, EQUAL)]
    for entry in told[:MOST_REASONS]:
        print_line(screen, flatten_text(explain_entry(entry)))
    if len(told) > MOST_REASONS:
        print_line(screen, f"{len(told) - MOST_REASONS:,} more verdicts: scorecard.md", "dim")
    counts = dict(count_verdicts(card))
    cells = counts.pop("cells")
    words = [f"{count:,} {word}" for word, count in counts.items() if count]
    print_line(screen, ", ".join([f"{cells:,} printed cells", *words, f"{cells - sum(counts.values()):,} not run"]))


def explain_entry(entry: Entry) -> str:
    """Explain a verdict in one line: of which cell, both numbers, the difference."""
    where = ", ".join(filter(None, [entry.line.judge, entry.line.how, entry.column]))
    difference = f" ({entry.write_difference()})" if entry.difference is not None else ""
    return f"{where}: {entry.write_measured()}, printed {entry.printed[1]}{difference}: {write_verdict(entry)}"


def fit_to_screen(header: Sequence[str], rows: Sequence[Sequence[str]], names: int, width: int) -> list[list[int]]:
    """Fit columns into blocks that a screen is wide enough for, beside folded names; at least one column a block."""
    from rich.cells import cell_len

    def measure(j: int) -> int:
        return max(cell_len(flatten_text(text)) for text in (header[j], *(row[j] for row in rows))) + 1

    room = width - sum(min(measure(j), NARROWEST) for j in range(names))
    blocks: list[list[int]] = []
    used = width + 1
    for j in range(names, len(header)):
        if used + measure(j) > room:
            blocks.append([])
            used = 0
        blocks[-1].append(j)
        used += measure(j)
    return blocks


def _make_text(text: str) -> object:
    from rich.text import Text

    return Text(flatten_text(text))  # never markup
