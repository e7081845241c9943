"""From step scores to a score: every rule on hand-computed cases, at the edges, and what must hold of all of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.stats.steps import RULES

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("rule", "score"),
    [
        ("min", 0.2),
        ("max", 0.8),
        ("prod", 0.08),
        ("geometric_mean", 0.08 ** (1 / 3)),
        ("mean", 0.5),
        ("mean_logit", 0.5),  # the logits of .8, .2 and .5 add up to 0
        ("mean_odd", (4 + 0.25 + 1) / 3),
        ("last", 0.5),
    ],
)
def test_a_rule_on_three_steps(rule: str, score: float) -> None:
    assert RULES[rule]([0.8, 0.2, 0.5]) == pytest.approx(score, abs=1e-12)


def test_every_rule_is_finite_at_0_and_1() -> None:
    scores = {name: rule([0.0, 1.0, 1.0]) for name, rule in RULES.items()}
    assert all(map(math.isfinite, scores.values()))
    assert scores["prod"] == scores["geometric_mean"] == scores["min"] == 0 and scores["mean_odd"] > 1e15


def test_many_small_steps_do_not_make_the_geometric_mean_0() -> None:
    steps = [1e-3] * 200
    assert RULES["prod"](steps) == 0 and RULES["geometric_mean"](steps) == pytest.approx(1e-3)


@given(probabilities)
def test_a_mean_lies_between_the_lowest_and_the_highest_step(steps: list[float]) -> None:
    low, high = min(steps), max(steps)
    for name in ("geometric_mean", "mean", "mean_logit", "last"):
        assert low - 1e-9 <= RULES[name](steps) <= high + 1e-9, name
    assert RULES["prod"](steps) <= low


@given(st.floats(0, 0.999))
def test_a_single_step_is_its_own_score(step: float) -> None:
    assert RULES["mean_odd"]([step]) == pytest.approx(step / (1 - step), abs=1e-12)
    for name in RULES:
        if name != "mean_odd":
            assert RULES[name]([step]) == pytest.approx(step, abs=1e-12), name
