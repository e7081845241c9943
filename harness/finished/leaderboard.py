"""The command that ranks finished runs.

    judgescale leaderboard RUN RUN …

In a checkout, `python -m harness.finished.leaderboard` is the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.errors import explain_error
from judgescale.harness.finished.arguments import make_parser
from judgescale.harness.finished.ceilings import ABOVE, BEYOND, Ceiling, mark_above
from judgescale.harness.finished.ranking import Leaderboard, Place, rank_arms
from judgescale.harness.finished.reading import read_choices
from judgescale.harness.finished.wording import (
    HOW_CHOSEN,
    name_arm,
    write_files,
    write_markdown_list,
    write_markdown_table,
)
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.tables import escape_markdown
from judgescale.harness.report.text import format_interval, format_percent, format_points
from judgescale.harness.screen import make_table, open_screen, print_line, print_table
from judgescale.harness.types import JudgescaleError

if TYPE_CHECKING:
    from rich.console import Console

EXPLAIN = f"""\
Rank finished runs of one benchmark on the items that all share, beside what others printed for it.

  judgescale leaderboard results/runs/2026-11-28/A results/runs/2026-11-28/B
  judgescale leaderboard RUN             all arms of one run

{HOW_CHOSEN}
"""
WIDEST = 8  # arms of which the terminal shows every pair
LEGEND = (
    "ranks: those that an arm may have; all hold at once, 95 % of the time at least (every pair is compared on the same"
    " items, and Holm's method grants that there are so many)."
)
MATRIX = "row minus column, in points; * told apart once all pairs are granted."
CSV_HEADER = (
    "rank", "best_rank", "worst_rank", "name", "run", "number", "judge", "strategy", "k", "value", "ci_low", "ci_high",
    "above_ceiling", "ceiling", "most_expected", "printed", "source", "status", "signature",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the leaderboard; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    try:
        if given.ceiling is not None and not 0 < given.ceiling <= 1:
            raise JudgescaleError(f"--ceiling {given.ceiling:g}: choose a fraction between 0 and 1, as 0.81")
        found = rank_arms(read_choices(given.runs), given.anyway)
        if given.out:
            write_leaderboard(found, given.out, given.ceiling)
        show_leaderboard(found, given.ceiling)
        if given.out:
            print_line(open_screen(), f"{given.out}/", whole=True)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser = make_parser("leaderboard", EXPLAIN, "leaderboard.{md,csv,json}")
    parser.add_argument(
        "--ceiling",
        type=float,
        metavar="FRACTION",
        help="how well annotators agree with the labels, in place of what the runs say of it: judges above are marked",
    )
    return parser


def show_leaderboard(found: Leaderboard, ceiling: float | None, console: Console | None = None) -> None:
    """Print the ranks, the printed numbers among them, and all pairs where these are few."""
    screen = console or open_screen()
    print_line(screen, write_heading(found), "bold")
    table = make_table(["", "judge"], ["ranks", "headline", "95 % interval"])
    for row in list_rows(found, ceiling):
        table.add_row(*map(flatten_text, row))
    print_table(screen, table)
    for note in list_notes(found, ceiling):
        print_line(screen, note, "yellow" if note.startswith("warning") else "")
    print_line(screen, LEGEND, "dim")
    print_line(screen, "")
    if len(found.places) <= WIDEST:
        header, rows = make_matrix(found)
        table = make_table([header[0]], header[1:])
        for cells in rows:
            table.add_row(*cells)
        print_table(screen, table)
        print_line(screen, MATRIX, "dim")
    else:
        print_line(screen, f"--out writes all {len(found.places) * (len(found.places) - 1) // 2:,} pairs", "dim")


def write_heading(found: Leaderboard) -> str:
    """Write what the leaderboard is of."""
    return f"{found.places[0].arm.task}: {found.items:,} shared items, {len(found.places)} arms"


def list_rows(found: Leaderboard, ceiling: float | None) -> list[list[str]]:
    """List a row an arm, in order, and among them by their values the numbers that others printed."""
    rows = []
    for number, place in enumerate(found.places, 1):
        ranks = f"{place.best}" if place.best == place.worst else f"{place.best}-{place.worst}"
        mark = mark_above(place.value, choose_ceiling(place, ceiling))
        cells = [f"{number}", f"{name_arm(place.arm)} {mark}".rstrip(), ranks, format_percent(place.value)]
        rows.append((place.value, [*cells, format_interval(place.interval)]))
    for printed in found.printed:
        doubt = "" if printed.status == "confirmed" else f" ({printed.status})"
        name = f"printed: {', '.join(filter(None, (printed.name, printed.how)))}{doubt}"
        rows.append((printed.value, ["", name, "", format_percent(printed.value), ""]))
    return [cells for _, cells in sorted(rows, key=lambda row: -row[0])]


def choose_ceiling(place: Place, given: float | None) -> Ceiling | None:
    """Return the ceiling that an arm is held against: the one that is given, or its run's own."""
    return place.arm.ceiling if given is None else Ceiling(given, None)


