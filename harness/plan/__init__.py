"""From composed configs to arms (judge x strategy x task), with every check that can be made before any work."""

from __future__ import annotations

from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.arm import Arm
from judgescale.harness.plan.common import refuse_unknown_options
from judgescale.harness.plan.live import LiveArm, plan_live_arm, read_limits
from judgescale.harness.plan.recorded import plan_recorded_arms
from judgescale.harness.plan.thinking import split_by_budget
from judgescale.harness.types import JudgescaleError

__all__ = ["LiveArm", "plan_arms", "read_limits"]


def plan_arms(cfg: DictConfig) -> list[Arm | LiveArm]:
    """Plan the arms of one composed config: one, or several.

    Each judge of a set whose judges are not pooled has its own, and so has each thinking budget of a live judge.
    """
    refuse_unknown_options(cfg)
    if OmegaConf.is_missing(cfg.judge, "_target_"):
        raise JudgescaleError(
            "judge._target_ is not set: judge=base holds only what all judges share; choose a prompt format, such as"
            " judge=pairwise (python run.py --help lists all)"
        )
    recorded = find_source(cfg) == "recorded"
    if ("_target_" in cfg.judge) == recorded:
        raise JudgescaleError(
            "this judge is a model: choose what runs it with engine=vllm, openai, openvino or lm_eval"
            if recorded
            else "judge=recorded reads a recorded set; an engine that runs a model needs a prompt format, such as"
            " judge=pairwise judge.model=NAME (python run.py --help lists all)"
        )
    return list(plan_recorded_arms(cfg)) if recorded else [plan_live_arm(one) for one in split_by_budget(cfg)]


def find_source(cfg: DictConfig) -> str:
    """Return where an engine's class says that its judgments come from: a "model" or a "recorded" set."""
    try:
        kind: Any = get_class(cfg.engine._target_)
    except (ImportError, ValueError, AttributeError) as error:
        raise JudgescaleError(f"engine._target_={cfg.engine.get('_target_')}: {error}") from None
    return str(kind.source)
