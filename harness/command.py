"""The command line: `judgescale …`, and `python run.py …` in a checkout.

    judgescale [judge=…] [engine=…] [strategy=…] [task=…] [experiment=…]     one run (-m sweeps; --help lists all)
    judgescale recorded …                                                    recorded sets: import, show, build
    judgescale store …                                                       bought answers: show, export, import
    judgescale batch …                                                       batch files of run.batch: send, collect
    judgescale plan RUN_FOLDER …                                             what more judgments would give
    judgescale published …                                                   printed numbers: find, show, curve, audit
    judgescale compare RUN_FOLDER RUN_FOLDER …                               which of finished runs is better
    judgescale leaderboard RUN_FOLDER …                                      many arms ranked, beside printed numbers
    judgescale scorecard EXPERIMENT RUN_FOLDER …                             a paper's table, measured beside printed
    judgescale report FOLDER …                                               any finished runs in one table and figure
    judgescale show RUN_FOLDER ITEM                                          one item: texts, gold, judgments, votes
    judgescale view RUN_FOLDER …                                             open the page of a run, or of several
    judgescale export FORMAT RUN_FOLDER …                                    for other tools, leaderboards and trainers

Prints one line and exits with 1 on anything the caller can mend; JUDGESCALE_DEBUG=1 shows the traceback instead.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from judgescale.harness import ROOT
from judgescale.harness.choices import list_choices
from judgescale.harness.config_files import check_choices, read_configs_checked
from judgescale.harness.redaction import redact_text, refuse_secrets
from judgescale.harness.sweep_options import settle_options

if TYPE_CHECKING:
    from judgescale.harness.types import Result

OmegaConf.register_new_resolver("choices", list_choices, replace=True)  # for conf/hydra/help/

TYPED: ContextVar[tuple[str, ...] | None] = ContextVar("TYPED", default=None)  # the arguments, as they were typed


@hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="config")
def run_job(cfg: DictConfig) -> list[Result] | None:
    """Run one composed config: the whole command, or one job of a sweep."""
    from hydra.core.hydra_config import HydraConfig

    from judgescale.harness.dry import list_judges, show_table
    from judgescale.harness.errors import explain_error
    from judgescale.harness.plan.overrides import check_protocol, compose_arms
    from judgescale.harness.runner import run
    from judgescale.harness.suite import read_suite
    from judgescale.harness.sweep import note_failure, run_job_of_sweep
    from judgescale.harness.sweep_options import leave_out_foreign_options

    job = HydraConfig.get()
    alone, folder = job.mode == RunMode.RUN, Path(job.runtime.output_dir)
    given = OmegaConf.to_container(job.overrides.task, resolve=False)  # a ${…} in them is for the config to resolve
    assert isinstance(given, list)
    try:
        check_protocol(job.runtime.choices)
        if not alone:
            cfg, given = leave_out_foreign_options(cfg, given)
        suite = read_suite(cfg)
        if OmegaConf.select(cfg, "run.dry") and (judges := list_judges(cfg, given)):
            show_table(judges, cfg, given, suite)
            return None
        cfgs = compose_arms(cfg, given, suite.members if suite else None)
        if alone:
            return run(cfgs, folder, suite, command=write_command(given)) or None
        run_job_of_sweep(given, folder, job.job.num, cfgs, suite, write_command(given))
        return None
    except Exception as e:
        if is_debugging():
            raise
        if alone:
            sys.exit(explain_error(e))
        note_failure(given, folder, job.job.num, e)  # the sweep goes on with its other jobs
        return None
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # only if it is empty: nothing was written


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the arguments ask for. Whatever interrupts it is told in one line."""
    from judgescale.harness.stopping import treat_signals_as_ctrl_c

    try:
        treat_signals_as_ctrl_c()
        run_command(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "interrupted: nothing of the run in progress was written", file=sys.stderr)
        sys.exit(130)


