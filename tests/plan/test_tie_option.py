"""strategy.tie on every shipped task and strategy: it has its effect, or it is refused before anything is run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from omegaconf import DictConfig

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.plan import plan_arms
from judgescale.harness.types import TIES, JudgescaleError, Result

Compose = Callable[..., DictConfig]
CLASSES = ("realmistake", "pandalm")


def result(composed: Compose, *overrides: str) -> Result:
    return evaluate(plan_arms(composed(*overrides, "run.draws=20"))[0])[0]


def figures(found: Result) -> list[float]:
    return [point.estimate.value for point in found.curve]


@pytest.mark.parametrize("strategy", ["single", "voting", "meta_voting"])
@pytest.mark.parametrize(
    "task", [*CLASSES, "judgebench", "llmbar", "rewardbench2", "rmb", "vicuna80_pairs", "vicuna80_best_of_5"]
)
def test_what_has_no_effect_is_refused(composed: Compose, task: str, strategy: str) -> None:
    """The tied decisions of every item, whether or not its judges tie: this asks the rule, not the data."""
    if task == "vicuna80_best_of_5":
        strategy = {"single": "elo"}.get(strategy, "knockout")
    fixed = [f"task={task}", f"strategy={strategy}", "run.limit=40"]
    tied = plan_arms(composed(*fixed))[0]
    credit = tied.task.credit
    for tie in TIES:
        if task in CLASSES or strategy == "knockout":
            with pytest.raises(JudgescaleError, match=f"strategy.tie={tie}: changes nothing") as error:
                plan_arms(composed(*fixed, f"strategy.tie={tie}"))
            assert "\n" not in str(error.value)
    if task not in CLASSES and strategy != "knockout":
        rules = [plan_arms(composed(*fixed, f"strategy.tie={tie}"))[0].rules for tie in TIES]
        earned = {tuple(float(credit([i], [np.full((1, len(i.responses)), 0.5)], r)[0]) for i in tied.items
                        if tied.task.unit(i) == i.id) for r in rules}  # fmt: skip
        assert len(earned) > 1 and [r.tie for r in rules] == list(TIES)


def test_a_split_vote_about_a_class_is_told_as_what_it_is(composed: Compose) -> None:
    for task, said in (("realmistake", 'is "no error"'), ("custom", 'is "no error"')):
        overrides = (
            f"task={task}",
            "engine.path=results/recorded/realmistake.parquet",
            "judge.names=[gpt-4-0125-preview]",
        )
        even, odd = (result(composed, *overrides, f"strategy.k={k}") for k in (4, 5))
        (note,) = [note for note in even.notes if "split" in note]
        assert f"A vote of 4 can split, and a split vote {said} whatever the protocol; it earns " in note
        assert not any("split" in note or "earns nothing" in note for note in odd.notes)


def test_a_split_vote_is_no_error_indeed(composed: Compose) -> None:
    """Of two votes, "no error" comes out unless both say error: recomputed from the judgments themselves."""
    arm = plan_arms(composed("task=realmistake", "judge.names=[gpt-4-0125-preview]", "strategy.k=2", "run.ks=[2]"))[0]
    by_item = []
    for item in arm.items:
        votes = arm.judgments.find_pool(item, (0,)).scores[:, 0]
        pairs = [(a, b) for i, a in enumerate(votes) for b in votes[i + 1 :] if not np.isnan([a, b]).all()]
        said = [float(np.nanmean(pair) > 0.5) for pair in pairs]
        by_item.append((item.subset, np.sum([s == item.gold[0] for s in said]) / 10))
    means = [np.mean([right for subset, right in by_item if subset == name]) for name in dict(by_item)]
    assert evaluate(arm)[0].headline.value == pytest.approx(np.mean(means))


def test_the_signature_tells_ties_apart_only_where_they_differ(composed: Compose) -> None:
    """However the tie gets into the rules: what changes no figure changes no signature."""
    plain, other = (result(composed, "task=pandalm", *more) for more in ((), ("protocol.tie=half",)))
    assert figures(plain) == figures(other) and plain.signature == other.signature and "tie=task" in plain.signature
    zero, half = (result(composed, "task=judgebench", *more) for more in ((), ("strategy.tie=half",)))
    assert figures(zero) != figures(half) and zero.signature != half.signature


def test_part_of_a_benchmark_may_credit_no_tie(composed: Compose) -> None:
    """RewardBench 2's Ties are scored by margins; its published figures stay beside them."""
    with pytest.raises(JudgescaleError, match="changes nothing on task=rewardbench2"):
        plan_arms(composed("task=rewardbench2", "strategy=single", "task.subsets=[Ties]", "strategy.tie=half"))
    assert plan_arms(composed("task=rewardbench2", "strategy=single", "task.subsets=[Ties,Math]", "strategy.tie=half"))
    ties = result(composed, "task=rewardbench2", "strategy=single", "task.subsets=[Ties]")
    assert any(p.section == "Ties" and p.delta is not None for p in ties.published)


def test_rules_that_leave_ties_to_the_task_need_a_task_that_takes_them(composed: Compose) -> None:
    with pytest.raises(JudgescaleError, match="protocol=pandalm leaves ties to the task, and task=judgebench has no"):
        plan_arms(composed("task=judgebench", "protocol=pandalm"))
    assert plan_arms(composed("task=judgebench", "protocol=pandalm", "strategy.tie=zero"))[0].rules.tie == "zero"
