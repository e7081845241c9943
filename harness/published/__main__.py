"""The commands of printed numbers.

    judgescale published find  --judge DeepSeek-GRM-27B --benchmark RewardBench --section overall
    judgescale published show  RewardBench2
    judgescale published curve DeepSeek-GRM-27B RewardBench
    judgescale published audit

In a checkout, `python -m harness.published` is the same.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from judgescale.harness.errors import explain_error, list_some
from judgescale.harness.plain_text import defuse_formula
from judgescale.harness.published.audit.audit import audit
from judgescale.harness.published.audit.findings import describe_setting, render_csv
from judgescale.harness.published.audit.printing import print_findings
from judgescale.harness.published.find import OPTIONS, Printed, find_printed, name_judges
from judgescale.harness.published.lists import RAW, Row, read_printed
from judgescale.harness.published.show import MARKS, choose_metric, list_columns, tabulate_benchmark
from judgescale.harness.screen import make_table, open_screen, print_line, print_table
from judgescale.harness.types import JudgescaleError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

EXPLAIN = """\
Numbers that papers, leaderboards and benchmark owners printed, each with its source and how far it is to be trusted.

  judgescale published find --judge DeepSeek-GRM-27B --benchmark RewardBench --section overall
  judgescale published show RewardBench2 --judge skywork
  judgescale published curve DeepSeek-GRM-27B RewardBench
  judgescale published audit

Words are matched without case and separators: the name itself, or else every name that contains the word.
"""
LINES = 30  # of a table on the terminal, unless more are asked for


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    try:
        {"find": find, "show": show, "curve": draw_curve, "audit": show_audit}[given.command](given)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the commands and their arguments."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="judgescale published", description=EXPLAIN, formatter_class=raw)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = commands.add_parser("find", help="every printed number that fits, with source and status")
    for name in OPTIONS:
        one.add_argument(f"--{name}", nargs="+", action="extend", metavar="WORD", help="one of several")
    _add_file(one)

    table = commands.add_parser("show", help="a benchmark's table: judges x sections")
    table.add_argument("benchmark")
    for name in ("judge", "metric", "section", "strategy", "source", "status"):
        table.add_argument(f"--{name}", nargs="+", action="extend", metavar="WORD", help="one of several")
    table.add_argument("--top", type=int, default=LINES, metavar="N", help=f"lines shown (default: {LINES}; 0 = all)")
    _add_file(table)

    curve = commands.add_parser("curve", help="draw a judge's printed numbers against k")
    curve.add_argument("judge")
    curve.add_argument("benchmark")
    curve.add_argument("--section", default="overall", metavar="WORD", help="default: overall")
    curve.add_argument("--out", type=Path, default=Path("."), metavar="FOLDER", help="default: this folder")

    check = commands.add_parser("audit", help="numbers that contradict themselves or each other, from the data alone")
    check.add_argument("--all", action="store_true", help="also what rounding explains, and scores with prior sets")
    _add_file(check)
    return parser


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write them to a file instead")


def find(given: argparse.Namespace) -> None:
    """Print the numbers that fit, one a line, or write them in the form of the lists."""
    asked = _read_words(given, OPTIONS)
    if not asked:
        raise JudgescaleError(f"say which numbers: --judge, --benchmark, …; benchmarks are {_list_benchmarks()}")
    found = find_printed(read_printed(), asked)
    if given.csv:
        _write_rows(found, given.csv)
        return
    columns = {
        "judge": [row.model for row, _ in found],
        "benchmark": [row.benchmark for row, _ in found],
        "section": [row.subset for row, _ in found],
        "metric": [row.metric for row, _ in found],
        "how it was made": [describe_setting(row) for row, _ in found],
        "status": [row.status for row, _ in found],
    }
    shared = [cells[0] for cells in columns.values() if len(set(cells)) == 1]
    varied = {name: cells for name, cells in columns.items() if len(set(cells)) > 1}
    varied["source"] = [row.source for row, _ in found]
    screen, table = open_screen(), make_table(list(varied), ["value"])
    for *names, (_, text) in zip(*varied.values(), found, strict=True):
        _add_row(table, names, [text])
    print_line(screen, ", ".join([f"{len(found):,} printed numbers", *shared]), "bold")
    print_table(screen, table)
    print_line(
        screen,
        "percent" if not {row.metric for row, _ in found} & RAW else f"percent, but for {', '.join(sorted(RAW))}",
    )


def show(given: argparse.Namespace) -> None:
    """Print a benchmark's table, the best-trusted number of each cell."""
    if given.top < 0:
        raise JudgescaleError(f"--top {given.top}: choose a number of lines, or 0 for all")
    asked = {"benchmark": [given.benchmark], **_read_words(given, [name for name in OPTIONS if name != "benchmark"])}
    found = find_printed(read_printed(), asked)
    _check_one(given.benchmark, [row.benchmark for row, _ in found])
    metric = choose_metric(found)
    of_metric = [(row, text) for row, text in found if row.metric == metric]
    columns = list_columns(of_metric) if not given.section else sorted({row.subset for row, _ in of_metric})
    lines = tabulate_benchmark(of_metric, columns)
    if given.csv:
        with given.csv.open("w", encoding="utf-8", newline="") as file:
            write = csv.writer(file, lineterminator="\n").writerow
            write(["judge", "how", *columns])
            for line in lines:
                write(map(defuse_formula, [line.judge, line.how, *line.cells]))
        print(f"wrote {given.csv}: {len(lines):,} lines")
        return
    screen, shown = open_screen(), lines[: given.top or len(lines)]
    print_line(
        screen, f"{found[0][0].benchmark}, {metric} (%) as printed; of each cell the best-trusted number", "bold"
    )
    table = make_table(["judge", "how (blank: one judgment)"], columns)
    for line in shown:
        _add_row(table, [line.judge, line.how], line.cells)
    print_table(screen, table)
    _explain_marks(screen, "".join(cell for line in shown for cell in line.cells))
    if len(shown) < len(lines):
        print_line(screen, f"{len(lines) - len(shown):,} more lines: --top 0, or --judge WORD")
    if others := sorted({row.metric for row, _ in found} - {metric}):
        print_line(screen, f"other metrics: --metric {', '.join(others)}")


