"""Arms of a recorded set: which of its judges, which of its judgments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from omegaconf import DictConfig

from judgescale.harness import recorded
from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.options import resolve
from judgescale.harness.plan.common import list_ks, read_shared, refuse_few_responses
from judgescale.harness.plan.items import select_items
from judgescale.harness.recorded import source
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.types import HUMAN, Item, JudgescaleError

sha256 = lru_cache(source.sha256)  # which version of a set a number comes from


def plan_recorded_arms(cfg: DictConfig) -> list[Arm]:
    """Plan the arms of a recorded set: one, or one for each judge. Raises JudgescaleError for whatever cannot work."""
    if not isinstance(cfg.engine.path, str):
        raise JudgescaleError("engine.path: name a recorded set (SET.parquet)")
    path = resolve(cfg.engine.path)
    data = read_once(path)
    task, asked, rules, owners_rules, numbers = read_shared(cfg)
    if not (loaded := task.load(data)):
        raise JudgescaleError(f"{data.path}: no item for task={task.name}")
    items, subsets, limit, about = select_items(cfg, task, rules, loaded)
    plans = []
    for label, judges in choose_judges(data, cfg.judge).items():
        judgments = find_judgments(path, judges)
        as_bought = bool(data.meta.get("live")) and only_some_were_bought(asked, judgments, items)
        shared = check_items(judgments, asked, items, as_bought)
        k = asked.k or shared
        strategy = asked.at(k)
        plans.append(
            Arm(
                judge=label,
                judgments=judgments,
                strategy=strategy,
                task=task,
                rules=rules,
                owners_rules=owners_rules,
                items=items,
                ks=(k,) if as_bought else list_ks(cfg.run.ks, k, shared, strategy),
                k=k,
                **numbers._asdict(),
                digest=sha256(data.path)[:8],
                origin={"set": data.name, "sha256": sha256(data.path)},
                subsets=subsets,
                limit=limit,
                about=about,
                as_bought=as_bought,
            )
        )
    return plans


def choose_judges(data: recorded.RecordedSet, cfg: DictConfig) -> dict[str, tuple[str, ...]]:
    """Label to judges: each on its own, or all as one pool where the set or judge.pool says that they vote together."""
    known = sorted({r.judgment.judge for r in data.records} - {HUMAN})
    names = known if cfg.names is None else [cfg.names] if isinstance(cfg.names, str) else sorted(set(cfg.names))
    if cfg.pool not in (None, True, False):
        raise JudgescaleError(f"judge.pool={cfg.pool}: must be true, false or null")
    for name in names:
        if name not in known:
            raise JudgescaleError(f"judge.names: {name!r} is not in set {data.name}; it has {', '.join(known)}")
    if not names:
        raise JudgescaleError(f"set {data.name} has no judge" if not known else "judge.names is empty")
    pool = bool(data.meta.get("pool", False)) if cfg.pool is None else bool(cfg.pool)
    if len(names) == 1 or not pool:
        return {name: (name,) for name in names}
    for r in data.records:
        scores = r.judgment.scores or (0.0,)
        if r.judgment.judge in names and (min(scores) < 0 or max(scores) > 1):
            raise JudgescaleError(
                f"judge.pool=true: {r.judgment.judge} scores on a scale of its own, so votes of {len(names)} judges"
                " cannot be summed; use judge.pool=false or judge.names=[…]"
            )
    return {f"{len(names)} judges pooled" if cfg.names is None else "+".join(names): tuple(names)}


def only_some_were_bought(strategy: Strategy, judgments: RecordedJudgments, items: Sequence[Item]) -> bool:
    """Whether an adaptive strategy finds no more than what it asked itself when it was live."""
    return strategy.adaptive and not all(
        judgments.has(item, question) for item in items for question in strategy.questions(len(item.responses))
    )


def check_items(
    judgments: RecordedJudgments, strategy: Strategy, items: Sequence[Item], as_bought: bool = False
) -> int:
    """The largest k that every question of every item can be asked; JudgescaleError for an impossible pair."""
    most = math.inf
    for item in items:
        questions = strategy.questions(len(item.responses))
        if not questions:
            raise refuse_few_responses(strategy, item)
        for question in questions:
            if as_bought and not judgments.has(item, question):
                continue
            if strategy.k is not None:
                judgments.require(item, question, strategy.k)
            pool = judgments.pool(item, question)
            if len(question) == 1 and ((pool.scores < 0) | (pool.scores > 1)).any():
                raise JudgescaleError(
                    f"set {judgments.data.name}, item {item.id}: a score of a lone response must lie between 0 and 1"
                    " (1 = it has the property); rescale it and import the set again"
                )
            most = min(most, len(pool))
    return int(most)


@lru_cache
def read_once(path: Path) -> recorded.RecordedSet:
    return recorded.read(path)


@lru_cache
def find_judgments(path: Path, judges: tuple[str, ...]) -> RecordedJudgments:
    """One engine for all arms over the same judgments, so that its pools are made once."""
    return RecordedJudgments(read_once(path), judges)
