"""python -m harness.recorded: import other people's judgments, show a set, rebuild the shipped sets."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from judgescale.harness.recorded import describe, formats
from judgescale.harness.recorded.importing import import_files
from judgescale.harness.recorded.sets import read, shipped
from judgescale.harness.types import HUMAN, JudgescaleError

EXPLAIN = """\
A recorded set is one small Parquet file of judgments that somebody already paid for: scores, verdicts, labels and ids,
never texts. With engine=recorded a run replays it and costs nothing.

  python -m harness.recorded import judgebench outputs/…o1-mini….jsonl --out o1.parquet
  python -m harness.recorded show o1.parquet
  python run.py engine=recorded engine.path=o1.parquet task=judgebench
"""


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="python -m harness.recorded", description=EXPLAIN, formatter_class=raw)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = [
        f"  {name:<14} {formats.get(name).SUMMARY}\n{'':17}{formats.get(name).EXAMPLE}" for name in formats.names()
    ]
    importer = commands.add_parser(
        "import",
        help="make a set from result files",
        description="Make a set from result files: plain or .gz, a JSON array or one object a line.\n\nformats:\n"
        + "\n".join(listing)
        + "\n\nmore about one: python -m harness.recorded import FORMAT --help",
        formatter_class=raw,
    )
    kinds = importer.add_subparsers(dest="format", required=True, metavar="FORMAT")
    for name in formats.names():
        module = formats.get(name)
        kind = kinds.add_parser(
            name,
            description=module.__doc__,
            epilog=f"example: {module.EXAMPLE}",
            formatter_class=raw,
        )
        kind.add_argument("files", nargs="+", metavar="FILE", help="result files, or folders to search for them")
        kind.add_argument(
            "--out", required=True, metavar="SET.parquet", help="the set to write (replaced if it exists)"
        )
        kind.add_argument("--judge", help="the judge's name, where the files do not say it (or say it differently)")
        add_options = getattr(module, "add_options", None)
        if add_options is not None:
            add_options(kind)

    show = commands.add_parser("show", help="say what a set holds")
    show.add_argument("set", nargs="?", help="a .parquet file or the name of a shipped set; without it, list those")

    build = commands.add_parser("build", help="rebuild the sets in results/recorded from their source files")
    build.add_argument(
        "--data", required=True, metavar="FOLDER", help="the folder with prd_vicuna80/, rewardbench2/, …"
    )
    build.add_argument("--out", metavar="FOLDER", help="where to write (default: results/recorded)")
    build.add_argument("--only", metavar="NAME", action="append", help="one set; may be repeated")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        if options.command == "import":
            _import(options)
        elif options.command == "show":
            _show(options.set)
        else:
            from judgescale.harness.recorded.build import build

            for line in build(Path(options.data), Path(options.out) if options.out else None, options.only):
                print(line)
    except JudgescaleError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except OSError as error:  # a folder without write permission, a full disk
        print(f"{options.command}: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _import(options: argparse.Namespace) -> None:
    records, meta, notes = import_files(options.format, options.files, options.out, options)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    judges = {record.judgment.judge for record in records} - {HUMAN}
    items = len({record.prompt for record in records})
    lost = sum(record.judgment.scores is None for record in records)
    without = f" ({lost:,} without scores)" if lost else ""
    who = ", ".join(sorted(judges)) if len(judges) <= 4 else "see: show"
    path = f"engine.path={options.out}"
    if re.search(r"[^\w./-]", str(options.out)):  # Hydra's grammar and the shell each need their quotes
        path = shlex.quote(f"engine.path='{options.out}'")
    labelled = all(r.gold is not None for r in records) or any(r.judgment.judge == HUMAN for r in records)
    run = f"Run: python run.py engine=recorded {path} task={meta['tasks'][0]}"
    if not judges:
        run = "It has labels but no judge: give the judges' files too."
    elif not labelled:
        run = "It has no labels to score against: give the file with the labels too."
    print(
        f"wrote {options.out}: {items:,} items, {len(records):,} judgments{without}, "
        f"{len(judges)} judge{'s' * (len(judges) != 1)} ({who}). {run}"
    )


def _show(name: str | None) -> None:
    if name is None:
        for shipped_name, path in shipped().items():
            found = read(path)
            print(f"{shipped_name:<24} {len(found.records):>7,} judgments  {found.meta['varies']}")
        return
    found = read(name)
    records, meta = found.records, found.meta
    statuses = Counter(record.judgment.status for record in records)
    subsets = Counter(record.subset for record in {record.prompt: record for record in records}.values())
    sizes = Counter(len(record.responses) for record in {record.prompt: record for record in records}.values())
    print(f"{found.name} ({meta['format']}), {found.path.stat().st_size / 1024:,.0f} KB")
    print(f"  varies     {meta['varies']}")
    print(f"  order      {meta['order']};  judges voted together by default: {'yes' if meta['pool'] else 'no'}")
    print(f"  tasks      {', '.join(meta['tasks'])}")
    few = ", ".join(f"{size} ({count:,})" for size, count in sorted(sizes.items())[:8])
    clusters = len({record.cluster for record in records})
    print(f"  items      {sum(sizes.values()):,} in {clusters:,} clusters; responses an item: {few}")
    if set(subsets) != {""}:
        each = [f"{subset or '(none)'} {count:,}" for subset, count in sorted(subsets.items())]
        print(f"  subsets    {', '.join(each)}")
    print(f"  gold       {'derived by the task' if all(r.gold is None for r in records) else 'in the set'}")
    tally = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
    print(f"  judgments  {len(records):,}: {tally}")
    rows = [
        (
            summary.judge,
            f"{summary.items:,}",
            f"{summary.judgments:,}",
            "-".join(map(str, dict.fromkeys(summary.per_item))),
            str(summary.variants),
            str(summary.orders),
            str(summary.samples),
            ", ".join(f"{n:,} {s}" for s, n in summary.statuses.items() if s != "ok") or "",
        )
        for summary in describe.summarise(records)
    ]
    head = ("judge", "items", "judgments", "an item", "variants", "orders", "samples", "not ok")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        middle = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        print("  " + "  ".join([row[0].ljust(widths[0]), *middle, row[-1]]).rstrip())
    for source in meta["sources"]:
        files = f"{len(source.get('files', []))} files"
        print(
            f"  source     {' '.join(filter(None, (source.get('repo'), source.get('commit', '')[:12], files)))}; "
            f"licence: {source.get('licence') or 'not stated'}"
        )
    if meta["note"]:
        print(f"  note       {meta['note']}")


if __name__ == "__main__":
    sys.exit(main())
