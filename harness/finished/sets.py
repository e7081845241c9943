"""Evaluate a recorded set as if it were a finished run: every judge in it, by the first of its tasks."""

from __future__ import annotations

import dataclasses
import json
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from judgescale.harness import ROOT
from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.finished.reading import Judged, read_arms
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.overrides import compose_config
from judgescale.harness.plan.proposal import propose_run
from judgescale.harness.recorded import read_set
from judgescale.harness.report.files import make_summary, write_credits
from judgescale.harness.types import JudgescaleError


def read_set_arms(path: Path, wanted: str = "", k: int | None = None) -> list[Judged]:
    """Read the arms of the run that is proposed for a recorded set, as `read_arms` reads those of a finished one.

    Raises JudgescaleError where nothing can be made of the set, or where it has no such arm or k.
    """
    with finish_set(path) as folder:
        found = read_arms(folder, wanted, k)
    return [dataclasses.replace(arm, folder=path) for arm in found]


@contextmanager
def finish_set(path: Path) -> Iterator[Path]:
    """Evaluate a recorded set as the run that is proposed for it, and yield a folder as that run would leave it.

    What is raised about the folder names the set. Raises JudgescaleError where nothing can be made of the set.
    """
    tasks = read_set(path).meta.get("tasks") or []
    if not tasks:
        raise JudgescaleError(f"{path}: the set names no task; run it with one, and give the folder of that run")
    overrides = shlex.split(propose_run(path, tasks))[2:]  # after "python run.py"
    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        arms = plan_arms(compose_config(overrides))
    results = [evaluate(arm)[0] for arm in arms if isinstance(arm, Arm)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_credits(results, folder / "credits.parquet")
        (folder / "summary.json").write_text(json.dumps(make_summary(results)), encoding="utf-8")
        try:
            yield folder
        except JudgescaleError as error:
            raise JudgescaleError(str(error).replace(str(folder), str(path))) from None
