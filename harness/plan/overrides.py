"""Command lines as overrides: an arm's, a suite member's, and the configs they compose."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from judgescale.harness.config_files import check_choices
from judgescale.harness.types import JudgescaleError

STAYS = "strategy.k"  # which every strategy has: arms are compared at the same k unless they say otherwise


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
    if members is None:
        return [cfg, *(compose_config(replace_overrides(given, arm)) for arm in compare)]
    each = [replace_overrides(given, arm) for arm in [[], *compare]]
    return [compose_config(replace_overrides(own, drop_given(own, member))) for own in each for member in members]


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
