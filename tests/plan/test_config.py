"""Every YAML of conf/ composes, and what it names exists."""

from __future__ import annotations

import pytest
from conftest import ROOT

from judgescale.harness.options import build, make
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.common import FOR_HARNESS
from judgescale.harness.types import JudgescaleError, Rules, Task


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
        assert plan_arms(composed(f"experiment={name}", *overrides))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("run.resamples", r"^run\.resamples: no such option; did you mean run\.samples\?$"),
        ("run.budget.euros", r"^run\.budget\.euros: no such option; there are tokens, dollars$"),
    ],
)
def test_an_option_of_the_run_that_does_not_exist_is_refused_wherever_it_stands(composed, given, words):
    """A config file may add what it likes: an old one still sets what is gone."""
    with pytest.raises(JudgescaleError, match=words):
        plan_arms(composed(f"+{given}=500"))
