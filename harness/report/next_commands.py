"""Two commands worth trying after a run."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path

from judgescale.harness import ROOT
from judgescale.harness.arm import Arm
from judgescale.harness.types import Result

OF_THIS_RUN = ("strategy=", "strategy.", "compare=", "hydra.", "-")  # how words begin that another run does not repeat


def suggest(
    result: Result, arm: Arm, folder: Path, tried: Collection[str] = (), command: str | None = None
) -> list[str]:
    """Suggest what differs from this run on the same items, and where to read on.

    tried: the strategies that the run has compared on the arm's task. command: its command line, where it had one.
    """
    data = arm.judgments.data.path
    if not arm.bill:
        shown = data.resolve().relative_to(ROOT) if data.resolve().is_relative_to(ROOT) else data
        return [compare(result, arm, f"engine.path={shown}{choose_part(arm)}", tried), "python run.py --help"]
    if arm.as_bought and command and arm.strategy.next_try not in tried:
        return [ask_what_it_costs(arm, command), f"judgescale store show {data}"]
    recorded = next(iter(sorted(folder.glob("recorded*.parquet"))))
    return [compare(result, arm, f"engine.path={recorded}", tried), f"judgescale store show {data}"]


def compare(result: Result, arm: Arm, judgments: str, tried: Collection[str]) -> str:
    """Write the command that sets a second strategy beside the arm's.

    Where its judgments can answer no other, or the other has been tried, it sets a second protocol beside the arm's.
    """
    start, strategy = f"python run.py -m task={result.task}", f"strategy={arm.strategy.name}"
    if arm.as_bought and arm.strategy.measured:  # only the same rule finds all that it asks for
        knobs = {f.name: getattr(arm.strategy, f.name) for f in fields(arm.strategy)}
        strategy += "".join(f" strategy.{name}={value}" for name, value in knobs.items() if value is not None)
    if arm.strategy.calibrated:  # no other asks judges in order
        names = "" if arm.judgments.data.chosen else choose_judges(arm)
        return f"{start} {judgments}{names} judge.pool=in_order {strategy} strategy.target=0.8,0.9"
    if arm.as_bought or arm.strategy.next_try in tried:
        other = "common" if arm.rules.name != "common" else arm.task.name
        return f"{start} protocol={arm.rules.name},{other} {judgments} {strategy}"
    protocol = "" if arm.rules.name == arm.task.name else f" protocol={arm.rules.name}"
    return f"{start}{protocol} {judgments} {strategy},{arm.strategy.next_try}"


def choose_part(arm: Arm) -> str:
    """Write the options that choose the arm's part of a recorded set, each after a space; empty where that is all."""
    chosen = arm.judgments.data.chosen
    if not chosen:
        return ""
    words = [f"judge.variants=[{chosen['variants']}]"] if "variants" in chosen else []
    words += [f"judge.{name}={chosen[name]}" for name in ("samples", "steps") if name in chosen]
    return choose_judges(arm) + "".join(f" {shlex.quote(word)}" for word in words)


def choose_judges(arm: Arm) -> str:
    """Write the option that chooses the arm's judges, after a space."""
    return " " + shlex.quote(f"judge.names=[{','.join(arm.judgments.judges)}]")


def ask_what_it_costs(arm: Arm, command: str) -> str:
    """Write the command that says what another strategy would have to buy, where this one bought what it asked only."""
    program = "python run.py " if command.startswith("python run.py") else "judgescale "
    words = [word for word in shlex.split(command.removeprefix(program)) if not word.startswith(OF_THIS_RUN)]
    words += [f"strategy={arm.strategy.next_try}", f"strategy.k={arm.k}"]
    return f"{program}{shlex.join(words)} --dry"