def draw_curve(given: argparse.Namespace) -> None:
    """Draw the curves over k that a judge's printed numbers form."""
    from judgescale.harness.published.drawing import draw_curves

    found = find_printed(
        read_printed(), {"judge": [given.judge], "benchmark": [given.benchmark], "section": [given.section]}
    )
    metric = choose_metric(found)
    found = [(row, text) for row, text in found if row.metric == metric]
    _check_one(given.judge, name_judges(found).values())
    _check_one(given.benchmark, [row.benchmark for row, _ in found])
    _check_one(given.section, [row.subset for row, _ in found])
    for file in draw_curves(found, metric, given.out):
        print(f"wrote {file}")


def _check_one(word: str, names: Iterable[str]) -> None:
    """Raise JudgescaleError where a word means several names, of which one is to be chosen."""
    if len(several := sorted(set(names))) > 1:
        raise JudgescaleError(f"{word}: which one? there are {list_some(several, 12)}")


def show_audit(given: argparse.Namespace) -> None:
    """Print what contradicts itself, a table a kind, or write all of it to a file."""
    found = audit(read_printed())
    if given.csv:
        given.csv.write_text(render_csv(found), encoding="utf-8")
        print(f"wrote {given.csv}: {len(found):,} findings")
        return
    print_findings(open_screen(), found, given.all)


def _add_row(table: Table, names: Sequence[str], numbers: Sequence[str]) -> None:
    from rich.text import Text

    table.add_row(*map(Text, [*names, *numbers]))


def _explain_marks(screen: Console, cells: str) -> None:
    for mark, told in MARKS.items():
        if mark in cells:
            print_line(screen, f"{mark} {told}")


def _read_words(given: argparse.Namespace, options: Iterable[str]) -> dict[str, list[str]]:
    """Read the words of the options that were given, in the order that they narrow the numbers down."""
    return {name: words for name in options if (words := getattr(given, name, None))}


def _list_benchmarks() -> str:
    return list_some(sorted({row.benchmark for row, _ in read_printed()}), 40)


def _write_rows(found: Sequence[Printed], path: Path) -> None:
    """Write rows in the columns of the lists."""
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file, lineterminator="\n").writerow
        write(Row._fields)
        for row, text in found:
            cells = row._replace(owner="yes" if row.owner else "no")._asdict() | {"value": text}  # type: ignore[arg-type]
            write(
                [f"{c:g}" if isinstance(c, float) else "" if c is None else defuse_formula(c) for c in cells.values()]
            )
    print(f"wrote {path}: {len(found):,} numbers")


if __name__ == "__main__":
    main()
