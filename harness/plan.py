"""From composed configs to arms (judge x strategy x task), with every check that can be made before any work."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf

from harness import recorded
from harness.engines.recorded import RecordedEngine
from harness.types import HUMAN, TIES, Item, JudgescaleError, Rules, Strategy, Task

ROOT = Path(__file__).resolve().parent.parent
EVERY_K_UP_TO = 8  # longer curves of replayed strategies are read off at 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, …

SPOKEN = {int: "a whole number", float: "a number", str: "a word", type(None): "null"}


@dataclass(frozen=True)
class Arm:
    """One thing to evaluate: a judge (one, or several pooled), a strategy with its k, a task with its rules."""

    judge: str
    engine: RecordedEngine
    strategy: Strategy
    task: Task
    rules: Rules
    items: tuple[Item, ...]
    ks: tuple[int, ...]  # where the curve is read off
    k: int  # the headline's, one of them
    seed: int
    draws: int  # replays of a pool where no closed form exists
    resamples: int  # bootstrap resamples
    digest: str = ""  # which version of the set the judgments come from

    @property
    def signature(self) -> str:
        """One line that says how the number was made; equal signatures are comparable numbers."""
        knobs = {f.name: getattr(self.strategy, f.name) for f in dataclasses.fields(self.strategy)}  # type: ignore[arg-type]
        knobs |= {"k": self.k, **({"k_meta": kept(self.k)} if (kept := getattr(self.strategy, "kept", None)) else {})}
        data = self.engine.data
        rules = f"tie={self.rules.tie},failure={self.rules.failure:g},unusable={self.rules.unusable}"
        parts = {
            "judge": "+".join(self.engine.judges),
            "engine": "recorded",
            "protocol": f"{self.rules.name}({rules})",
            "strategy": self.strategy.name,
            **{name: value for name, value in knobs.items() if name != "unusable"},
            "order": data.meta.get("order", "?"),
            "seed": self.seed,
            **({} if has_closed_form(self.strategy, self.items) else {"draws": self.draws}),
            "bootstrap": self.resamples,
            "temperature": data.meta.get("temperature", "as recorded"),
            "task": f"{self.task.name}@{self.task.revision}",
            "set": f"{data.name}@{self.digest}",
            "judgescale": version(),
        }
        return "|".join(f"{name}:{value}" for name, value in parts.items())


def has_closed_form(strategy: Strategy, items: Sequence[Item]) -> bool:
    """Whether the curve can be counted: a strategy that can, on items of one or two responses."""
    return hasattr(strategy, "exact") and all(len(item.responses) <= 2 for item in items)


@lru_cache
def digest(path: Path) -> str:
    """The first 8 hex digits of a file's SHA-256: which version of a set a number comes from."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


@lru_cache
def read_once(path: Path) -> recorded.RecordedSet:
    return recorded.read(path)


@lru_cache
def engine_of(path: Path, judges: tuple[str, ...]) -> RecordedEngine:
    """One engine for all arms over the same judgments, so that its pools are made once."""
    return RecordedEngine(read_once(path), judges)


def version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("judgescale")
    except PackageNotFoundError:
        return "not installed"


def arms(cfg: DictConfig) -> list[Arm]:
    """The arms of one composed config: one, or one for each judge of a set whose judges are not pooled."""
    if not isinstance(cfg.engine.path, str):
        raise JudgescaleError("engine.path: name a recorded set (SET.parquet)")
    path = resolve(cfg.engine.path)
    data = read_once(path)
    whole(cfg, "seed", 0)
    seed = whole(cfg, "strategy.seed", 0) if "seed" in cfg.strategy else cfg.seed
    draws, resamples = whole(cfg, "run.draws", 2), whole(cfg, "run.resamples", 100)
    task: Task = build(cfg.task, "task", drop=("recorded",))
    if (tie := cfg.strategy.get("tie")) not in (None, *TIES):
        raise JudgescaleError(f"strategy.tie={tie}: choose zero, half, share or null (the protocol's)")
    rules: Rules = build(
        {"_target_": "harness.types.Rules", **cfg.protocol, **({"tie": tie} if tie else {})}, "protocol"
    )
    items = tuple(task.load(data))
    if not items:
        raise JudgescaleError(f"{data.path}: no item for task={task.name}")
    plans = []
    for label, judges in chosen_judges(data, cfg.judge).items():
        engine = engine_of(path, judges)
        strategy: Strategy = build(cfg.strategy, "strategy", drop=("tie", "seed"))
        shared = check_items(engine, strategy, items)
        k = strategy.k or shared
        strategy = dataclasses.replace(strategy, k=k)  # type: ignore[type-var]
        rules = dataclasses.replace(rules, unusable=getattr(strategy, "unusable", rules.unusable))
        ks = curve_ks(cfg.run.ks, k, shared, strategy)
        plans.append(
            Arm(
                judge=label, engine=engine, strategy=strategy, task=task, rules=rules, items=items, ks=ks, k=k,
                seed=seed, draws=draws, resamples=resamples, digest=digest(data.path),
            )
        )  # fmt: skip
    return plans


