"""The price list: dollars a million tokens of many models, of which a config needs those of its own."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection

from omegaconf import DictConfig, OmegaConf

MODELS = ("judge.model", "judge.scorer.model", "meta.model")


def keep_used_prices(cfg: DictConfig, judges: Collection[str] = ()) -> DictConfig:
    """Return a config whose price list holds the prices of its models only, and of judges of a set by their names."""
    if not isinstance(prices := cfg.get("prices"), DictConfig):
        return cfg
    models = {OmegaConf.select(cfg, place, default=None) for place in MODELS}
    names = {simplify_name(judge) for judge in judges}
    used = {
        model: price
        for model, price in OmegaConf.to_container(prices).items()  # type: ignore[union-attr]
        if model in models or simplify_name(str(model)) in names
    }
    kept = copy.deepcopy(cfg)
    OmegaConf.set_readonly(kept, False)
    kept.prices = OmegaConf.create(used)
    return kept


def simplify_name(name: str) -> str:
    """Simplify a model's name, so that "GPT-5.4 mini" is gpt-5-4-mini."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))
