"""Progress as a person sees it: a few lines that renew themselves on a terminal, plain lines in a pipe or a CI job."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.watching.cadence import Cadence
from judgescale.harness.watching.pace import Pace
from judgescale.harness.watching.progress import Progress, View
from judgescale.harness.watching.wording import (
    describe_progress,
    describe_total,
    fold_states,
    list_rates,
    write_counts,
    write_duration,
    write_left,
    write_rate,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

RENEWED = 0.5  # seconds between two looks of the terminal
BESIDES = 6  # lines of a terminal that are left to the whole run, and to what was printed before
MOST_ARMS = 8
SHORTEST_NAME = 8  # characters of an arm's name on a narrow terminal
SHORTEST_BAR = 10
BAR_FROM = 60  # columns
LONG = 30.0  # seconds that an evaluation takes before it is said how far it is
BAR_RENEWED = 0.1  # seconds between two looks of its bar

Show = Callable[[Progress], None]


def renews_itself(console: Console) -> bool:
    """Tell whether lines may be drawn over: not in a pipe, on a dumb terminal, or in a CI job that plays a terminal."""
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty() and not os.environ.get("CI")


@contextmanager
def show_buying(console: Console | None = None, name: str = "") -> Iterator[Show]:
    """Show the progress of a live run, and yield the function that brings it up to date.

    A terminal shows a few lines that are gone at the end. Elsewhere a plain line comes now and then, and the last one
    always. name: of a job, whose plain lines may stand among those of others.
    """
    from rich.console import Console

    console, of = console or Console(stderr=True), f"{flatten_text(name)}: " if name else ""
    if renews_itself(console):
        with show_on_terminal(console) as show:
            yield show
        return
    file, cadence, last = console.file, Cadence(), list[Progress]()

    def show_line(progress: Progress) -> None:
        """Print a line where one is due."""
        last[:] = [progress]
        if cadence.is_due(progress.seconds):
            print_plain(f"{of}judging: {describe_progress(progress)}", file)

    yield show_line
    if last and last[0].whole.judgments:
        print_plain(f"{of}judged {describe_total(last[0])}", file)


@contextmanager
def show_on_terminal(console: Console) -> Iterator[Show]:
    """Show progress in lines that are drawn over, twice a second at most."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    shown_at = [-RENEWED]
    with Live(console=console, transient=True, auto_refresh=False) as live:

        def show(progress: Progress) -> None:
            """Draw it, unless that was done a moment ago."""
            if progress.seconds - shown_at[0] < RENEWED and not progress.stopped:
                return
            shown_at[0] = progress.seconds
            lines = draw(progress, console.width, console.height)
            live.update(Group(*(Text(line, no_wrap=True, overflow="crop") for line in lines)), refresh=True)

        yield show


def print_plain(line: str, file: IO[str] | None = None) -> None:
    """Print a line where nobody may be reading any more."""
    with suppress(OSError, ValueError):
        print(line, file=file or sys.stderr, flush=True)


def draw(progress: Progress, width: int, height: int) -> list[str]:
    """Draw what a terminal of so many columns and rows shows: the whole, the arms at work, and the others in a line."""
    whole = progress.whole
    about = "judging"
    if progress.stopped:
        about = f"stopping, {progress.in_flight:,} still to arrive (Ctrl-C drops them)"
    items = f"{whole.items:,}/{whole.plan.items:,} items"
    left = write_left(whole)
    if width >= BAR_FROM and not progress.stopped:
        room = width - len(about) - len(items) - len(left) - 3
        lines = [" ".join(filter(None, [about, draw_bar(whole, room) if room >= SHORTEST_BAR else "", items, left]))]
    else:
        lines = flow([about, items, left], width)
    facts = [*list_rates(whole), f"${progress.dollars:,.2f}" if progress.dollars else ""]
    facts += [write_counts(progress.unusable), f"{whole.bought:,} bought", f"{whole.reused:,} reused"]
    facts += [f"faults: {write_counts(progress.faults)}" if progress.faults else ""]
    facts += [f"{progress.deferred:,} wait for a batch file" if progress.deferred else ""]
    lines += flow(facts, width, indent="  ")[:2]
    if len(progress.arms) > 1:
        busy = [view for view in progress.arms if view.state == "at work"]
        shown = busy[: max(1, min(MOST_ARMS, height - BESIDES))]
        lines += draw_arms(shown, width)
        lines += flow(fold_states(progress).split(", "), width, indent="  ", between=", ")
    return lines


