"""Options as they come from configs and command lines: built, checked, and named where they do not fit."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cache
from math import inf, isfinite
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf

from judgescale.harness import ROOT
from judgescale.harness.types import JudgescaleError, Rules

T = TypeVar("T")

LARGEST_SEED = 2**63 - 1  # 64 bits with a sign, which everything that keeps a seed can hold

SPOKEN = {int: "a whole number", float: "a number", str: "a word", type(None): "null"}


def list_values(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """List the values of a config with their places: ("strategy.k", 4), …"""
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from list_values(below, f"{place}.{name}" if place else str(name))
    else:
        yield place, value


def build(cfg: Mapping[Any, Any] | DictConfig, group: str, drop: Sequence[str] = ()) -> Any:
    """Instantiate a config's `_target_`. Raises JudgescaleError naming the group and option that does not fit."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        made = instantiate({key: cfg[key] for key in cfg if key not in drop}, _convert_="all")
    except InstantiationException as e:
        if isinstance(e.__cause__, JudgescaleError):
            raise e.__cause__ from None
        reason = " ".join(str(e.__cause__ or e).splitlines()[:2])
        unknown = re.search(r"unexpected keyword argument '(\w+)'", reason)
        raise JudgescaleError(
            f"{group}.{unknown[1]}: {cfg['_target_']} has no such option" if unknown else f"{group}: {reason}"
        ) from None
    if not dataclasses.is_dataclass(made) or isinstance(made, type):
        raise JudgescaleError(f"{group}._target_={cfg.get('_target_')}: must name a dataclass, or what makes one")
    return check_types(made, group)


def make(kind: type[T], options: Mapping[Any, Any] | DictConfig, group: str) -> T:
    """Make a dataclass of ours out of a config. Raises JudgescaleError as `build` does."""
    made: T = build({"_target_": f"{kind.__module__}.{kind.__qualname__}", **options}, group)
    return made


def load_choice(group: str, name: str) -> dict[str, Any]:
    """Load one YAML of a config group, NAME.yaml in conf/GROUP/, from wherever Hydra looks for configs.

    Raises JudgescaleError where there is none.
    """
    from hydra.core.global_hydra import GlobalHydra

    hydra, path = GlobalHydra.instance(), f"{group}/{name}.yaml"
    if hydra.is_initialized():
        for source in hydra.config_loader().get_sources():
            if source.scheme() in ("file", "pkg") and source.is_config(path):
                return OmegaConf.to_container(source.load_config(path).config)  # type: ignore[return-value]
    elif (ROOT / "conf" / path).is_file():
        return OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / path))  # type: ignore[return-value]
    raise JudgescaleError(f"{group}={name}: there is no {path} in conf/ or in the folder of --config-dir")


@cache
def load_rules(name: str) -> Rules:
    """Load a protocol by its name in conf/protocol/, here or in a folder given with --config-dir."""
    common = OmegaConf.load(ROOT / "conf" / "config.yaml").protocol  # holds what a protocol does not say
    options: dict[str, Any] = {**common, **load_choice("protocol", name)}
    return make(Rules, options, "protocol")


def suggest_strategies(n: int, widths: Container[int]) -> str:
    """Name the shipped strategies whose questions about n responses look at so many of them: "strategy=elo or swiss".

    widths: how many a judge, or a set, can be asked about at once. Empty where no strategy fits. Not those that need
    several judges, in an order that only the caller knows.
    """
    names = []
    for strategy in make_shipped_strategies():
        asked = {len(question) for question in strategy.questions(n)}
        if asked and not strategy.calibrated and all(size in widths for size in asked):
            names.append(strategy.name)
    return "strategy=" + " or ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


@cache
def make_shipped_strategies() -> tuple[Any, ...]:
    """Make the strategies of conf/strategy/ with their defaults, once for all errors of a sweep that name some."""
    files = sorted((ROOT / "conf/strategy").glob("*.yaml"))
    return tuple(build({"_target_": OmegaConf.select(OmegaConf.load(file), "_target_")}, "strategy") for file in files)


def check_types(options: Any, group: str) -> Any:
    """Return the dataclass once every field has its declared type; counts start at 1, or at the field's `least`."""
    least = {f.name: f.metadata.get("least", 1) for f in dataclasses.fields(options) if f.init}
    for name, hint in get_type_hints(type(options)).items():
        if name not in least:
            continue
        allowed = get_args(hint) if get_origin(hint) is UnionType else (hint,)
        if any(kind not in tuple(SPOKEN) for kind in allowed):
            continue  # functions and the like come from code, not from a command line
        value = getattr(options, name)
        if type(value) not in allowed and not (type(value) is int and float in allowed):
            words = " or ".join(SPOKEN[kind] for kind in allowed)
            raise JudgescaleError(f"{group}.{name}={value}: must be {words}")
        if type(value) is float and not isfinite(value):
            raise JudgescaleError(f"{group}.{name}={value}: must be a finite number")
        if type(value) is int and float not in allowed and value < least[name]:
            raise JudgescaleError(f"{group}.{name}={value}: must be {least[name]} or more")
    return options


def write_override(option: str, value: object) -> str:
    """Write an override as a shell takes it; Hydra's grammar and the shell each need quotes of their own."""
    if re.fullmatch(r"[\w./-]+", text := str(value)):
        return f"{option}={text}"
    text = re.sub(r'(\\*)("|$)', lambda end: end[1] * 2 + end[2].replace('"', '\\"'), text)
    return shlex.quote(f'{option}="{text}"')


def read_count(cfg: DictConfig, name: str, least: int) -> int:
    """Return the whole number at a dotted place of a config. Raises JudgescaleError naming it where it is none."""
    return check_count(name, OmegaConf.select(cfg, name), least)


def check_count(name: str, value: Any, least: int) -> int:
    """Return a value once it is a whole number, `least` or more. Raises JudgescaleError naming it where it is not."""
    if type(value) is not int or value < least:
        raise JudgescaleError(f"{name}={value}: must be a whole number, {least} or more")
    return value


def read_seed(cfg: DictConfig, name: str) -> int:
    """Return the seed at a dotted place of a config. Raises JudgescaleError where it is none."""
    if (seed := read_count(cfg, name, 0)) > LARGEST_SEED:
        raise JudgescaleError(f"{name}={seed}: must be {LARGEST_SEED} or less")
    return seed


def find_file(path: str) -> Path:
    """Find a path as given, or else among the files that come with judgescale, so that a run works from anywhere."""
    return ROOT / path if not Path(path).exists() and (ROOT / path).exists() else Path(path)


def read_positive(cfg: DictConfig, name: str) -> float | None:
    """Return the number at a dotted place of a config, or None. Raises JudgescaleError where it is not above 0."""
    value = OmegaConf.select(cfg, name)
    if value is not None and (
        not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < inf
    ):  # NaN too: nothing is ever above it, so it would be no limit
        raise JudgescaleError(f"{name}={value}: must be a number above 0, or null")
    return value
