"""One run: plan every arm, evaluate them, write what was found and show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from omegaconf import DictConfig, OmegaConf

from harness.plan import Arm, arms
from harness.types import Result

PAIRWISE_NOTES = 6  # with more arms on a task, comparing each with the first says little and prints much


def run(cfgs: Sequence[DictConfig], folder: Path, show: bool = True) -> list[Result]:
    """Evaluate the arms of all configs and write what was found to `folder`.

    Raises JudgescaleError, before any work where that is possible.
    """
    planned = [arm for cfg in cfgs for arm in arms(cfg)]
    from harness.report import files, terminal

    results = evaluate_all(planned)
    files.write(results, folder, OmegaConf.to_yaml(cfgs[0], resolve=True))
    if show:
        terminal.show(results, folder, next_commands(results, planned[0].engine.data.path))
    return results


def evaluate_all(planned: Sequence[Arm]) -> list[Result]:
    """Evaluate every arm under one progress bar; arms of the same task are compared with its first."""
    import dataclasses

    from harness.estimates import Credits, difference
    from harness.evaluate import evaluate
    from harness.report import terminal

    found = []
    with terminal.progress("judging", sum(len(arm.items) * len(arm.ks) for arm in planned)) as bar:
        for arm in planned:
            found.append((arm, *evaluate(arm, lambda: bar.advance(bar.task_ids[0]))))
    results = []
    groups: dict[tuple[str, Path], list[tuple[Arm, Result, Credits]]] = {}
    for arm, result, credits in found:
        groups.setdefault((arm.task.name, arm.engine.data.path), []).append((arm, result, credits))
    for same in groups.values():
        (first, result, base), *others = same
        results.append(result)
        for arm, result, credits in others:
            notes = list(result.notes)
            told = arm.strategy.name == "meta_voting" and first.strategy.name == "voting" and arm.k == first.k
            if not told and len(same) <= PAIRWISE_NOTES and np.array_equal(credits.units.cluster, base.units.cluster):
                names = [label(a, first.judge != arm.judge) for a in (arm, first)]
                at_k = [c.at(a.ks.index(a.k)) for a, c in ((arm, credits), (first, base))]
                notes.append(difference(arm, " - ".join(names), *at_k))
            results.append(dataclasses.replace(result, notes=notes))
    return results


def label(arm: Arm, by_judge: bool) -> str:
    return arm.judge if by_judge else f"{arm.strategy.name} at k={arm.k}"


def next_commands(results: Sequence[Result], data: Path) -> list[str]:
    """Two commands worth trying after this run."""
    first = results[0]
    if first.task.startswith("vicuna80"):
        return [
            "python run.py -m strategy=single,voting,meta_voting,elo,knockout",
            "python run.py experiment=rewardbench2_scalar",
        ]
    source = "" if data.parent.name == "recorded" else f" engine.path={data}"
    other = {"voting": "meta_voting", "single": "voting"}.get(first.strategy, "single")
    if max(point.k for point in first.curve) > 1 or first.strategy == "single":
        return [f"python run.py task={first.task}{source} strategy={other}", "python run.py --help"]
    return ["python run.py", "python run.py --help"]
