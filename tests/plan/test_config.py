"""Every YAML of conf/ composes, and what it names exists."""

from __future__ import annotations

import pytest
from conftest import ROOT

from judgescale.harness.options import build, make
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.common import FOR_HARNESS
from judgescale.harness.types import Rules, Task


def names(group):
    return sorted(p.stem for p in (ROOT / "conf" / group).glob("*.yaml"))


@pytest.mark.parametrize("name", [name for name in names("task") if not name.endswith("_suite")])
def test_every_task_has_a_loader_a_protocol_and_a_folder(composed, name):
    cfg = composed(f"task={name}", "engine.path=anything.parquet")
    task = build(cfg.task, "task", drop=FOR_HARNESS)
    assert isinstance(task, Task) and task.name == name
    assert make(Rules, cfg.protocol, "protocol") == Rules(**cfg.protocol)
    assert cfg.protocol.name == name


@pytest.mark.parametrize("name", names("strategy"))
def test_every_strategy_is_made_from_its_yaml(composed, name):
    strategy = build(composed(f"strategy={name}").strategy, "strategy", drop=("tie", "seed"))
    assert strategy.name == name


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_can_run(composed, name):
    cfg = composed(f"experiment={name}")
    assert all(arm.items for arm in plan_arms(cfg))
    for overrides in cfg.compare:
        assert plan_arms(composed(*overrides))
