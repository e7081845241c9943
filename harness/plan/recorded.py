"""Arms of a recorded set: which of its judges, which of its judgments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig
from omegaconf.errors import InterpolationToMissingValueError

from judgescale.harness import recorded
from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.options import build, find_file, write_override
from judgescale.harness.plan.common import Shared, list_ks, read_shared, refuse_few_responses, settle_ties
from judgescale.harness.plan.coverage import Coverage, keep_judged_items
from judgescale.harness.plan.items import Selection, choose_edition, select_items
from judgescale.harness.plan.juries import choose_judges, count_in_order, find_costs, share_judgments
from judgescale.harness.recorded import source
from judgescale.harness.recorded.choosing import take_part
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.stats.steps import RULES
from judgescale.harness.types import Item, JudgescaleError, MisfitError, MissingData, Task

OPTIONS = ("names", "variants", "samples", "steps", "pool", "costs")  # of judge=recorded
CUSTOM = "custom"  # the task of sets that are of no benchmark

sha256 = lru_cache(source.hash_content)  # which version of a set a number comes from


def plan_recorded_arms(cfg: DictConfig) -> list[Arm]:
    """Plan the arms of a recorded set: one, or one for each judge. Raises JudgescaleError for whatever cannot work."""
    given = read_set_path(cfg)
    build(cfg.engine, "engine")
    refuse_unread_options(cfg)
    path = find_file(given)
    data, shared = read_once(path), read_shared(cfg)
    refuse_foreign_set(data, shared.task)
    if not (loaded := shared.task.load(data)):
        raise JudgescaleError(f"{data.path}: no item for task={shared.task.name}")
    shared = shared._replace(task=choose_edition(shared.task, loaded))
    if cfg.meta.get("_target_") and shared.strategy.meta_rm == "recorded":
        shared = shared._replace(about=(*shared.about, "The meta RM is not asked: its scores are those in the set."))
    selection = select_items(cfg, shared.task, shared.rules, loaded)
    groups = choose_judges(data, cfg.judge.get("names"), cfg.judge.get("pool"), shared.strategy)
    every = tuple(sorted({name for names in groups.values() for name in names}))
    chosen = (path, every, *read_part(cfg.judge))
    part = take_part_once(*chosen)
    judgments = {name_part(label, part): find_judgments(judges, *chosen) for label, judges in groups.items()}
    costs = find_costs(cfg.judge.get("costs"), cfg.judge.get("pool"), cfg.prices, data, part)
    return make_arms(judgments, shared, selection, cfg.run.ks, sha256(data.path), cfg.judge.get("pool"), costs)


def read_set_path(cfg: DictConfig) -> str:
    """Read engine.path. Raises MissingData where it is not given and the task has no shipped set."""
    try:
        given = cfg.engine.path
    except InterpolationToMissingValueError:
        raise MissingData(
            "this task has no shipped set: give one with engine.path=SET.parquet, or name a live judge, as in"
            " judge=smollm2 (in a suite task.sets.NAME)",
            option="engine.path",
        ) from None
    if not isinstance(given, str):
        raise JudgescaleError("engine.path: name a recorded set (SET.parquet)")
    return given


def refuse_unread_options(cfg: DictConfig) -> None:
    """Raise JudgescaleError for an option that only live judges have, and so would change nothing."""
    if unknown := [name for name in cfg.judge if name not in OPTIONS]:
        known = ", ".join(OPTIONS)
        raise JudgescaleError(f"judge.{unknown[0]}: judge=recorded has no such option; it has {known}")
    asked = [f"task.{name}={cfg.task[name]}" for name in ("path", "prior_path") if cfg.task.get(name) is not None]
    asked += ["task.release=false"] if cfg.task.get("release") is False else []
    asked += [f"run.samples={cfg.run.samples}"] if cfg.run.samples is not None else []
    asked += [f"run.batch={cfg.run.batch}"] if cfg.run.batch is not None else []
    if asked:
        raise JudgescaleError(
            f"{asked[0]}: is for live judges, and engine=recorded asks none; leave it out, or name a judge with its"
            " engine (python run.py --help lists all)"
        )


def refuse_foreign_set(data: recorded.RecordedSet, task: Task) -> None:
    """Raise MisfitError where a set says that it was made for other benchmarks than the task's.

    One of somebody's own (task=custom) says nothing of benchmarks: its items may be any.
    """
    made_for = [name for name in data.meta["tasks"] if name != CUSTOM]
    if task.any_set or not made_for or task.name in made_for:
        return
    raise MisfitError(
        f"set {data.name} is not of task={task.name}: the set was made for task={' or '.join(made_for)}; run:"
        f" python run.py engine=recorded {write_override('engine.path', data.path)} task={made_for[0]}"
    )


def make_arms(
    judgments: Mapping[str, RecordedJudgments],
    shared: Shared,
    selection: Selection,
    ks: Sequence[int] | int | None,
    sha256: str,
    pool: bool | str | None = None,
    costs: Mapping[str, float] | None = None,
) -> list[Arm]:
    """Make one arm of each judge's (or pool's) judgments, by its label, about the items that it judged.

    sha256: tells the set's version. pool: how judges vote together, as judge.pool says it. costs: dollars a judgment of
    the judges of whom it is known.
    """
    shared = settle_ties(shared, selection.items)
    task, asked, items = shared.task, shared.strategy, selection.items
    arms = []
    for label, of_label in judgments.items():
        data = of_label.data
        as_bought = only_some_were_bought(asked, of_label, items)
        if as_bought and shared.rules.partial == "leave_out":
            raise JudgescaleError(
                "protocol.partial=leave_out: needs all judgments of an item, and of these only those were bought that a"
                " strategy asked for; use protocol.partial=use"
            )
        covered = Coverage(items) if as_bought else keep_judged_items(of_label, asked, task, shared.rules, items)
        most = check_items(of_label, asked, covered.items, as_bought)
        if asked.calibrated:
            most = count_in_order(of_label, asked, covered.items, most)
        k = asked.k or most
        strategy = asked.at(k)
        arms.append(
            Arm(
                judge=label,
                judgments=of_label,
                strategy=strategy,
                task=task,
                rules=shared.rules,
                owners_rules=shared.owners_rules,
                items=covered.items,
                ks=(k,) if as_bought else list_ks(ks, k, most, strategy),
                k=k,
                **shared.numbers._asdict(),
                digest=sha256[:8],
                origin={"set": data.name, "sha256": sha256},
                subsets=selection.subsets,
                limit=selection.limit,
                partial=covered.partial,
                left_out=len(items) - len(covered.items),
                about=tuple(dict.fromkeys((*selection.about, *covered.notes, *shared.about))),
                as_bought=as_bought,
                shares=share_judgments(of_label.judges, pool, costs or {}),
                costs={j: costs[j] for j in of_label.judges} if costs and set(of_label.judges) <= set(costs) else {},
            )
        )
    return arms


class Part(NamedTuple):
    """Hold which of the judges' judgments are wanted, and what their scores are made of; None: all, or as recorded."""

    variants: tuple[str, ...] | None
    steps: str | None
    samples: int | None


