"""The command that opens the page of finished runs.

    judgescale view RUN_FOLDER …

In a checkout, `python -m harness.page` is the same.
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from judgescale.harness.errors import explain_error
from judgescale.harness.finished.gathering import find_runs
from judgescale.harness.page.write import NAME, write_page_of
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.screen import open_screen, print_line
from judgescale.harness.types import JudgescaleError

EXPLAIN = """\
Open the page of a finished run in the browser: report.html, which loads nothing and sends nothing.

  judgescale view results/runs/2026-11-28/A            its page, written where it is not there
  judgescale view RUN task.path=LLMBar/Dataset         with the texts of items that were recorded by name
  judgescale view RUN_A RUN_B --out FOLDER             both runs side by side, on one page
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Open the page, after writing it where it is not there; exit with one line where the caller can mend it."""
    given = build_parser().parse_args(arguments)
    try:
        path = find_page(given)
        print_line(open_screen(), str(path), whole=True)
        if given.open and not webbrowser.open(path.absolute().as_uri()):
            print_line(open_screen(), "no browser is to be found here; open the file in one", "dim")
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="judgescale view", description=EXPLAIN, formatter_class=raw)
    about = "the folder of a run, or of such folders; and options as task.path=FILE, where texts are that are not there"
    parser.add_argument("runs", nargs="+", metavar="RUN", help=about)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"write {NAME} there, and leave the run's as it is")
    parser.add_argument("--again", action="store_true", help="write it again though it is there")
    parser.add_argument("--no-texts", dest="texts", action="store_false", help="leave questions and answers out")
    parser.add_argument("--no-open", dest="open", action="store_false", help="write it, and open no browser")
    return parser


def find_page(given: argparse.Namespace) -> Path:
    """Return the page that is asked for, written if it is not there, or is to be another. Raises JudgescaleError."""
    options = [word for word in given.runs if word.startswith("task.") and "=" in word and not Path(word).exists()]
    places = [Path(word) for word in given.runs if word not in options]
    if wrong := [word for word in map(str, places) if "=" in word and not Path(word).exists()]:
        raise JudgescaleError(f"{flatten_text(wrong[0])}: give only options of the task here, as task.path=FILE")
    if not places:
        raise JudgescaleError("give the folder of a finished run, before the options of its task")
    runs = list(dict.fromkeys(run for place in places for run in find_runs(place)))
    folder = given.out or (places[0] if len(places) == 1 else runs[0])
    if folder.exists() and not folder.is_dir():
        raise JudgescaleError(f"--out {folder}: a file; give a folder")
    path = folder / (NAME if given.out or len(places) == 1 else name_together(runs))
    if path.is_file() and not (given.again or given.out or options or not given.texts or len(places) > 1):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    write_page_of(runs, path, given.texts, options)
    return path


def name_together(runs: Sequence[Path]) -> str:
    """Name the page of several runs, in the folder of the first."""
    others = [run.absolute().name for run in runs[1:]]
    return f"report-beside-{others[0]}{f'-and-{len(others) - 1}' if len(others) > 1 else ''}.html"


if __name__ == "__main__":
    main()
