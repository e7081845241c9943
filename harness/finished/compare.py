"""The command that compares finished runs.

    judgescale compare RUN RUN …

In a checkout, `python -m harness.finished.compare` is the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.errors import explain_error
from judgescale.harness.finished.arguments import make_parser
from judgescale.harness.finished.comparing import Comparison, Part, compare_arms, list_unit_differences
from judgescale.harness.finished.reading import Judged, read_choices
from judgescale.harness.finished.wording import (
    HOW_CHOSEN,
    format_p,
    name_arm,
    name_k,
    write_files,
    write_markdown_list,
    write_markdown_table,
)
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.tables import escape_markdown
from judgescale.harness.report.text import UNKNOWN, format_percent, format_points
from judgescale.harness.screen import make_table, open_screen, print_line, print_table
from judgescale.harness.stats.intervals import Interval
from judgescale.harness.stats.paired import Paired
from judgescale.harness.types import JudgescaleError

if TYPE_CHECKING:
    from rich.console import Console

EXPLAIN = f"""\
Compare finished runs of one benchmark on the items that they share: the first one given with every other.

  judgescale compare results/runs/2026-11-28/A results/runs/2026-11-28/B
  judgescale compare RUN                 all arms of one run, with its first
  judgescale compare RUN@1 RUN@8         one run at two k of its curve
  judgescale compare RUN:voting RUN:elo  two arms of one run

{HOW_CHOSEN}
"""
COLUMNS = ("items", "first", "other", "differ-\nence", "95 %\ninterval", "won:\nlost", "p", "Holm", "B-H", "seen\nfrom")
PAIRS = 3  # of which the terminal shows sections and items
MOST = 30  # sections and subsets on the terminal
CSV_HEADER = (
    "task", "first", "other", "kind", "name", "items", "first_value", "other_value", "difference", "ci_low", "ci_high",
    "difference_by_lot", "by_lot_ci_low", "by_lot_ci_high", "won", "lost", "p", "p_holm", "p_benjamini_hochberg",
    "p_mcnemar", "smallest_seen", "verdict",
)  # fmt: skip
ITEMS_HEADER = (
    "task", "first", "other", "item", "subset", "section", "cluster", "weight", "first_credit", "other_credit",
    "difference",
)  # fmt: skip
LEGEND = (
    'difference, interval and "seen from" in points. p: of the interval, which knows clusters and weights, and ties'
    " broken by lot where these earn something else. Holm, B-H: p adjusted for the rows of its table; calling all up to"
    " 0.05 makes one false call or more in 5 % of tables (Holm), or 5 % of the calls false (B-H). seen from: the"
    " smallest difference that so many items show, 4 times of 5, before Holm."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the comparison; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    try:
        if given.items < 0:
            raise JudgescaleError(f"--items {given.items}: choose a number from 0")
        found = compare_arms(read_choices(given.runs), given.anyway)
        if given.out:
            write_comparison(found, given.out)
        show_comparison(found, given.items)
        if given.out:
            print_line(open_screen(), f"{given.out}/", whole=True)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser = make_parser("compare", EXPLAIN, "comparison.{md,csv,json} and items.csv")
    parser.add_argument("--items", type=int, default=5, metavar="N", help="items won and lost that are listed (5)")
    return parser


def show_comparison(found: Sequence[Comparison], items: int, console: Console | None = None) -> None:
    """Print the headlines of all arms, then each pair's sections and subsets, and the items that tell them apart."""
    screen = console or open_screen()
    heading, *arms = list_arms(found)
    print_line(screen, heading, "bold")
    for line in arms:
        print_line(screen, line)
    for line in list_signature_parts(found):
        print_line(screen, line, "yellow" if line.startswith("warning") else "dim")
    print_line(screen, "")
    table = make_table(["all items"], [*COLUMNS, "verdict"])
    for letter, one in zip(letters(found), found, strict=True):
        table.add_row(f"{letter} - A", *write_cells(one.headline), one.headline.verdict)
    print_table(screen, table)
    if len(found) <= PAIRS:
        for letter, one in zip(letters(found), found, strict=True):
            _show_pair(screen, letter, one, items)
    else:
        print_line(screen, f"--out writes sections, subsets and items of each; up to {PAIRS} are shown here", "dim")
    print_line(screen, "")
    print_line(screen, LEGEND, "dim")


