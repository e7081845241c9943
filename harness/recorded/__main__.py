"""The commands of recorded sets: import other people's judgments, show a set, rebuild the shipped sets.

    judgescale recorded import|show|build …

In a checkout, `python -m harness.recorded` is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.errors import make_harmless
from judgescale.harness.plain_text import escape_controls
from judgescale.harness.recorded import describe, formats
from judgescale.harness.recorded.build import build_sets
from judgescale.harness.recorded.columns import OK, Columns
from judgescale.harness.recorded.importing import import_files
from judgescale.harness.recorded.sets import RecordedSet, list_shipped_sets, read_set
from judgescale.harness.screen import make_table, open_screen, print_line, print_table
from judgescale.harness.types import HUMAN, STATUSES, JudgescaleError

if TYPE_CHECKING:
    from rich.table import Table

EXPLAIN = """\
A recorded set is one small Parquet file of judgments that somebody already paid for: scores, verdicts, labels and ids,
never texts. With engine=recorded a run replays it and costs nothing.

  judgescale recorded import judgebench outputs/…o1-mini….jsonl --out o1.parquet
  judgescale recorded show o1.parquet
  python run.py engine=recorded engine.path=o1.parquet task=judgebench
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 2, after one line, where the caller can mend what went wrong."""
    options = build_parser().parse_args(argv)
    try:
        if options.command == "import":
            import_set(options)
        elif options.command == "show":
            show_set(options.set) if options.set else show_shipped_sets()
        else:
            for line in build_sets(Path(options.data), Path(options.out) if options.out else None, options.only):
                print(line)
    except JudgescaleError as error:
        print(f"{options.command}: {make_harmless(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except OSError as error:  # a folder without write permission, a full disk
        told = f"{options.command}: {error.filename or ''}: {error.strerror or error}"
        print(make_harmless(told), file=sys.stderr)
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Declare the commands and their arguments; every format is a command below `import`."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="judgescale recorded", description=EXPLAIN, formatter_class=raw)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    found = {name: formats.find_format(name) for name in formats.list_names()}
    listing = [f"  {name:<14} {each.summary}\n{'':17}{each.example}" for name, each in found.items()]
    importer = commands.add_parser(
        "import",
        help="make a set from result files",
        description="Make a set from result files: plain or .gz, a JSON array or one object a line.\n\nformats:\n"
        + "\n".join(listing)
        + "\n\nmore about one: judgescale recorded import FORMAT --help",
        formatter_class=raw,
    )
    kinds = importer.add_subparsers(dest="format", required=True, metavar="FORMAT")
    for name, each in found.items():
        kind = kinds.add_parser(name, description=each.manual, epilog=f"example: {each.example}", formatter_class=raw)
        _add_import_arguments(kind, each)

    show = commands.add_parser("show", help="say what a set holds")
    show.add_argument("set", nargs="?", help="a .parquet file or the name of a shipped set; without it, list those")

    build = commands.add_parser("build", help="rebuild the sets in results/recorded from their source files")
    build.add_argument(
        "--data", required=True, metavar="FOLDER", help="the folder with prd_vicuna80/, rewardbench2/, …"
    )
    build.add_argument("--out", metavar="FOLDER", help="where to write (default: results/recorded)")
    build.add_argument("--only", metavar="NAME", action="append", help="one set; may be repeated")
    return parser


def _add_import_arguments(parser: argparse.ArgumentParser, format_: formats.Format) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="result files, or folders to search for them")
    parser.add_argument("--out", required=True, metavar="SET.parquet", help="the set to write (replaced if it exists)")
    parser.add_argument("--judge", help="the judge's name, where the files do not say it (or say it differently)")
    parser.add_argument("--prompt", help="whose prompt the judges were asked with, as published figures name it")
    parser.add_argument("--temperature", type=float, help="that the judgments were sampled at; 0 = greedy")
    for name, explained in format_.options.items():
        parser.add_argument(f"--{name}", help=explained)


def import_set(options: argparse.Namespace) -> None:
    """Import files as a set, and say in one line what was written and how to run it."""
    columns, meta, notes = import_files(options.format, options.files, options.out, vars(options))
    for note in notes:
        print(f"note: {make_harmless(note)}", file=sys.stderr)
    judges = sorted({*columns.list_judges()} - {HUMAN})
    lost = int((columns.status != OK).sum())
    without = f" ({lost:,} without scores)" if lost else ""
    who = ", ".join(judges) if len(judges) <= 4 else "see: show"
    say(
        f"wrote {options.out}: {len(columns.items):,} items, {len(columns):,} judgments{without}, "
        f"{len(judges)} judge{'s' * (len(judges) != 1)} ({who}). {_suggest_run(options.out, columns, meta)}"
    )


def _suggest_run(out: str, columns: Columns, meta: Mapping[str, Any]) -> str:
    """Say how to run a new set, or what it lacks to be run."""
    judges = columns.list_judges()
    if judges == [HUMAN]:
        return "It has labels but no judge: give the judges' files too."
    if HUMAN not in judges and any(about.gold is None for about in columns.items):
        return "It has no labels to score against: give the file with the labels too."
    from judgescale.harness.plan.proposal import propose_run  # what plans a run takes longer to load than most imports

    try:
        return f"Run: {propose_run(Path(out), meta['tasks'])}"
    except JudgescaleError as error:
        return f"It cannot be run as it is: {make_harmless(str(error))}"


def say(line: str) -> None:
    """Print a line; what it quotes of files cannot steer the terminal."""
    print(escape_controls(line))


def show_shipped_sets() -> None:
    """Print a table of every shipped set."""
    from rich.text import Text

    table = make_table(["set", "what varies between its judgments"], ["judgments"])
    for name, path in list_shipped_sets().items():
        found = read_set(path)
        table.add_row(*map(Text, map(escape_controls, (name, found.meta["varies"]))), f"{len(found.columns):,}")
    print_table(open_screen(), table)


def show_set(name: str) -> None:
    """Print what a set (a file, or a shipped set by its name) says about itself and what can be counted in it."""
    found, screen = read_set(name), open_screen()

    def tell(line: str) -> None:
        """Print one line, control characters escaped."""
        print_line(screen, escape_controls(line))

    tell(f"{found.name} ({found.meta['format']}), {found.path.stat().st_size / 1024:,.0f} KB")
    for line in _describe_items(found):
        tell(line)
    print_table(screen, _make_table_of_judges(found.columns))
    for source in found.meta["sources"]:
        files = f"{len(source.get('files', []))} files"
        tell(
            f"  source     {' '.join(filter(None, (source.get('repo'), source.get('commit', '')[:12], files)))}; "
            f"licence: {source.get('licence') or 'not stated'}"
        )
    if found.meta["note"]:
        tell(f"  note       {found.meta['note']}")


def _describe_items(found: RecordedSet) -> Iterator[str]:
    """Yield what a set says about itself, and what its items are, a line each."""
    columns, meta = found.columns, found.meta
    items = columns.items
    subsets = Counter(about.subset for about in items)
    sizes = Counter(len(about.responses) for about in items)
    statuses = Counter([STATUSES[code] for code in columns.status.tolist()])
    yield f"  varies     {meta['varies']}"
    yield f"  order      {meta['order']};  judges voted together by default: {'yes' if meta['pool'] else 'no'}"
    if meta["pointwise"]:
        yield "  scored     each response alone: a judgment of any of an item's responses"
    yield f"  tasks      {', '.join(meta['tasks'])}"
    asked: dict[str, list[str]] = {}
    for judge, prompt in meta["prompts"].items():
        asked.setdefault(prompt, []).append(judge)
    for prompt, judges in asked.items():
        yield f"  prompt     {prompt}: {', '.join(judges)}"
    if meta["temperature"] is not None:
        yield f"  sampled    at temperature {meta['temperature']:g}"
    few = ", ".join(f"{size} ({count:,})" for size, count in sorted(sizes.items())[:8])
    clusters = len({about.cluster for about in items})
    yield f"  items      {len(items):,} in {clusters:,} clusters; responses an item: {few}"
    if set(subsets) != {""}:
        each = [f"{subset or '(none)'} {count:,}" for subset, count in sorted(subsets.items())]
        yield f"  subsets    {', '.join(each)}"
    yield f"  gold       {'derived by the task' if all(about.gold is None for about in items) else 'in the set'}"
    tally = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
    yield f"  judgments  {len(columns):,}: {tally}"


def _make_table_of_judges(columns: Columns) -> Table:
    """Make a table with a row a judge."""
    from rich.text import Text

    table = make_table(
        ["judge", "not ok"], ["items", "judg-\nments", "an\nitem", "vari-\nants", "orders", "sam-\nples"]
    )
    for summary in describe.summarise_judges(columns):
        lost = [f"{count:,} {status}" for status, count in summary.statuses.items() if status != "ok"]
        counts = (summary.variants, summary.orders, summary.samples)
        table.add_row(
            Text(escape_controls(summary.judge)),
            Text("\n".join(lost)),
            f"{summary.items:,}",
            f"{summary.judgments:,}",
            "-".join(map(str, dict.fromkeys(summary.per_item))),
            *map(str, counts),
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
