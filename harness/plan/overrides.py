"""Command lines as overrides: an arm's, a suite member's, and the configs they compose."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from judgescale.harness.config_files import check_choices
from judgescale.harness.plan import find_source
from judgescale.harness.plan.data_root import fill_path
from judgescale.harness.plan.recorded import OPTIONS
from judgescale.harness.types import JudgescaleError

STAYS = "strategy.k"  # which every strategy has: arms are compared at the same k unless they say otherwise
RECORDED = {"judge": OPTIONS, "engine": ("_target_", "path")}  # what these groups have where judgments are recorded
SAMPLING = ("judge.sampling", "judge.thinking_budget")  # how a live judge's judgments are drawn


def read_keys(overrides: Sequence[str]) -> list[str]:
    """Return what each override sets, by Hydra's own grammar: `+judge.price={…}` sets judge.price."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [f"{o.key_or_group}@{o.package}" if o.package else o.key_or_group for o in parsed]


def replace_overrides(given: Sequence[str], arm: Sequence[str]) -> list[str]:
    """Put an arm's overrides in the place of those given; options of a group that the arm replaces are dropped."""
    taken = {*read_keys(arm), "compare"}
    kept = [
        override
        for override, key in zip(given, read_keys(given))
        if key not in taken and (key == STAYS or key.split(".")[0] not in taken)
    ]
    return [*kept, *arm]


def drop_given(given: Sequence[str], member: Sequence[str]) -> list[str]:
    """Drop what the command line itself gives from a suite member's overrides, all but its task."""
    said = {*read_keys(given)} - {"task"}
    return [override for override, key in zip(member, read_keys(member)) if key not in said]


def compose_arms(cfg: DictConfig, given: Sequence[str], members: Sequence[Sequence[str]] | None) -> list[DictConfig]:
    """Compose the configs of a run: its own and one for each entry of `compare`, each for every member of a suite.

    given: the command line's overrides. members: those of a suite's members; None where the task is no suite.
    """
    compare = OmegaConf.to_container(cfg.compare) if OmegaConf.is_list(cfg.compare) else None
    if not isinstance(compare, list) or not all(
        isinstance(arm, list) and all(isinstance(override, str) for override in arm) for arm in compare
    ):
        raise JudgescaleError('compare: must be lists of overrides, as in compare=[["strategy=elo"]]')
    if is_recorded(cfg):
        compare = leave_out_sampling(compare)
    each = [replace_overrides(given, arm) for arm in [[], *compare]]
    if members is None:
        first = fill_path(forget_live_options(cfg, given), name_task(cfg, given))
        return [first, *(compose_checked(own) for own in each[1:])]
    return [compose_checked(replace_overrides(own, drop_given(own, member))) for own in each for member in members]


def compose_checked(overrides: Sequence[str]) -> DictConfig:
    """Compose a config, without what an experiment says of a live judge where judgments are recorded."""
    cfg = compose_config(overrides)
    return fill_path(forget_live_options(cfg, overrides), name_task(cfg, overrides))


def name_task(cfg: DictConfig, overrides: Sequence[str]) -> str | None:
    """Name the task that overrides choose, as data.paths names tasks; None where nothing is there."""
    if not OmegaConf.select(cfg, "data.paths"):
        return None
    whole = hydra.compose("config", list(overrides), return_hydra_config=True)
    return str(whole.hydra.runtime.choices.task)


def is_recorded(cfg: DictConfig) -> bool:
    """Tell whether a config has no prompt format: its judgments are recorded."""
    return isinstance(cfg.judge, DictConfig) and "_target_" not in cfg.judge


def leave_out_sampling(compare: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Leave out the arms that draw a live judge's judgments in another way, as greedily: recorded ones are drawn.

    Arms that choose a judge of their own stay.
    """
    kept: list[Sequence[str]] = []
    for arm in compare:
        keys = read_keys(arm)
        if "judge" not in keys and any(key == name or key.startswith(f"{name}.") for key in keys for name in SAMPLING):
            print(f"left out, since recorded judgments are drawn already: [{', '.join(arm)}]", file=sys.stderr)
        else:
            kept.append(arm)
    return kept


def forget_live_options(cfg: DictConfig, given: Sequence[str]) -> DictConfig:
    """Return a config of recorded judgments without the options that an experiment gives a live judge and its engine.

    Those that the overrides themselves give stay, to be refused.
    """
    if not (is_recorded(cfg) and find_source(cfg) == "recorded"):
        return cfg
    said = read_keys(given)
    for group, known in RECORDED.items():
        for name in [str(name) for name in cfg[group] if name not in known]:
            if not any(key == f"{group}.{name}" or key.startswith(f"{group}.{name}.") for key in said):
                with open_dict(cfg):
                    del cfg[group][name]
    return cfg


def compose_config(overrides: Sequence[str]) -> DictConfig:
    """Compose one config as the command line does."""
    check_choices(overrides)
    cfg = hydra.compose("config", list(overrides), return_hydra_config=True)
    check_protocol(cfg.hydra.runtime.choices)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


def check_protocol(choices: Mapping[str, str | None]) -> None:
    """Raise JudgescaleError for a protocol that is in no file, unless it is only that the task has none of its own.

    conf/config.yaml makes the protocol optional, so that a benchmark without one has the common rule; Hydra then
    passes over a misspelt name in silence.
    """
    name, known = choices.get("protocol"), GlobalHydra.instance().config_loader().get_group_options("protocol")
    if name in (None, choices.get("task"), *known):
        return
    close = difflib.get_close_matches(str(name), known, 1)
    meant = f" did you mean {close[0]}?" if close else ""
    raise JudgescaleError(f"protocol={name}: no such choice;{meant} there are {', '.join(known)}")
