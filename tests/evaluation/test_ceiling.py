"""What annotators' disagreement says of the labels: golden figures of the two sets that have several an item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fakes import arm, judged

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.strategies.single import Single
from judgescale.harness.types import Item, Result, Task

Evaluated = Callable[..., dict[str, Result]]
A, B = (1.0, 0.0), (0.0, 1.0)


def test_pandalm(evaluated: Evaluated) -> None:
    """879 items unanimous, 120 two against one: of the votes whose two others agree, 120 of 2,757 differ."""
    (result,) = evaluated("experiment=pandalm").values()
    found = result.ceiling
    assert (found["annotators"], found["items"]) == (3, 999)
    assert found["agreement"]["value"] == pytest.approx((879 + 120 / 3) / 999)
    assert found["one_against_label"]["value"] == pytest.approx((3 * 879 + 2 * 120) / 2997)
    others = found["one_against_others"]
    assert others["votes"] == 3 * 879 + 120 and others["value"] == pytest.approx(3 * 879 / 2757)
    assert others["ci"][0] < 0.956 < others["ci"][1] and others["difference"]["ci"][1] < 0
    model = found["model"]
    assert model["classes"] == 3 and round(model["annotator"]["value"], 3) == 0.957
    perfect = model["perfect_judge"]
    assert (round(perfect["lowest"], 3), round(perfect["highest"], 3)) == (0.907, 0.997)
    assert perfect["ci"][0] < perfect["lowest"] < model["equal_judge"]["value"] < perfect["highest"] < perfect["ci"][1]
    assert any("one annotator has 95.6 [94.2, 96.8]; a judge" in note for note in result.notes)


def test_vicuna80(evaluated: Evaluated) -> None:
    """Of the 685 pairs 404 have three annotators; two judges agree with two of them better than the third does."""
    results = evaluated("task=vicuna80_pairs", "judge.pool=false")
    found = {judge: r.ceiling for judge, r in results.items()}
    one = found["gpt4"]["one_against_others"]
    assert (found["gpt4"]["items"], one["votes"]) == (404, 3 * 164 + 240) and round(one["value"], 3) == 0.719
    above = {judge: round(100 * c["one_against_others"]["difference"]["value"], 1) for judge, c in found.items()}
    assert above == {"bard": -7.6, "claude": 5.6, "gpt35": 9.6, "gpt4": 7.2, "vicuna-13b": -11.3}
    assert round(found["gpt4"]["model"]["perfect_judge"]["highest"], 3) == 0.879
    assert any("on 404 of 685 items" in note for note in results["gpt4"].notes)


def labelled(labels: list[tuple[tuple[float, ...], ...]], says: list[tuple[float, float]]) -> Result:
    """One judgment of each item, the label being the first annotator's."""
    rows = [judged(i, said, 0, gold=of_item[0]) for i, (of_item, said) in enumerate(zip(labels, says))]
    items = [
        Item(id=f"q{i}", prompt=f"q{i}", cluster=f"q{i}", responses=("a", "b"), gold=of_item[0], labels=of_item)
        for i, of_item in enumerate(labels)
    ]
    task = Task(name="custom", revision="1", load=lambda data: items, credit=credit_best)
    return evaluate(arm(rows, Single(), (1,), task, items=items))[0]


def test_by_hand() -> None:
    """Three items unanimous and one two against one, and a judge who is wrong about the first."""
    found = labelled([(A, A, A), (B, B, B), (A, A, A), (A, A, B)], [B, B, A, A]).ceiling
    assert found["agreement"]["value"] == pytest.approx((3 + 1 / 3) / 4)
    others = found["one_against_others"]
    assert others["votes"] == 10 and others["value"] == pytest.approx(0.9)
    assert others["judge"]["value"] == pytest.approx(0.7) and others["difference"]["value"] == pytest.approx(-0.2)
    assert found["judge"]["value"] == 0.75


def test_less_than_three_annotators_are_no_ceiling() -> None:
    assert labelled([(A,), (B, B)], [A, B]).ceiling == {}
    assert labelled([(A, A, A), (B,)], [A, B]).ceiling["items"] == 1


def test_unanimous_annotators_leave_nothing_to_noise() -> None:
    found = labelled([(A, A, A), (B, B, B)] * 10, [A, B] * 10).ceiling
    perfect = found["model"]["perfect_judge"]
    assert perfect["lowest"] == perfect["highest"] == found["one_against_others"]["value"] == 1.0
    assert perfect["ci"][0] < 1.0  # twenty items do not tell that nobody ever errs


def test_a_perfect_judge_of_simulated_annotators_lies_between_the_ends() -> None:
    rng = np.random.default_rng(0)
    labels, truth = [], []
    for _ in range(1500):
        right = 1.0 if rng.random() < 0.5 else rng.uniform(0.5, 1.0)
        true = A if rng.random() < 0.5 else B
        votes = [true if rng.random() < right else (B if true == A else A) for _ in range(3)]
        majority = A if votes.count(A) > 1 else B
        labels.append((*sorted(votes, key=lambda vote: vote != majority),))
        truth.append(true)
    found = labelled(labels, truth).ceiling
    perfect = found["model"]["perfect_judge"]
    assert perfect["lowest"] < found["judge"]["value"] < perfect["highest"]
    assert found["one_against_others"]["difference"]["ci"][0] > 0  # above one annotator, and no noise was fitted
