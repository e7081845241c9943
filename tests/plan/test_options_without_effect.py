"""Options that would change nothing: refused in one line, or said to be unread."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from omegaconf import DictConfig

from judgescale.harness.plan import plan_arms
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.types import JudgescaleError

Compose = Callable[..., DictConfig]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["+nogroup=x/y"], "nogroup: no such option or group; there are engine, judge, strategy, task, protocol"),
        (["+run.foo=1"], "run.foo: no such option; there are samples, limit"),
        (["+run.budget.pounds=1"], "run.budget.pounds: no such option; there are tokens, dollars"),
        (["+judge.foo=1"], "judge.foo: judge=recorded has no such option"),
        (["+engine.foo=1"], "engine.foo: judgescale.harness.engines.recorded.Recorded has no such option"),
        (["+experiment.seed=1"], "experiment: no such option or group; its file must begin with # @package _global_"),
        (["strategy=single", "strategy.k=x"], "strategy.k=x: must be a whole number or null"),
        (["strategy=single", "strategy.k=0"], "strategy.k=0: must be 1 or more"),
        (["strategy=elo", "strategy.rating=wins", "strategy.passes=3"], "strategy.passes=3: only strategy.rating=elo"),
        (
            ["strategy=elo", "strategy.rating=bradley_terry", "strategy.step=8"],
            "strategy.step=8.?0?: only strategy.rat",
        ),
        (
            ["strategy=stopping", "strategy.alpha=x"],
            "strategy.alpha=x: only strategy.rule=sprt or msprt or anytime reads it",
        ),
        (["strategy=stopping", "strategy.rule=sprt", "strategy.beta=x"], "strategy.beta=x: must be a number or null"),
        (
            ["strategy=stopping", "strategy.rule=esc", "strategy.window=2.5"],
            "strategy.window=2.5: must be a whole number",
        ),
        (["task=llmbar", "task.path=texts"], "task.path=texts: is for live judges, and engine=recorded asks none"),
        (["task=llmbar", "task.release=false"], "task.release=false: is for live judges"),
        (["run.samples=4"], "run.samples=4: is for live judges"),
    ],
)
def test_refused_in_one_line(composed: Compose, overrides: list[str], says: str) -> None:
    with pytest.raises(JudgescaleError, match=f"^{says}") as error:
        plan_arms(composed(*overrides))
    assert "\n" not in str(error.value)


def test_a_sweep_over_k_serves_single_too_and_the_result_says_so(composed: Compose) -> None:
    (plain,) = plan_arms(composed("strategy=single"))
    (swept,) = plan_arms(composed("strategy=single", "strategy.k=8", "strategy.unusable=plurality"))
    assert swept.k == plain.k == 1
    assert set(swept.about) - set(plain.about) == {
        "strategy=single takes 1, whatever strategy.k=8 says.",
        "strategy.unusable=plurality is about votes, and strategy=single takes none.",
    }


def test_a_meta_rm_that_chooses_nothing_is_told(composed: Compose) -> None:
    (arm,) = plan_arms(composed("strategy=meta_voting", "strategy.k=4"))
    assert MetaVoting(4, k_meta=4).caveats(arm.rules) == [
        "strategy.k_meta=4 lets all 4 judgments vote: the meta RM chooses nothing."
    ]
    assert MetaVoting(4, k_meta=3).caveats(arm.rules) == MetaVoting(4).caveats(arm.rules) == []