def _show_pair(screen: Console, letter: str, one: Comparison, items: int) -> None:
    """Print a pair's sections and subsets, what else is known of it, and the items that tell the two apart."""
    print_line(screen, "")
    if one.parts:
        table = make_table([f"{letter} - A"], [*COLUMNS, "verdict"])
        shown = one.parts
        if len(shown) > MOST:
            shown = tuple(sorted(shown, key=lambda part: 1.0 if part.difference.p is None else part.difference.p))[
                :MOST
            ]
        for part in shown:
            table.add_row(flatten_text(part.name) or UNKNOWN, *write_cells(part), part.verdict)
        print_table(screen, table)
        if len(one.parts) > MOST:
            print_line(screen, f"the {MOST} smallest p of {len(one.parts)}; --out writes all", "dim")
    for line in [*describe_pair(letter, one), *list_items(letter, one, items)]:
        print_line(screen, line)


def letters(found: Sequence[Comparison]) -> list[str]:
    """Name the other arms: B, C, …, Z, 27, 28, …"""
    return [chr(ord("B") + i) if i < 25 else str(i + 2) for i in range(len(found))]


def list_arms(found: Sequence[Comparison]) -> list[str]:
    """List what is compared: the task, then a line an arm."""
    first = found[0].first
    sizes = {len(one.shared.item) for one in found}
    shared = f"{min(sizes):,}" if len(sizes) == 1 else f"{min(sizes):,} to {max(sizes):,}"
    lines = [f"{first.task}: {shared} shared items"]
    every = [first, *(one.other for one in found)]
    for letter, arm in zip(["A", *letters(found)], every, strict=True):
        lines.append(f"  {letter}  {name_arm(arm)}  {len(arm.item):,} items  {arm.folder}:{arm.number}")
    return lines


def list_signature_parts(found: Sequence[Comparison]) -> list[str]:
    """List in what the signatures differ, and warnings first."""
    every = list(zip(letters(found), found, strict=True))
    warned = [f"warning: A and {letter} are {warning}" for letter, one in every for warning in one.warnings]
    told = [
        f"A and {letter} differ in " + ("; ".join(map(flatten_text, one.unlike)) or "nothing that a signature tells")
        for letter, one in every
    ]
    return warned + told


def write_cells(part: Part) -> list[str]:
    """Write a part's numbers as the cells of a row."""
    found = part.difference.by_rule
    return [
        f"{part.items:,}",
        format_percent(part.first),
        format_percent(part.other),
        format_points(found.gap),
        write_ends(found.interval),
        f"{found.won}:{found.lost}",
        format_p(part.difference.p),
        format_p(part.holm),
        format_p(part.fdr),
        UNKNOWN if found.seen is None else format_percent(found.seen),
    ]


def write_ends(ci: Interval) -> str:
    """Write the ends of an interval of a difference, in points."""
    return UNKNOWN if ci is None else f"[{format_points(ci[0])}, {format_points(ci[1])}]"


def describe_pair(letter: str, one: Comparison) -> list[str]:
    """Say what else is known of a pair: the exact test, the difference by lot, items that only one has."""
    found, lines = one.headline.difference, []
    if found.by_rule.exact_p is not None:
        p = format_p(found.by_rule.exact_p)
        lines.append(
            f"{letter} won {found.by_rule.won:,} items and lost {found.by_rule.lost:,}: McNemar's exact p = {p}, if"
            " items were independent and weighed alike"
        )
    if found.by_lot is not None:
        even = " and both labels of lone responses weighing alike" if one.shared.lone else ""
        lines.append(
            f"with ties broken by lot{even}, {letter} - A is {format_points(found.by_lot.gap)}"
            f" {write_ends(found.by_lot.interval)}: a winner is named only where both name it"
        )
    for arm, left in zip(("A", letter), one.shared.left_out, strict=True):
        if left:
            lines.append(f"{left:,} items of {arm} are not of the other: left out")
    return lines


