"""credits.parquet: which items a headline is made of, what they earned at every k, and what was decided."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from omegaconf import DictConfig

from judgescale.harness.evaluation.credit_table import describe_decisions
from judgescale.harness.evaluation.decisions import Decisions
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.plan import plan_arms
from judgescale.harness.report.files import CREDIT

Compose = Callable[..., DictConfig]


@pytest.mark.parametrize(
    "overrides",
    [
        ("task=vicuna80_pairs", "strategy=voting", "run.ks=[1,3,10]"),
        ("task=rewardbench2", "strategy=voting"),  # Ties: what several items earn together
        ("experiment=rewardbench2_samples", "judge.names=[GPT-5.4]", "run.limit=60", "strategy=knockout", "run.ks=[2]"),
        ("experiment=realmistake", "run.limit=40"),
    ],
)
def test_weights_and_credits_are_the_headline(composed: Compose, overrides: tuple[str, ...]) -> None:
    arm = plan_arms(composed(*overrides))[0]
    result, _ = evaluate(arm)
    columns = {name: np.array(values) for name, values in result.credits.items() if name not in ("gold", "decision")}
    assert set(result.credits) == set(CREDIT) - {"task", "arm", "number", "signature"}
    assert {len(values) for values in result.credits.values()} == {len(set(columns["item"].tolist())) * len(arm.ks)}
    for point in result.curve:
        if point.section == "overall":
            rows = columns["k"] == point.k
            assert columns["weight"][rows].sum() == pytest.approx(1)
            assert columns["weight"][rows] @ columns["credit"][rows] == pytest.approx(point.estimate.value)
            assert columns["judgments"][rows].sum() == pytest.approx(point.judgments_per_item * result.items)
    for gold, decision in zip(result.credits["gold"], result.credits["decision"], strict=True):
        assert len(gold) == len(decision)


def test_a_decision_is_how_likely_each_response_is_chosen() -> None:
    nan = float("nan")
    pair = Decisions(np.array([[1, 0], [0.5, 0.5], [0, 1], [nan, nan]]), np.array([0.5, 0.2, 0.1, 0.2]), 0)
    three = Decisions(np.array([[3.0, 3, 1], [0, 2, 1]]), np.array([0.5, 0.5]), 0)
    lone = Decisions(np.array([[0.7], [0.5], [0.2]]), np.array([0.5, 0.25, 0.25]), 0)
    silent = Decisions(np.array([[nan, nan]]), np.ones(1), 0)
    found = describe_decisions([pair, three, lone, silent])
    for said, wanted in zip(found, ([0.6, 0.2], [0.25, 0.75, 0.0], [0.625], [nan, nan]), strict=True):
        np.testing.assert_allclose(said, wanted, rtol=1e-6)
