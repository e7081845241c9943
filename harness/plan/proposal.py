"""Find a command that runs a recorded set: each that is proposed was planned, so that none is proposed in vain."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from judgescale.harness import ROOT
from judgescale.harness.arm import Arm
from judgescale.harness.options import write_override
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.overrides import compose_config
from judgescale.harness.plan.recorded import forget_sets
from judgescale.harness.types import JudgescaleError


def propose_run(path: Path, tasks: Sequence[str]) -> str:
    """Return the first command that can be planned: the tasks in turn, each with the default strategy, then others.

    One that leaves out items which a judge did not judge as the strategy needs them gives way to one that leaves out
    fewer.

    Raises JudgescaleError, the one of the first task with the default strategy, where none can.
    """
    forget_sets()
    first: JudgescaleError | None = None
    best: tuple[int, str] | None = None  # items left out, command
    running = GlobalHydra.instance().is_initialized()  # then it looks in the folders of that command line as well
    with nullcontext() if running else initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        found = GlobalHydra.instance().config_loader().get_group_options("strategy")
        others = sorted(found, key=lambda name: name != "elo")  # of games, a round robin leaves out none
        for task in tasks:
            for strategy in ([], *([f"strategy={name}"] for name in others)):
                said = ["engine=recorded", write_override("engine.path", path), f"task={task}", *strategy]
                try:
                    arms = plan_arms(compose_config([shlex.split(word)[0] for word in said]))
                except JudgescaleError as error:
                    first = first or error
                    continue
                left_out = sum(arm.left_out for arm in arms if isinstance(arm, Arm))
                if best is None or left_out < best[0]:
                    best = left_out, f"python run.py {' '.join(said)}"
                if not left_out:
                    return best[1]
    if best:
        return best[1]
    raise first or JudgescaleError(f"{path}: names no task")
