"""A scorecard on the terminal: the table in the paper's shape, then why each verdict is what it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.scorecard.card import Entry, Scorecard
from judgescale.harness.scorecard.render import (
    EQUAL,
    NOT_RUN,
    count_verdicts,
    list_legend,
    mark_verdict,
    write_cell,
    write_heading,
    write_name,
    write_verdict,
)
from judgescale.harness.screen import make_table, open_screen, print_line, print_table

if TYPE_CHECKING:
    from rich.console import Console

MOST_LINES = 24  # of the table; longer ones show those with a measured cell
MOST_REASONS = 8  # that are told
MOST_NAMED = 4  # lines that are named beside a reason
NARROWEST = 24  # characters to which names may be folded


def show_scorecard(card: Scorecard, console: Console | None = None) -> None:
    """Print the table, what its marks mean, and why verdicts are what they are."""
    from rich.text import Text

    screen = console or open_screen()
    screen.print()
    print_line(screen, flatten_text(write_heading(card)), "bold")
    measured = {entry.line for entry in card.entries if entry.measured}
    lines = [line for line in card.table.lines if line in measured or len(card.table.lines) <= MOST_LINES]
    lines = lines or list(card.table.lines)
    names = [write_name(*line) for line in lines]
    for columns in fit_to_screen(card, names, screen.width):
        cells = {(entry.line, entry.column): cell for entry, cell in _list_cells(card)}
        table = make_table(["judge"], [break_heading(flatten_text(column)) for column in columns])
        for line, name in zip(lines, names, strict=True):
            row = [cells.get((line, column), "") for column in columns]
            if any(row):
                table.add_row(*(Text(flatten_text(cell)) for cell in (name, *row)))
        print_table(screen, table)
    if left_out := len(card.table.lines) - len(lines):
        print_line(screen, f"{left_out:,} more lines, in none of which anything was run", "dim")
    for note in list_legend(card):
        print_line(screen, note, "dim")
    for reason in list_reasons(card):
        print_line(screen, flatten_text(reason))
    counts = dict(count_verdicts(card))
    every = counts.pop("cells")
    words = [f"{count:,} {word}" for word, count in counts.items() if count]
    print_line(screen, ", ".join([f"{every:,} printed cells", *words, f"{every - sum(counts.values()):,} not run"]))


def list_reasons(card: Scorecard) -> list[str]:
    """List the verdicts of the cells, but for equal digits, each once with the cells that it is of."""
    cells: dict[str, dict[str, list[str]]] = {}
    for entry in card.entries:
        if entry.shown and mark_verdict(entry) not in (NOT_RUN, EQUAL):
            of_line = cells.setdefault(write_verdict(entry), {}).setdefault(write_name(*entry.line), [])
            of_line.append(f"{entry.column} {entry.write_difference()}".strip())
    told = []
    for reason, of_reason in cells.items():
        named = [f"{line}: {', '.join(columns)}" for line, columns in of_reason.items()]
        fewer = [f"{len(named) - MOST_NAMED:,} more lines"] * (len(named) > MOST_NAMED)
        told.append(f"{reason} ({'; '.join([*named[:MOST_NAMED], *fewer])})")
    more = f"{len(told) - MOST_REASONS:,} more reasons: in scorecard.md"
    return [*told[:MOST_REASONS], *[more] * (len(told) > MOST_REASONS)]


def fit_to_screen(card: Scorecard, names: Sequence[str], width: int) -> list[list[str]]:
    """Fit columns into blocks that a screen is wide enough for, beside folded names; at least one column a block."""
    from rich.cells import cell_len

    widest = {
        column: max(map(cell_len, break_heading(flatten_text(column)).split("\n"))) for column in card.table.columns
    }
    for entry, cell in _list_cells(card):
        widest[entry.column] = max(widest[entry.column], cell_len(flatten_text(cell)))
    room = width - min(max(map(cell_len, map(flatten_text, names))), NARROWEST) - 1
    blocks: list[list[str]] = []
    used = room + 1
    for column, wide in widest.items():
        if used + wide + 1 > room:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += wide + 1
    return blocks


def break_heading(text: str) -> str:
    """Break a heading into lines after its hyphens and at its spaces."""
    return re.sub(r"(?<=\w-)(?=\w{3})| ", "\n", text)


def _list_cells(card: Scorecard) -> list[tuple[Entry, str]]:
    return [(entry, write_cell(entry)) for entry in card.entries if entry.shown]
