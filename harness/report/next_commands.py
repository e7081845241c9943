"""Two commands worth trying after a run."""

from __future__ import annotations

from pathlib import Path

from judgescale.harness import ROOT
from judgescale.harness.arm import Arm
from judgescale.harness.types import Result


def suggest(result: Result, arm: Arm, folder: Path) -> list[str]:
    """Suggest another strategy beside this one on the same judgments, and where to read on."""
    data = arm.judgments.data.path
    task = f"task={result.task}" if arm.rules.name == arm.task.name else f"task={result.task} protocol={arm.rules.name}"
    if arm.bill:
        recorded = next(iter(sorted(folder.glob("recorded*.parquet"))))
        return [compare_strategies(arm, f"{task} engine.path={recorded}"), f"judgescale store show {data}"]
    shown = data.resolve().relative_to(ROOT) if data.resolve().is_relative_to(ROOT) else data
    return [compare_strategies(arm, f"{task} engine.path={shown}"), "python run.py --help"]


def compare_strategies(arm: Arm, judgments: str) -> str:
    """Write the command that sets a second strategy beside the arm's, where its judgments can answer one."""
    if arm.as_bought:
        return f"python run.py {judgments} strategy={arm.strategy.name}"
    return f"python run.py -m {judgments} strategy={arm.strategy.name},{arm.strategy.next_try}"