def run_command(given: list[str]) -> None:
    """Run what the arguments ask for; without any that chooses, the tour."""
    if given[:1] == ["recorded"]:
        from judgescale.harness.recorded.__main__ import main as run_recorded

        sys.exit(run_recorded(given[1:]))
    if given[:1] == ["store"]:
        from judgescale.harness.store.__main__ import main as run_store

        run_store(given[1:])
        return
    if given[:1] == ["batch"]:
        from judgescale.harness.batch.__main__ import main as run_batch

        run_batch(given[1:])
        return
    if given[:1] == ["plan"]:
        from judgescale.harness.forecast.__main__ import main as run_plan

        run_plan(given[1:])
        return
    if given[:1] == ["published"]:
        from judgescale.harness.published.__main__ import main as run_published

        run_published(given[1:])
        return
    if given[:1] == ["compare"]:
        from judgescale.harness.finished.compare import main as run_compare

        run_compare(given[1:])
        return
    if given[:1] == ["leaderboard"]:
        from judgescale.harness.finished.leaderboard import main as run_leaderboard

        run_leaderboard(given[1:])
        return
    if given[:1] == ["scorecard"]:
        from judgescale.harness.scorecard.__main__ import main as run_scorecard

        run_scorecard(given[1:])
        return
    if given[:1] == ["report"]:
        from judgescale.harness.finished.report import main as run_report

        run_report(given[1:])
        return
    if given[:1] == ["show"]:
        from judgescale.harness.finished.show import main as run_show

        run_show(given[1:])
        return
    if given[:1] == ["export"]:
        from judgescale.harness.exports.__main__ import main as run_export

        run_export(given[1:])
        return
    if given[:1] == ["view"]:
        from judgescale.harness.page.__main__ import main as run_view

        run_view(given[1:])
        return
    if given == ["--version"]:
        from judgescale.harness.signature import find_version

        print(f"judgescale {find_version()}")
        return
    TYPED.set(tuple(given))
    given = ["run.dry=true" if argument == "--dry" else argument for argument in given]
    if not any(map(selects_what_to_run, given)):
        add_beside(given, ["experiment=tour"])
    os.environ["HYDRA_FULL_ERROR"] = "1"  # hydra hands its errors to us instead of printing its own report
    try:
        refuse_secrets(given)  # before Hydra, which writes what it is given to files and names folders after it
        check_choices(given)
        read_configs_checked()
        settled = settle_options(given)
        add_beside(settled, [*name_folders(given), *leave_prices_out(given)])
        sys.argv = [sys.argv[0], *settled]
        run_job()
    except Exception as e:
        if is_debugging():
            raise
        from judgescale.harness.errors import explain_error

        sys.exit(explain_error(e))


def add_beside(arguments: list[str], more: Sequence[str]) -> None:
    """Add overrides before those that are there, for argparse wants them side by side; else at the end."""
    overrides = (i for i, argument in enumerate(arguments) if "=" in argument and not argument.startswith("-"))
    place = next(overrides, len(arguments))
    arguments[place:place] = more


def leave_prices_out(given: Sequence[str]) -> list[str]:
    """Return the override by which --help shows no price list, which is longer than all the rest."""
    asked = any(argument in ("--help", "-h") for argument in given)
    return ["~prices"] if asked and not any(argument.lstrip("+~").startswith("prices") for argument in given) else []


def name_folders(given: Sequence[str]) -> list[str]:
    """Return the override that names a sweep, after which its folder is called; nothing for other runs."""
    from judgescale.harness.sweep import name_sweep
    from judgescale.harness.sweep_options import SWEEP

    named = any(argument.startswith("hydra.job.name=") for argument in given)
    if named or not any(argument in SWEEP for argument in given):
        return []
    return [f"hydra.job.name='{name_sweep(given)}'"]


def write_command(overrides: Sequence[str]) -> str:
    """Write the command line as it was typed, its secrets hidden; in another process of a sweep, its overrides."""
    typed = TYPED.get()
    program = "judgescale" if Path(sys.argv[0]).name != "run.py" else "python run.py"
    return " ".join([program, *(shlex.quote(redact_text(word)) for word in (overrides if typed is None else typed))])


def selects_what_to_run(argument: str) -> bool:
    """Tell whether an argument says what to run, and not only how or where."""
    return "=" in argument and argument.split("=")[0].split(".")[0] not in ("hydra", "run", "seed")


def is_debugging() -> bool:
    """Tell whether the caller wants tracebacks."""
    return bool(os.environ.get("JUDGESCALE_DEBUG"))
