"""The command that fills a paper's table.

    judgescale scorecard EXPERIMENT RUN RUN …
    judgescale scorecard --source "arXiv 2504.02495v3 Table 2" RUN …

In a checkout, `python -m harness.scorecard` is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from judgescale.harness.errors import explain_error
from judgescale.harness.published.find import OPTIONS
from judgescale.harness.scorecard.block import read_table
from judgescale.harness.scorecard.card import fill_table
from judgescale.harness.scorecard.layout import COLUMNS, PrintedTable, lay_out
from judgescale.harness.scorecard.measured import read_runs
from judgescale.harness.scorecard.render import render_files
from judgescale.harness.scorecard.show import show_scorecard
from judgescale.harness.types import JudgescaleError

EXPLAIN = """\
Show a printed table with what finished runs measured beside every number; a cell that nobody ran stays empty.

  judgescale scorecard EXPERIMENT                                        the table that an experiment is to fill
  judgescale scorecard EXPERIMENT results/runs/2026-11-28/A              filled by a run, or by several of any day
  judgescale scorecard --benchmark PandaLM --judge PandaLM-7B RUN        any printed table, by the words of
                                                                         judgescale published find
RUN is the folder of a finished run: all its arms. RUN:ARM takes one of them, by its number or its name, @K only its
numbers at that k. A recorded set (FILE.parquet) may stand in place of a run: it is evaluated as its first task says.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a scorecard; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_intermixed_args(arguments)
    try:
        words = {name: asked for name in OPTIONS if (asked := getattr(given, name))}
        experiment, runs = ("", given.what) if words else split_experiment(given.what)
        if words:
            table = lay_out(words, given.title, given.columns)
        else:
            table = read_experiment(experiment, given.config_dir)
        card = fill_table(table, read_runs(runs))
        if given.out:
            from judgescale.harness.finished.wording import write_files

            write_files(given.out, render_files(card))
        show_scorecard(card)
        if given.out:
            print(f"{given.out}/")
    except (JudgescaleError, OSError, HydraException, OmegaConfBaseException) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="judgescale scorecard", description=EXPLAIN, formatter_class=raw)
    parser.add_argument(
        "what",
        nargs="*",
        metavar="EXPERIMENT | RUN[:ARM][@K]",
        help="an experiment (unless words are given), then runs",
    )
    for name in OPTIONS:
        parser.add_argument(f"--{name}", action="append", metavar="WORD", help="as judgescale published find has it")
    parser.add_argument("--columns", choices=COLUMNS, default="", help="what stands across (default: what varies)")
    parser.add_argument("--title", default="", metavar="TEXT", help="default: the words")
    parser.add_argument("--config-dir", type=Path, metavar="FOLDER", help="where experiments of your own are")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write scorecard.{md,tex,csv} there")
    return parser


def split_experiment(what: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split the experiment from the runs. Raises JudgescaleError where there is none."""
    if not what:
        options = ", ".join(f"--{name}" for name in OPTIONS)
        raise JudgescaleError(f"say which printed table: the name of an experiment, or words: {options}")
    return what[0], what[1:]


def read_experiment(name: str, folder: Path | None) -> PrintedTable:
    """Read the printed table that an experiment of conf/experiment/, or of a folder of one's own, is to fill."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from judgescale.harness import ROOT
    from judgescale.harness.options import write_override
    from judgescale.harness.plan.overrides import compose_config

    if Path(name).exists():
        raise JudgescaleError(
            f"{name}: a file or folder where an experiment's name, or --benchmark … and the like, must be"
        )
    where = [f"hydra.searchpath=[file://{folder.resolve()}]"] if folder else []
    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        table = read_table(compose_config([write_override("experiment", name), *where]))
    if table is None:
        raise JudgescaleError(f"experiment={name}: has no scorecard, which names the printed table that it is to fill")
    return table


if __name__ == "__main__":
    main()
