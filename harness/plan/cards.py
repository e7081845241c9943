"""A model's card: what its config in conf/judge/ or conf/meta/ says of it, and which engines give its number."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from omegaconf import DictConfig

from judgescale.harness.options import make
from judgescale.harness.types import JudgescaleError


@dataclass(frozen=True)
class Card:
    """Hold what a config says of its model. conf/judge/base.yaml describes the fields; None is not known."""

    source: str | None = None
    licence: str | None = None
    contract: str | None = None
    run_here: bool | None = None
    obstacle: str | None = None
    engines: tuple[str, ...] | None = None


def refuse_by_card(judge: DictConfig, group: str, engine: str) -> None:
    """Raise JudgescaleError where a model's card says that this engine would not give its number.

    engine: its name. group: where the model stands in the config, "judge" or "meta".
    """
    card = read_card(judge, group)
    if card.engines is None or engine in card.engines:
        return
    fix = f"use engine={' or '.join(card.engines)}" if card.engines else "no engine here can"
    raise JudgescaleError(
        f"{group}.model={judge.model}: engine={engine} cannot run it, since {card.obstacle}; {fix}"
        f" ({group}.card.engines=null says that yours can)"
    )


def read_card(judge: DictConfig, group: str) -> Card:
    """Read a model's card. Raises JudgescaleError for a field that there is not, or engines that are no list."""
    options = dict(judge.get("card") or {})
    engines = options.pop("engines", None)
    if engines is not None and (isinstance(engines, str) or not all(isinstance(name, str) for name in engines)):
        raise JudgescaleError(f"{group}.card.engines={engines}: must be a list of engines' names, or null")
    card = make(Card, options, f"{group}.card")
    return dataclasses.replace(card, engines=None if engines is None else tuple(engines))
