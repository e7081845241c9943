"""The thinking budget of a live judge: after so many tokens its thought is ended by force, and it has to answer.

`judge.thinking_budget` is one number, or several: then each is an arm of the run, as in the "thinking horizon" of RRM
(arXiv 2505.14674).
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from omegaconf import DictConfig, OmegaConf

from judgescale.harness.contracts import Engine
from judgescale.harness.types import WITH_BUDGET, JudgescaleError, Sampling

OPTION = "thinking_budget"


def split_by_budget(cfg: DictConfig) -> list[DictConfig]:
    """Return a config for each thinking budget of the judge, alike in everything else.

    Raises JudgescaleError where the budgets are no ascending whole numbers.
    """
    budgets = cfg.judge.get(OPTION)
    if not OmegaConf.is_list(budgets):
        return [cfg]
    listed: Any = OmegaConf.to_container(budgets)
    if not listed or any(type(budget) is not int or budget < 1 for budget in listed):
        raise JudgescaleError(f"judge.{OPTION}={listed}: must be whole numbers, 1 or more; one number, a list or null")
    if any(more <= less for less, more in zip(listed, listed[1:])):
        raise JudgescaleError(f"judge.{OPTION}={listed}: list each budget once, the smallest first")
    each = [copy.deepcopy(cfg) for _ in listed]
    for one, budget in zip(each, listed):
        one.judge[OPTION] = budget
    return each


def refuse_in_sampling(model: DictConfig, group: str) -> None:
    """Raise JudgescaleError for a budget among the options of sampling, where it was once."""
    for name in (OPTION, "thinking_tokens"):
        if name in (model.get("sampling") or ()):
            raise JudgescaleError(f"{group}.sampling.{name}: this option is {group}.{OPTION}")


def check_budget(model: DictConfig, group: str, sampling: Sampling | None, engine: Engine) -> Sampling | None:
    """Return the sampling of a model with its thinking budget, if it has one.

    model: the group's part of the config. sampling: None for a scalar head.
    Raises JudgescaleError naming what does not go together with a budget.
    """
    if (budget := model.get(OPTION)) is None:
        return sampling
    told = f"{group}.{OPTION}={budget}"
    if sampling is None:
        raise JudgescaleError(f"{told}: a scalar head ({group}.kind=score) does not think; leave it out")
    if not model.get("thinking"):
        raise JudgescaleError(
            f"{told}: this judge's verdict is read without a thought; choose a judge that thinks, and"
            f" {group}.thinking=true, or leave it out"
        )
    engine.check_thinking_budget()
    if type(budget) is not int or budget < 1:
        several = ", or a list of them" if group == "judge" else ""
        raise JudgescaleError(f"{told}: must be a whole number, 1 or more{several}; or null")
    if budget >= sampling.max_tokens:
        raise JudgescaleError(
            f"{told}: leaves no room for an answer; {group}.sampling.max_tokens={sampling.max_tokens} holds thought and"
            " answer, and must be larger"
        )
    return dataclasses.replace(sampling, thinking_budget=budget)


def name_with_budget(label: str, judge: DictConfig) -> str:
    """Name a judge in results: held to a thinking budget, it is another judge."""
    budget = judge.get(OPTION)
    return label if budget is None else WITH_BUDGET.format(label, budget)
