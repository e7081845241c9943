"""Tables and lines on a terminal of any width: names may be folded, numbers are never cut."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Column, Table
    from rich.text import Text

OF_A_FILE = 200  # characters: a file has no width to fold names to


def open_screen() -> Console:
    """Open the terminal; a pipe or a file is as wide as lines of it are read.

    A reader who has seen enough (`… | head`) closes the pipe: the rest is not shown, and the run goes on to its end.
    """
    from rich.console import Console

    class Screen(Console):
        """Show nothing more once nobody reads; rich would end the process, with an error."""

        def on_broken_pipe(self) -> None:
            """Send what is still printed nowhere."""
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    screen = Screen()
    return screen if screen.is_terminal else Screen(width=OF_A_FILE)


def print_line(screen: Console, text: str, style: str = "", whole: bool = False) -> None:
    """Print one line, folded between words; `whole` leaves it as it is, so that it can be copied. So does a pipe."""
    from rich.text import Text

    screen.print(Text(text, style=style), soft_wrap=whole or not screen.is_terminal)


def make_table(names: Sequence[str], numbers: Sequence[str | Text]) -> Table:
    """Make an empty table: columns of names, which may be folded, then columns of numbers, which are kept whole."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def print_table(screen: Console, table: Table, longest: int = 16) -> None:
    """Print a table; where the screen is too narrow for it, print every row as a list of its cells instead.

    Columns without `no_wrap` may be folded: between words, and within words of more than `longest` characters.
    """
    from rich.measure import Measurement

    wide = screen.options.update(max_width=10**6)
    folded = [
        [Measurement.get(screen, wide, cell) for cell in (column.header, *column.cells)]
        for column in table.columns
        if not column.no_wrap
    ]
    narrowest = max((min(cell.minimum, longest) for cells in folded for cell in cells), default=0)
    spared = sum(max(0, max(cell.maximum for cell in cells) - narrowest) for cells in folded)
    if Measurement.get(screen, wide, table).maximum - spared <= screen.width:
        screen.print(table)
    else:
        _print_as_list(screen, table)


def _print_as_list(screen: Console, table: Table) -> None:
    """Print the rows one below the other: the first cell, then the other ones, each after its column's name."""
    from rich.cells import cell_len
    from rich.text import Text

    names = [_name_column(column) for column in table.columns]
    for first, *rest in zip(*(column.cells for column in table.columns), strict=True):
        screen.print(first, overflow="fold")
        told = [f"{name} {_put_on_one_line(cell)}" for name, cell in zip(names[1:], rest, strict=True) if str(cell)]
        lines = [""]
        for part in told:
            if lines[-1] and cell_len(f"  {lines[-1]}; {part}") < screen.width:
                lines[-1] += f"; {part}"
            else:
                lines += [part]
        for line in filter(None, lines):
            screen.print(Text(f"  {line}"), overflow="fold")


def _put_on_one_line(cell: RenderableType) -> str:
    return ", ".join(line.strip() for line in str(cell).splitlines())


def _name_column(column: Column) -> str:
    """Return a column's heading on one line."""
    heading = str(cast("str | Text", column.header))
    return heading.replace("-\n", "").replace("\n/", "/").replace("\n", " ").strip()
