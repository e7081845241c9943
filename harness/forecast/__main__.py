"""The command that plans the next run from a finished one.

    judgescale plan RUN_FOLDER [--to 32] [--difference 0.01]

In a checkout, `python -m harness.forecast` is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from judgescale.harness.errors import explain_error
from judgescale.harness.forecast.pilots import Planned, read_pilots
from judgescale.harness.screen import make_table, open_screen, print_line, print_table
from judgescale.harness.stats.forecast import Forecast, VotePilot, forecast, measure_pilot
from judgescale.harness.stats.moments import bound_votes
from judgescale.harness.stats.power import LEVEL, POWER, count_items, find_smallest_difference
from judgescale.harness.types import JudgescaleError

if TYPE_CHECKING:
    from rich.table import Table

EXPLAIN = """\
Forecast what more judgments an item would give, from those of a finished run: at least two of every item, bought or
recorded. Nothing is bought.

  judgescale plan results/runs/2026-11-28/…
  judgescale plan results/runs/2026-11-28/… --to 64 --difference 0.02
"""
LARGEST = 256  # votes a forecast is of
SELF = (
    "Items needed are for two judges, paired by item, that differ no more than this one from itself judged again: the"
    " fewest there can be. Judges that find other items hard differ more, and items of one question count for less."
)
PROMISE = (
    "Not promised: this is of more judgments like these, drawn anew, of items like these. The interval holds the"
    " sampling of both, and a share of what the model moves single items by; how often it held is in"
    " benchmarks/README.md. It says nothing of another prompt, temperature or judge."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the plan; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    try:
        if not 2 <= given.to <= LARGEST:
            raise JudgescaleError(f"--to {given.to}: choose a number of judgments from 2 to {LARGEST}")
        if not 0 < given.difference < 1:
            raise JudgescaleError(f"--difference {given.difference:g}: choose a fraction between 0 and 1, as 0.01")
        show_plan(read_pilots(given.run), given.to, given.difference)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="judgescale plan", description=EXPLAIN, formatter_class=raw)
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER", help="the folder of a finished run")
    parser.add_argument("--to", type=int, default=32, metavar="K", help="the largest vote forecast (default: 32)")
    parser.add_argument(
        "--difference",
        type=float,
        default=0.01,
        metavar="D",
        help="the difference that should be seen, as a fraction (default: 0.01, one point)",
    )
    return parser


def show_plan(planned: Sequence[Planned], to: int, difference: float) -> None:
    """Print each pilot's forecast and what a difference costs, and what is not promised."""
    screen = open_screen()
    for one in planned:
        found = forecast(one.pilot, list_ks(one.pilot.size, to))
        print_line(screen, f"{one.task}, {one.judge}: {found.items:,} items, {found.pilot} judgments each", "bold")
        print_table(screen, tabulate_curve(one, found))
        for line in (describe_model(found), *one.notes):
            print_line(screen, line)
        print_line(screen, "")
        print_line(
            screen,
            f"To see a difference of {difference * 100:g} points, {POWER:.0%} of the time at the {LEVEL:.0%} level:",
        )
        print_table(screen, tabulate_power(found, difference))
        print_line(screen, "")
    for line in compare_pilots(planned, difference):
        print_line(screen, line)
    print_line(screen, SELF)
    print_line(screen, PROMISE)


def list_ks(pilot: int, to: int) -> list[float]:
    """List the k of a plan: the doublings up to `to`, the pilot's own, and the limit."""
    doublings = [2**i for i in range(to.bit_length()) if 2**i <= to]
    return [*sorted({*doublings, to, min(pilot, to)}), inf]


def tabulate_curve(one: Planned, found: Forecast) -> Table:
    """Make the table of the curve: measured up to the pilot's size, forecast beyond it."""
    bounds = bound_votes(one.pilot, found.ks) if isinstance(one.pilot, VotePilot) else None
    columns = ["measured", "forecast", "95 % interval", "gain of\ndoubling", *["moment\nbounds"] * (bounds is not None)]
    table, by_k = make_table(["k"], columns), dict(zip(found.ks, found.value, strict=True))
    for j, (k, value) in enumerate(by_k.items()):
        gain = "" if k == inf or k / 2 not in by_k else f"{(value - by_k[k / 2]) * 100:+.1f}"
        told = format_points(value)
        cells = [told, ""] if k <= found.pilot else ["", told]
        cells += [format_range(found.low[j], found.high[j]), gain]
        if bounds is not None:
            cells.append(format_range(*bounds[j]) if k > found.pilot else "")
        table.add_row("limit" if k == inf else f"{k:g}", *cells)
    return table


def describe_model(found: Forecast) -> str:
    """Say in one line how the forecast was made."""
    shares = found.model_error[np.array(found.ks) > found.pilot]
    share = f"The interval adds {shares.min():.0%} to {shares.max():.0%} of what the model moves items by."
    if found.model == "votes":
        return (
            "Model: votes. Each judgment is right, tied or wrong, and items spread over the chances of these as the"
            f" pilot tells. {share} Moment bounds: what no spread of items can pass, sampling error granted."
        )
    return (
        "Model: scores. They are summed; an item's mean scores spread over items as the pilot tells, and one normal"
        f" error is that of all. {share} Sums of scores have no moment bounds."
    )


def tabulate_power(found: Forecast, difference: float) -> Table:
    """Make the table of what a difference costs at every k, in items and in judgments."""
    head = ["differ", "items\nneeded", "judgments\nin all", f"seen with\n{found.items:,} items"]
    table = make_table(["k"], head)
    for k, discordant in zip(found.ks, found.discordant, strict=True):
        if k == inf:
            continue
        needed = count_items(discordant, difference)
        cells = ["-", "-"] if needed is None else [f"{needed:,}", f"{needed * int(k):,}"]
        seen = find_smallest_difference(discordant, found.items)
        table.add_row(f"{k:g}", f"{discordant:.1%}", *cells, format_points(seen))
    return table


def compare_pilots(planned: Sequence[Planned], difference: float) -> list[str]:
    """Say of each judge after a task's first how often the two differ, and how many items that takes."""
    told, first = [], dict[str, Planned]()
    for one in planned:
        other = first.setdefault(one.task, one)
        places = {name: i for i, name in enumerate(other.names)}
        common = [(places[name], i) for i, name in enumerate(one.names) if name in places]
        if one is other or not common:
            continue
        k = min(one.pilot.size, other.pilot.size)
        ours, theirs = measure_pilot(one.pilot, [k])[k], measure_pilot(other.pilot, [k])[k]
        rows, theirs_rows = [i for _, i in common], [i for i, _ in common]
        discordant = float(((ours[rows] - theirs[theirs_rows]) ** 2).mean())
        needed = count_items(discordant, difference)
        items = "more items than there can be" if needed is None else f"{needed:,} items"
        told.append(
            f"{one.judge} and {other.judge} differ on {discordant:.1%} of {len(common):,} items at k={k}:"
            f" a difference of {difference * 100:g} points takes {items}."
        )
    return told


def format_points(value: float) -> str:
    """Write a fraction in points."""
    return f"{value * 100:.1f}"


def format_range(low: float, high: float) -> str:
    """Write two fractions in points."""
    return f"[{format_points(low)}, {format_points(high)}]"


if __name__ == "__main__":
    main()