def read_part(judge: DictConfig) -> Part:
    """Read the options of judge=recorded that take part of a set. Raises JudgescaleError where one does not fit."""
    variants, steps = read_variants(judge.get("variants")), read_steps_rule(judge.get("steps"))
    return Part(variants, steps, read_samples(judge.get("samples")))


def read_samples(samples: int | None) -> int | None:
    """Read judge.samples; None where all are wanted. Raises JudgescaleError where it is no count."""
    if samples is not None and (type(samples) is not int or samples < 1):
        raise JudgescaleError(f"judge.samples={samples}: must be a whole number from 1, or null for all")
    return samples


def read_variants(asked: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Read judge.variants, sorted; None where all are wanted. Raises JudgescaleError where they are no names."""
    if asked is None:
        return None
    names = [asked] if isinstance(asked, str) else asked
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise JudgescaleError(f"judge.variants={asked}: must be a list of variants, or null for all; quote a number")
    return tuple(sorted(set(names)))


def read_steps_rule(rule: str | None) -> str | None:
    """Read judge.steps, the rule for step scores; None where scores are taken as recorded.

    Raises JudgescaleError where there is no such rule.
    """
    if rule is not None and rule not in list(RULES):
        raise JudgescaleError(f"judge.steps={rule}: choose {', '.join(RULES)}, or null for the scores as recorded")
    return None if rule is None else str(rule)


def name_part(label: str, data: recorded.RecordedSet) -> str:
    """Name whose judgments these are, and which of them, where only some were chosen: "GPT-5.4 (base, first 1)"."""
    chosen = [f"first {value}" if name == "samples" else value for name, value in data.chosen.items()]
    return f"{label} ({', '.join(chosen)})" if chosen else label


def only_some_were_bought(strategy: Strategy, judgments: RecordedJudgments, items: Sequence[Item]) -> bool:
    """Tell whether an adaptive strategy finds no more of a live set than what it asked itself when it was live."""
    live = judgments.data.meta.get("live") or {}
    if not live or strategy.measured:
        return "stopped_by" in live
    return strategy.adaptive and not all(
        judgments.has_judgments(item, question)
        for item in items
        for question in strategy.questions(len(item.responses))
    )


def check_items(
    judgments: RecordedJudgments, strategy: Strategy, items: Sequence[Item], as_bought: bool = False
) -> int:
    """Return the largest k that every question of every item has.

    Of what a strategy bought itself that may stop before its k, it is the k of that run. Raises JudgescaleError for an
    item about which there is nothing to ask or too little was judged, and for scores of lone responses that are none.
    """
    stopped, sizes = as_bought and strategy.measured, []
    for item in items:
        questions = strategy.questions(len(item.responses))
        if not questions:
            raise refuse_few_responses(strategy, item)
        for question in questions:
            if as_bought and not judgments.has_judgments(item, question):
                continue
            if strategy.k is not None and not stopped:
                judgments.require_judgments(item, question, strategy.k)
            pool = judgments.find_pool(item, question)
            if len(item.responses) == 1 and ((pool.scores < 0) | (pool.scores > 1)).any():
                raise JudgescaleError(
                    f"set {judgments.data.name}, item {item.id}: a score of a lone response must lie between 0 and 1"
                    " (1 = it has the property); rescale it and import the set again"
                )
            sizes.append(len(pool))
    return int(judgments.data.meta["live"]["most"]) if stopped else min(sizes)


@lru_cache
def read_once(path: Path) -> recorded.RecordedSet:
    """Read a set, once for all arms of a process."""
    return recorded.read_set(path)


def forget_sets() -> None:
    """Forget all sets that were read, as one of them may have been written anew."""
    for remembering in (read_once, take_part_once, find_judgments, sha256):
        remembering.cache_clear()


@lru_cache
def take_part_once(
    path: Path, judges: tuple[str, ...], variants: tuple[str, ...] | None, steps: str | None, samples: int | None
) -> recorded.RecordedSet:
    """Take part of a set, once for all arms of a process."""
    return take_part(read_once(path), judges, variants, steps, samples)


@lru_cache
def find_judgments(judges: tuple[str, ...], path: Path, every: tuple[str, ...], *part: Any) -> RecordedJudgments:
    """Find the judgments of these judges in part of a set, once for all arms over them, so that pools are made once.

    every: the judges of all arms. part: as in `Part`.
    """
    return RecordedJudgments(take_part_once(path, every, *part), judges)
