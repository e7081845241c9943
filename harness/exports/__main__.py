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
from judgescale.harness.exports import check_installed, list_formats, load_format
from judgescale.harness.finished.gathering import find_runs
from judgescale.harness.finished.run import FinishedRun, read_run
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.screen import open_screen, print_line
from judgescale.harness.types import JudgescaleError

EXPLAIN = """\
Write finished runs in the formats of other tools. What each holds, and what is lost: docs/exports.md

  judgescale export inspect RUN            then: inspect view --log-dir RUN/export/inspect
  judgescale export lm_eval RUN --out mine

Options of a format: judgescale export FORMAT --help
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what is asked for; exit with one line where the caller can mend what went wrong."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words and not words[0].startswith("-"):
            load_format(words[0])  # argparse says less of one that there is not
        given = build_parser().parse_args(words)
        check_installed(given.format)
        export_runs(given)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def export_runs(given: argparse.Namespace) -> None:
    """Write every run that was asked for, and print the files.

    Raises JudgescaleError where an option is none of a task's, or two runs would be written to one folder.
    """
    screen = open_screen()
    options = list(given.options or ())
    if wrong := [option for option in options if "=" not in option or not option.startswith("task.")]:
        raise JudgescaleError(f"--texts {flatten_text(wrong[0])}: give options of the task, as task.path=FILE")
    places: dict[Path, Path] = {}
    for folder in dict.fromkeys(run for place in given.runs for run in find_runs(place)):
        places[folder] = given.out or folder / "export" / given.format
    if given.out and len(places) > 1:
        places = {folder: given.out / folder.resolve().name for folder in places}
        if len(set(places.values())) < len(places):
            raise JudgescaleError(
                f"--out {given.out}: several of these runs have one name, and would be written to one folder; export"
                " them one by one"
            )
    for folder, out in places.items():
        for path in write_run(read_run(folder, options), out, given):
            print_line(screen, str(path), whole=True)


def write_run(run: FinishedRun, out: Path, given: argparse.Namespace) -> Sequence[Path]:
    """Write a run into a folder, which is made; where the run is refused, no empty folder is left behind."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    try:
        return load_format(given.format).write(run, out, given)
    except BaseException:
        for folder in made:
            if not any(folder.iterdir()):
                folder.rmdir()
        raise


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments: those that all formats share, and each format's own."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="judgescale export", description=EXPLAIN, formatter_class=raw)
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT", title="formats")
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
