"""The command that writes finished runs in the formats of other tools.

    judgescale export FORMAT RUN_FOLDER …

In a checkout, `python -m harness.exports` is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from judgescale.harness.errors import explain_error
from judgescale.harness.exports import list_formats, load_format
from judgescale.harness.finished.gathering import find_runs
from judgescale.harness.finished.run import read_run
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.screen import open_screen, print_line
from judgescale.harness.types import JudgescaleError


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what is asked for; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    screen = open_screen()
    try:
        runs = list(dict.fromkeys(run for place in given.runs for run in find_runs(place)))
        options = [option for option in given.options or () if "=" in option and option.startswith("task.")]
        if wrong := [option for option in given.options or () if option not in options]:
            raise JudgescaleError(f"--texts {flatten_text(wrong[0])}: give options of the task, as task.path=FILE")
        for folder in runs:
            out = given.out or folder / "export" / given.format
            if given.out and len(runs) > 1:
                out /= folder.name
            out.mkdir(parents=True, exist_ok=True)
            for path in load_format(given.format).write(read_run(folder, options), out, given):
                print_line(screen, str(path), whole=True)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments: those that all formats share, and each format's own."""
    parser = argparse.ArgumentParser(prog="judgescale export", description="Write finished runs for other tools.")
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
    for name in list_formats():
        kind = load_format(name)
        one = formats.add_parser(name, help=kind.explain, description=kind.explain)
        one.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="the folder of a run, or of such folders")
        one.add_argument("--out", type=Path, metavar="FOLDER", help="where to write; RUN/export/FORMAT if not given")
        texts = "where the items' texts are, if they moved or were recorded by name: task.path=FILE"
        one.add_argument("--texts", dest="options", action="append", metavar="task.OPTION=VALUE", help=texts)
        kind.add_arguments(one)
    return parser


if __name__ == "__main__":
    main()
