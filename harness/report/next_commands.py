"""Two commands worth trying after a run."""

from __future__ import annotations

from pathlib import Path

from judgescale.harness.arm import Arm
from judgescale.harness.options import ROOT
from judgescale.harness.types import Result


def suggest(result: Result, arm: Arm, folder: Path) -> list[str]:
    """Suggest another strategy on the same judgments, where they allow one, and where to read on."""
    data = arm.judgments.data.path
    task = result.task if arm.rules.name == arm.task.name else f"{result.task} protocol={arm.rules.name}"
    strategy = arm.strategy.name if arm.as_bought else arm.strategy.next_try
    if arm.bill:
        recorded = next(iter(sorted(folder.glob("recorded*.parquet"))))
        return [
            f"python run.py task={task} engine.path={recorded} strategy={strategy}",
            f"judgescale store show {data}",
        ]
    if max(point.k for point in result.curve) == 1 and arm.strategy.fixed_k is None:
        return ["python run.py", "python run.py --help"]
    shown = data.resolve().relative_to(ROOT) if data.resolve().is_relative_to(ROOT) else data
    return [f"python run.py task={task} engine.path={shown} strategy={strategy}", "python run.py --help"]