def list_items(letter: str, one: Comparison, most: int) -> list[str]:
    """List the items that the other arm won by most, then those that it lost by most."""
    every = list_unit_differences(one)
    lines = []
    for word, side in (("won", 1), ("lost", -1)):
        rows = [row for row in every if (row.other - row.first) * side > 1e-9]
        told = [
            f"{flatten_text(row.item)} ({format_percent(row.first)} to {format_percent(row.other)})" for row in rows
        ]
        if told and most:
            more = f" and {len(told) - most:,} more" if len(told) > most else ""
            lines.append(f"{letter} {word}: {', '.join(told[:most])}{more}")
    return lines


def write_comparison(found: Sequence[Comparison], folder: Path) -> None:
    """Write comparison.md, comparison.csv, comparison.json and items.csv into a folder."""
    summary = json.dumps({"comparisons": [summarise(one) for one in found]}, indent=2, allow_nan=False)
    write_files(
        folder,
        {
            "comparison.md": render_markdown(found),
            "comparison.csv": [CSV_HEADER, *(row for one in found for row in list_csv_rows(one))],
            "comparison.json": summary + "\n",
            "items.csv": [ITEMS_HEADER, *(row for one in found for row in list_item_rows(one))],
        },
    )


def render_markdown(found: Sequence[Comparison]) -> str:
    """Render the tables of the terminal as Markdown."""
    heading, *arms = list_arms(found)
    blocks = [f"### {escape_markdown(heading)}", write_markdown_list(arms)]
    blocks.append(write_markdown_list(list_signature_parts(found)))
    header = [name.replace("-\n", "").replace("\n", " ") for name in (*COLUMNS, "verdict")]
    every = list(zip(letters(found), found, strict=True))
    rows = [[f"{letter} - A", *write_cells(one.headline), one.headline.verdict] for letter, one in every]
    blocks.append(write_markdown_table(["all items", *header], rows))
    for letter, one in every:
        if one.parts:
            rows = [[part.name or UNKNOWN, *write_cells(part), part.verdict] for part in one.parts]
            blocks.append(write_markdown_table([f"{letter} - A", *header], rows))
        if lines := describe_pair(letter, one):
            blocks.append(write_markdown_list(lines))
    return "\n\n".join([*blocks, LEGEND]) + "\n"


def list_csv_rows(one: Comparison) -> list[list[Any]]:
    """List a row for the headline and each part of a pair, fractions 0-1."""
    rows = []
    for part in (one.headline, *one.parts):
        found, lot = part.difference.by_rule, part.difference.by_lot
        by_lot = [lot.gap, *_ends(lot)] if lot else [None] * 3
        tests = [part.difference.p, part.holm, part.fdr, found.exact_p, found.seen]
        rows.append(
            [one.first.task, label(one.first), label(one.other), part.kind, part.name, part.items, part.first]
            + [part.other, found.gap, *_ends(found), *by_lot, found.won, found.lost, *tests, part.verdict]
        )
    return rows


def list_item_rows(one: Comparison) -> list[list[Any]]:
    """List a row for every shared item of a pair."""
    return [
        [one.first.task, label(one.first), label(one.other), row.item, row.subset, row.section, row.cluster, row.weight]
        + [row.first, row.other, row.other - row.first]
        for row in list_unit_differences(one)
    ]


def summarise(one: Comparison) -> dict[str, Any]:
    """Make a pair's entry of comparison.json."""
    head = len(("task", "first", "other"))
    rows = [dict(zip(CSV_HEADER[head:], row[head:], strict=True)) for row in list_csv_rows(one)]
    return {
        "task": one.first.task,
        "first": describe_arm(one.first),
        "other": describe_arm(one.other),
        "signatures_differ_in": list(one.unlike),
        "warnings": list(one.warnings),
        "left_out": list(one.shared.left_out),
        "headline": rows[0],
        "parts": rows[1:],
    }


def describe_arm(arm: Judged) -> dict[str, Any]:
    """Say which arm of which run it is."""
    return {"run": str(arm.folder), "arm": arm.name, "number": arm.number, "k": arm.k, "signature": arm.signature}


def label(arm: Judged) -> str:
    """Name an arm in a cell: its name, k and run."""
    return f"{arm.name}, {name_k(arm)} ({arm.folder.name})"


def _ends(found: Paired) -> tuple[float | None, float | None]:
    return found.interval or (None, None)


if __name__ == "__main__":
    main()
