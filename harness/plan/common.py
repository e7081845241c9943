"""What plans of recorded and of live arms share: task, strategy, rules, the numbers of the run, and the curve's ks."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from judgescale.harness import ROOT
from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation.credits import credits_ties, describe_ties
from judgescale.harness.options import build, load_rules, make, read_count, read_seed, suggest_strategies
from judgescale.harness.plan.trial import try_strategy
from judgescale.harness.stats.intervals import HEADLINES
from judgescale.harness.types import OWN_TIE, TIES, Item, JudgescaleError, MisfitError, Rules, Task

FOR_HARNESS = ("recorded", "subsets", "release")  # options of a task that its own code does not see
GLOBAL = ("local", "experiment")  # groups whose files set the options of others
EVERY_K_UP_TO = 8  # longer curves of replayed strategies are read off at 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, …


def refuse_unknown_options(cfg: DictConfig) -> None:
    """Raise JudgescaleError for what conf/config.yaml does not have: a `+` or a config file would add it for nothing.

    Options within judge, engine, strategy, task and protocol are checked by what they are for.
    """
    for place, names in list_known_options().items():
        here = OmegaConf.select(cfg, place.rstrip(".")) if place else cfg
        if place in ("data.", "run.") and not isinstance(here, DictConfig):
            raise JudgescaleError(f"{place[:-1]}={here}: must hold options: {', '.join(names)}")
        for name in map(str, here if isinstance(here, DictConfig) else ()):
            if name not in names:
                close = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean {place}{close[0]}?" if close else f"there are {', '.join(names)}"
                if f"{place}{name}" in GLOBAL:
                    hint = "its file must begin with # @package _global_"
                raise JudgescaleError(f"{place}{name}: no such option{'' if place else ' or group'}; {hint}")


@cache
def list_known_options() -> dict[str, list[str]]:
    """List the options and groups that conf/config.yaml has, by the place they are in."""
    ours: Any = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "config.yaml"))
    groups = [next(iter(entry)).split()[-1] for entry in ours.pop("defaults") if isinstance(entry, dict)]
    groups = [name for name in groups if "/" not in name and name not in GLOBAL]
    known = {"": list(dict.fromkeys([*groups, *ours]))}
    known |= {f"{place}.": list(ours[place]) for place in ("data", "run")}
    return known | {"run.budget.": list(ours["run"]["budget"])}


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
    tie: str | None = None  # strategy.tie, where the command line gives it
    about: tuple[str, ...] = ()  # what a reader must know of the options


def read_shared(cfg: DictConfig) -> Shared:
    """Build task, strategy and rules of a config, and check the numbers of the run.

    Raises JudgescaleError naming the option that does not fit.
    """
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
    owners_rules, about = tuple(map(load_rules, task.protocols)), tuple(note_unread_options(cfg, strategy))
    return Shared(task, strategy, rules, owners_rules, numbers, tie, about)


def note_unread_options(cfg: DictConfig, strategy: Strategy) -> list[str]:
    """Note the options that a strategy of a fixed k has only because one sweep serves every strategy."""
    k = strategy.fixed_k
    if k is None:
        return []
    notes = []
    if cfg.strategy.get("k") not in (None, k):
        notes.append(f"strategy={strategy.name} takes {k}, whatever strategy.k={cfg.strategy.k} says.")
    if k == 1 and "unusable" in cfg.strategy and cfg.strategy.unusable != cfg.protocol.unusable:
        notes.append(
            f"strategy.unusable={cfg.strategy.unusable} is about votes, and strategy={strategy.name} takes none."
        )
    return notes


def settle_ties(shared: Shared, items: Sequence[Item]) -> Shared:
    """Return the same with rules that leave ties to the task, where nothing about these items is credited as a tie.

    Raises JudgescaleError for a strategy.tie that would change nothing, and for rules that leave ties to a task that
    leaves them to the rules.
    """
    task, rules = shared.task, shared.rules
    credited = credits_ties(task, rules, items)
    if shared.tie and not (credited and shared.strategy.may_tie):
        why = f"with strategy={shared.strategy.name}, which breaks every tie itself"
        if not credited:
            why = f"on task={task.name}, where a split vote {describe_ties(task, items) or 'is not credited as a tie'}"
        raise JudgescaleError(f"strategy.tie={shared.tie}: changes nothing {why}; leave it out")
    if not credited:
        own = (dataclasses.replace(theirs, tie=OWN_TIE) for theirs in shared.owners_rules)
        return shared._replace(rules=dataclasses.replace(rules, tie=OWN_TIE), owners_rules=tuple(own))
    if rules.tie == OWN_TIE:
        raise JudgescaleError(
            f"protocol={rules.name} leaves ties to the task, and task={task.name} has no class for them: take another"
            " protocol, or protocol.tie=zero, half or share"
        )
    return shared


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


def refuse_few_responses(strategy: Strategy, item: Item) -> MisfitError:
    """Make the error for an item about which a strategy has nothing to ask."""
    return MisfitError(
        f"strategy={strategy.name} needs at least 2 responses and item {item.id} has {len(item.responses)};"
        f" use {suggest_strategies(len(item.responses), range(1, len(item.responses) + 1))}"
    )
