"""What plans of recorded and of live arms share: task, strategy, rules, the numbers of the run, and the curve's ks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from judgescale.harness import ROOT
from judgescale.harness.contracts import Strategy
from judgescale.harness.options import build, check_run_options, load_choice, make, read_count, read_seed
from judgescale.harness.plan.trial import try_strategy
from judgescale.harness.stats.intervals import HEADLINES
from judgescale.harness.types import TIES, Item, JudgescaleError, Rules, Task

FOR_HARNESS = ("recorded", "subsets", "release")  # options of a task that its own code does not see
EVERY_K_UP_TO = 8  # longer curves of replayed strategies are read off at 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, …


class Numbers(NamedTuple):
    """Hold the numbers of a run that its arms share."""

    seed: int  # of the strategy
    draws: int


class Shared(NamedTuple):
    """Hold what every arm has, however its judgments are had."""

    task: Task
    strategy: Strategy
    rules: Rules
    owners_rules: tuple[Rules, ...]
    numbers: Numbers


def read_shared(cfg: DictConfig) -> Shared:
    """Build task, strategy and rules of a config, and check the numbers of the run.

    Raises JudgescaleError naming the option that does not fit.
    """
    check_run_options(cfg)
    read_seed(cfg, "seed")
    numbers = Numbers(
        seed=read_seed(cfg, "strategy.seed") if "seed" in cfg.strategy else cfg.seed,
        draws=read_count(cfg, "run.draws", 2),
    )
    task: Task = build(cfg.task, "task", drop=FOR_HARNESS)
    if (tie := cfg.strategy.get("tie")) not in (None, *TIES):
        raise JudgescaleError(f"strategy.tie={tie}: choose zero, half, share or null (the protocol's)")
    rules = make(Rules, {**cfg.protocol, **({"tie": tie} if tie else {})}, "protocol")
    if rules.rollup not in (*HEADLINES, *task.rollups):
        known = ", ".join((*HEADLINES, *task.rollups))
        raise JudgescaleError(f"protocol.rollup={rules.rollup}: task={task.name} can be rolled up by {known}")
    strategy: Strategy = build(cfg.strategy, "strategy", drop=("tie", "seed"))
    try_strategy(strategy)
    rules = dataclasses.replace(rules, unusable=strategy.unusable or rules.unusable)
    return Shared(task, strategy, rules, tuple(map(load_rules, task.protocols)), numbers)


@cache
def load_rules(name: str) -> Rules:
    """Load a protocol by its name in conf/protocol/, here or in a folder given with --config-dir."""
    common = OmegaConf.load(ROOT / "conf" / "config.yaml").protocol  # holds what a protocol does not say
    options: dict[str, Any] = {**common, **load_choice("protocol", name)}
    return make(Rules, options, "protocol")


def list_ks(asked: Sequence[int] | int | None, k: int, shared: int, strategy: Strategy) -> tuple[int, ...]:
    """List where to read the curve off: what was asked, or every k up to what all items have, always including k."""
    if strategy.fixed_k is not None:
        return (strategy.fixed_k,)
    if asked is not None:
        asked = [asked] if isinstance(asked, int) else asked
        for point in asked:
            if type(point) is not int or not 1 <= point <= shared:
                raise JudgescaleError(f"run.ks={list(asked)}: {point} is not between 1 and the {shared} recorded")
        return tuple(sorted({*asked, k}))
    every = range(1, max(k, shared) + 1)
    if strategy.closed_form or len(every) <= EVERY_K_UP_TO:
        return tuple(every)
    return tuple(sorted({p for p in every if bin(p)[2:].strip("0") in ("1", "11")} | {k, every[-1]}))


def refuse_few_responses(strategy: Strategy, item: Item) -> JudgescaleError:
    """Make the error for an item about which a strategy has nothing to ask."""
    return JudgescaleError(
        f"strategy={strategy.name} needs at least 2 responses and item {item.id} has {len(item.responses)};"
        " use strategy=single, voting or meta_voting"
    )
