"""Let the options of a sweep meet the choices that have them.

Hydra sets an option that is not swept before it makes the first choice of a sweep, so that `-m judge=pairwise,choice
judge.model=X` would look for `judge.model` in the default judge, which has none.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from judgescale.harness import ROOT
from judgescale.harness.errors import list_some, make_harmless
from judgescale.harness.types import JudgescaleError

SWEEP = ("-m", "--multirun")
RECIPE = "experiment"  # whose choices set the options of every group
IF_THERE = "++"  # set the option where the job's choices have it; leave it out elsewhere


def settle_options(arguments: Sequence[str]) -> list[str]:
    """Rewrite the options of a sweep so that each is set with a job's choices, not before them.

    An option that only some of the swept choices have is set in their jobs alone, and one line says so.

    Raises JudgescaleError for an option that none of them has.
    """
    given = list(arguments)
    if not any(argument in SWEEP for argument in given):
        return given
    places = [i for i, argument in enumerate(given) if "=" in argument and not argument.startswith("-")]
    try:
        parsed = dict(zip(places, OverridesParser.create().parse_overrides([given[i] for i in places]), strict=True))
    except HydraException:
        return given  # Hydra says it better
    swept = [o for o in parsed.values() if is_group(o) and o.is_discrete_sweep()]
    fixed = [given[i] for i, o in parsed.items() if is_group(o) and not o.is_sweep_override()]
    for i, option in parsed.items():
        group = option.key_or_group.split(".")[0]
        chosen = [o for o in swept if o.key_or_group in (group, RECIPE)]
        if not chosen or is_group(option) or option.is_delete() or option.is_sweep_override():
            continue
        have, lack = split_choices(option, chosen, fixed)
        if not have:
            raise JudgescaleError(f"{option.key_or_group}: no such option; none of {list_some(lack, 8)} has it")
        if lack and not option.is_add():
            print(
                make_harmless(
                    f"{option.key_or_group} is an option of {list_some(have, 8)}; {list_some(lack, 8)}: run without it"
                ),
                file=sys.stderr,
            )
        value = option.get_value_element_as_str() or "''"
        given[i] = f"{IF_THERE + option.key_or_group if lack else option.get_key_element()}=choice({value})"
    return given


def is_group(override: Override) -> bool:
    """Tell whether an override makes a choice, such as judge=pairwise, and sets no option."""
    return override.package is not None or (ROOT / "conf" / override.key_or_group).is_dir()


def split_choices(option: Override, swept: Sequence[Override], fixed: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the combinations of swept choices into those that have an option and those that lack it."""
    from judgescale.harness.plan.overrides import compose_config

    split: tuple[list[str], list[str]] = [], []
    kept = [choice for choice in fixed if choice.split("=")[0] not in {o.key_or_group for o in swept}]
    each = [[f"{o.key_or_group}={value}" for value in o.sweep_string_iterator()] for o in swept]
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for choices in itertools.product(*each):
            known = has_option(compose_config([*kept, *choices]), option.key_or_group)
            split[0 if known else 1].append(" ".join(choices))
    return split


def leave_out_foreign_options(cfg: DictConfig, given: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """Return a job's config and overrides without the options that only other jobs' choices have."""
    from judgescale.harness.plan.overrides import compose_config

    if not any(override.startswith(IF_THERE) for override in given):
        return cfg, list(given)
    own = compose_config([override for override in given if not override.startswith(IF_THERE)])
    kept = [o for o in given if not o.startswith(IF_THERE) or has_option(own, o[len(IF_THERE) :].split("=")[0])]
    return compose_config(kept), kept


def has_option(cfg: DictConfig, key: str) -> bool:
    """Tell whether a config has an option, be it empty."""
    place, _, name = key.rpartition(".")
    above = OmegaConf.select(cfg, place) if place else cfg
    return isinstance(above, DictConfig) and name in above.keys()  # noqa: SIM118 - `in` is False for a missing value