def draw_bar(view: View, room: int) -> str:
    """Draw how much is done as a bar of so many columns."""
    full = int(room * view.items / view.plan.items) if view.plan.items else 0
    return "━" * full + "─" * (room - full)


def draw_arms(views: Sequence[View], width: int) -> list[str]:
    """Draw a line an arm: its name, items, rate, tokens a second and the time left, as much as there is room for."""
    rows = []
    for view in views:
        rate, tokens = write_rate(view.rate), write_rate(view.tokens_rate)
        cells = [f"{view.items:,}/{view.plan.items:,}", f"{rate}/s" if rate else "", write_left(view)]
        rows.append([*cells, f"{tokens} tokens/s" if view.tokens_rate else ""])
    widths = [max(map(len, column)) for column in zip(*rows)]
    names = [flatten_text(view.plan.name) for view in views]
    longest = max(map(len, names), default=0)
    while len(widths) > 1 and 2 + min(longest, SHORTEST_NAME) + sum(w + 2 for w in widths if w) > width:
        widths.pop()  # the first ones matter most
    room = width - 2 - sum(w + 2 for w in widths if w)
    room = min(room, longest)
    lines = []
    for name, row in zip(names, rows):
        cut = name if len(name) <= room else f"{name[: room // 2 - 1]}…{name[-(room - room // 2) :]}"  # both ends tell
        cells = [cell.rjust(w) for cell, w in zip(row, widths) if w]
        lines.append("  ".join([f"  {cut:<{max(room, 0)}}", *cells]).rstrip())
    return lines


def flow(parts: Sequence[str], width: int, indent: str = "", between: str = "  ") -> list[str]:
    """Put parts side by side, and on a new line where there is no room; none is cut that a whole line could hold."""
    lines: list[str] = []
    for part in filter(None, parts):
        if lines and len(lines[-1]) + len(between) + len(part) <= width:
            lines[-1] += between + part
        else:
            lines.append((indent + part)[:width])
    return lines


@contextmanager
def show_evaluating(total: int, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Show how far an evaluation is, and yield what is to be told how many decisions (an item at a k) were made since.

    A terminal shows a bar that is gone at the end. Elsewhere nothing is said, unless it takes long.
    """
    from rich.console import Console

    console = console or Console()
    done, begun, shown, pace, cadence = 0, time.monotonic(), 0.0, Pace(), Cadence(LONG)
    pace.add(begun, 0)

    def tick(count: int, show: Callable[[], None]) -> None:
        """Count decisions, and show how many there are where that is due."""
        nonlocal done, shown
        done += count
        if (now := time.monotonic()) - shown > BAR_RENEWED:
            shown = now
            show()

    if renews_itself(console):
        with make_bar("evaluating", total, console) as bar:
            yield lambda count: tick(count, lambda: bar.update(bar.task_ids[0], completed=done))
        return

    def show_line() -> None:
        """Print a line where one is due."""
        pace.add(time.monotonic(), done)
        if cadence.is_due(time.monotonic() - begun):
            parts = [f"{done:,} of {total:,} decisions ({done / max(total, 1):.0%})"]
            parts += [f"{write_rate(pace.find_rate())}/s"]
            seconds = pace.find_seconds_left(total - done)
            parts += [] if seconds is None else [f"{write_duration(seconds)} left"]
            print_plain(f"evaluating: {', '.join(parts)}")

    yield lambda count: tick(count, show_line)


def make_bar(description: str, total: float, console: Console) -> RichProgress:
    """Make a progress bar with one task, which leaves nothing behind."""
    from rich import progress as rp
    from rich.table import Column
    from rich.text import Text

    class Rate(rp.ProgressColumn):
        """Show items a second, or seconds an item when slow."""

        def render(self, task: rp.Task) -> Text:
            """Render the cell of one task."""
            speed = task.speed
            return Text("" if not speed else f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", style="dim")

    whole = Column(no_wrap=True)  # where there is little room, the bar gives way
    about = rp.TextColumn("{task.description}", markup=False)
    columns = (about, rp.BarColumn(), rp.MofNCompleteColumn(table_column=whole), Rate(table_column=whole))
    bar = rp.Progress(*columns, rp.TimeRemainingColumn(table_column=whole), console=console, transient=True)
    bar.add_task(flatten_text(description), total=total)
    return bar