def build(cfg: Mapping[Any, Any] | DictConfig, group: str, drop: Sequence[str] = ()) -> Any:
    """Instantiate a config's `_target_`; JudgescaleError naming the group and option where the config does not fit."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return typed(instantiate({key: cfg[key] for key in cfg if key not in drop}), group)
    except InstantiationException as e:
        if isinstance(e.__cause__, JudgescaleError):
            raise e.__cause__ from None
        reason = str(e.__cause__ or e).splitlines()[0]
        unknown = re.search(r"unexpected keyword argument '(\w+)'", reason)
        raise JudgescaleError(
            f"{group}.{unknown[1]}: {cfg['_target_']} has no such option" if unknown else f"{group}: {reason}"
        ) from None


def typed(options: Any, group: str) -> Any:
    """The dataclass itself, once every field has its declared type; counts start at 1."""
    for name, hint in get_type_hints(type(options)).items():
        allowed = get_args(hint) if get_origin(hint) is UnionType else (hint,)
        if any(kind not in tuple(SPOKEN) for kind in allowed):
            continue  # functions and the like come from code, not from a command line
        value = getattr(options, name)
        if type(value) not in allowed and not (type(value) is int and float in allowed):
            words = " or ".join(SPOKEN[kind] for kind in allowed)
            raise JudgescaleError(f"{group}.{name}={value}: must be {words}")
        if type(value) is int and float not in allowed and value < 1:
            raise JudgescaleError(f"{group}.{name}={value}: must be 1 or more")
    return options


def whole(cfg: DictConfig, name: str, least: int) -> int:
    """The whole number at a dotted place of a config; JudgescaleError naming it where it is not one."""
    value = OmegaConf.select(cfg, name)
    if type(value) is not int or value < least:
        raise JudgescaleError(f"{name}={value}: must be a whole number, {least} or more")
    return value


def resolve(path: str) -> Path:
    """A path as given, or else relative to the checkout, so that the command works from anywhere."""
    return ROOT / path if not Path(path).exists() and (ROOT / path).exists() else Path(path)


def chosen_judges(data: recorded.RecordedSet, cfg: DictConfig) -> dict[str, tuple[str, ...]]:
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


def check_items(engine: RecordedEngine, strategy: Strategy, items: Sequence[Item]) -> int:
    """The largest k that every question of every item can be asked; JudgescaleError for an impossible pair."""
    most = math.inf
    for item in items:
        questions = strategy.questions(len(item.responses))
        if not questions:
            raise JudgescaleError(
                f"strategy={strategy.name} needs at least 2 responses and item {item.id} has {len(item.responses)};"
                " use strategy=single, voting or meta_voting"
            )
        for question in questions:
            if strategy.k is not None:
                engine.require(item, question, strategy.k)
            pool = engine.pool(item, question)
            if len(question) == 1 and ((pool.scores < 0) | (pool.scores > 1)).any():
                raise JudgescaleError(
                    f"set {engine.data.name}, item {item.id}: a score of a lone response must lie between 0 and 1"
                    " (1 = it has the property); rescale it and import the set again"
                )
            most = min(most, len(pool))
    return int(most)


def curve_ks(asked: Sequence[int] | int | None, k: int, shared: int, strategy: Strategy) -> tuple[int, ...]:
    """Where to read the curve off: what was asked, or every k up to what all items have, always including k."""
    if strategy.name == "single":
        return (1,)
    if asked is not None:
        asked = [asked] if isinstance(asked, int) else asked
        for point in asked:
            if type(point) is not int or not 1 <= point <= shared:
                raise JudgescaleError(f"run.ks={list(asked)}: {point} is not between 1 and the {shared} recorded")
        return tuple(sorted({*asked, k}))
    every = range(1, max(k, shared) + 1)
    if hasattr(strategy, "exact") or len(every) <= EVERY_K_UP_TO:
        return tuple(every)
    return tuple(sorted({p for p in every if bin(p)[2:].strip("0") in ("1", "11")} | {k, every[-1]}))
