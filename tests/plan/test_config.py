"""Every YAML of conf/ composes, and what it names exists."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT
from shapes import REWARDBENCH

from judgescale.harness.options import build, make
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.common import FOR_HARNESS
from judgescale.harness.published.lists import find_rows
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


def is_live(name):
    """Whether an experiment needs a model, and texts for it to read: tests/console/test_paper_tables.py has those."""
    return "override /judge" in (ROOT / f"conf/experiment/{name}.yaml").read_text()


@pytest.mark.parametrize("name", [name for name in names("experiment") if not is_live(name)])
def test_every_experiment_can_run(composed, name):
    cfg = composed(f"experiment={name}")
    assert all(arm.items for arm in plan_arms(cfg))
    for overrides in cfg.compare:
        assert plan_arms(composed(f"experiment={name}", *overrides))


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("judge=rrm_32b",),
        ("engine=openai", "engine.thinking_field=thinking_token_budget", "~engine.reasoning_parser"),
    ],
)
def test_the_thinking_horizon_has_the_budgets_that_were_printed(composed, tmp_path, more):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(REWARDBENCH | {"prompt": f"q{i}", "id": i}) for i in range(3)))
    arms = plan_arms(composed("experiment=rrm_thinking_horizon", f"task.path={path}", "run.dry=true", *more))
    model = arms[0].purchase.spec.engine.model
    printed = {
        row.subset.removeprefix("thinking_budget_")
        for row in find_rows("RewardBench", model)
        if row.subset.startswith("thinking_budget_")
    }
    assert {f"{arm.purchase.spec.sampling.thinking_budget // 1024}k" for arm in arms} == printed and len(arms) == 4
    assert all(arm.purchase.label.startswith(f"{model}, thinking ≤ ") and arm.arm.k == 1 for arm in arms)


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