def list_notes(found: Leaderboard, ceiling: float | None) -> list[str]:
    """List what a reader must know: warnings, items left out, the ceiling, sources of printed numbers."""
    notes = [f"warning: {warning}" for warning in found.warnings]
    if any(found.left_out):
        notes.append(f"up to {max(found.left_out):,} items of an arm are not of all others: left out")
    notes += describe_marks(found, ceiling)
    sources = dict.fromkeys(printed.source for printed in found.printed)
    if sources:
        notes.append("printed numbers are of all items, and have no rank")
    return [*notes, *(f"printed: {source}" for source in sources)]


def describe_marks(found: Leaderboard, given: float | None) -> list[str]:
    """Say what it means to be above the ceiling, where an arm is."""
    held = [(place, choose_ceiling(place, given)) for place in found.places]
    marks = {mark_above(place.value, ceiling) for place, ceiling in held}
    if given is not None:
        return [
            f"^ above the ceiling of {format_percent(given)}: annotators agree no better with these labels, so that"
            " what is gained above it may be the labels' noise"
        ] * (ABOVE in marks)
    of_one = " to ".join(dict.fromkeys(format_percent(end) for end in _find_ends([c.annotator for _, c in held if c])))
    expected = [c.expected for _, c in held if c and c.expected is not None]
    most = " to ".join(dict.fromkeys(format_percent(end) for end in _find_ends(expected)))
    told = {
        ABOVE: f"^ agrees with the majority of an item's other annotators more often than one annotator does ({of_one},"
        " on the same votes): so does a judge that errs less often than one of them; by itself no sign of fitted noise",
        BEYOND: f"^^ agrees with the labels more often than a perfect judge can expect ({most}) of annotators who err"
        " independently: what is above that is luck, the labels' noise, or errors that judge and annotators share",
    }
    return [note for mark, note in told.items() if mark in marks]


def _find_ends(values: Sequence[float]) -> list[float]:
    """Return the smallest and the largest of some values; none of none."""
    return [min(values), max(values)] if values else []


def make_matrix(found: Leaderboard) -> tuple[list[str], list[list[str]]]:
    """Make the table of all pairs, by place."""
    header = ["", *(str(number) for number in range(1, len(found.places) + 1))]
    rows = []
    for i in range(len(found.places)):
        cells = [
            "" if i == j else format_points(found.gap[i, j]) + "*" * found.is_apart(i, j)
            for j in range(len(found.places))
        ]
        rows.append([str(i + 1), *cells])
    return header, rows


def write_leaderboard(found: Leaderboard, folder: Path, ceiling: float | None) -> None:
    """Write leaderboard.md, leaderboard.csv and leaderboard.json into a folder."""
    header, rows = make_matrix(found)
    table = write_markdown_table(["", "judge", "ranks", "headline", "95 % interval"], list_rows(found, ceiling))
    notes = write_markdown_list(list_notes(found, ceiling))
    pages = [
        f"### {escape_markdown(write_heading(found))}",
        table,
        notes,
        LEGEND,
        write_markdown_table(header, rows),
        MATRIX,
    ]
    write_files(
        folder,
        {
            "leaderboard.md": "\n\n".join(filter(None, pages)) + "\n",
            "leaderboard.csv": [CSV_HEADER, *list_csv_rows(found, ceiling)],
            "leaderboard.json": json.dumps(summarise(found, ceiling), indent=2, allow_nan=False) + "\n",
        },
    )


def list_csv_rows(found: Leaderboard, ceiling: float | None) -> list[list[Any]]:
    """List a row for every arm, then for every printed number, fractions 0-1."""
    rows: list[list[Any]] = []
    for number, place in enumerate(found.places, 1):
        arm, ends = place.arm, place.interval or (None, None)
        held = choose_ceiling(place, ceiling)
        above = bool(mark_above(place.value, held)) if held else None
        of_labels = [above, held.annotator if held else None, held.expected if held else None]
        rows.append(
            [number, place.best, place.worst, arm.name, str(arm.folder), arm.number, arm.judge, arm.strategy, arm.k]
            + [place.value, *ends, *of_labels, False, None, None, arm.signature]
        )
    for row in found.printed:
        rows.append(
            [*[None] * 3, row.name, None, None, row.name, row.how, None, row.value]
            + [*[None] * 5, True, row.source, row.status, None]
        )
    return rows


def summarise(found: Leaderboard, ceiling: float | None) -> dict[str, Any]:
    """Make the contents of leaderboard.json: a row an arm and printed number, and a row a pair."""
    rows = [dict(zip(CSV_HEADER, row, strict=True)) for row in list_csv_rows(found, ceiling)]
    arms = len(found.places)
    pairs = [
        {
            "above": i + 1,
            "below": j + 1,
            "difference": float(found.gap[i, j]),
            "p_holm": None if isnan(found.p[i, j]) else float(found.p[i, j]),
            "told_apart": found.is_apart(i, j),
        }
        for i in range(arms)
        for j in range(i + 1, arms)
    ]
    return {
        "task": found.places[0].arm.task,
        "items": found.items,
        "ceiling": ceiling,
        "warnings": list(found.warnings),
        "rows": rows,
        "pairs": pairs,
    }


if __name__ == "__main__":
    main()
