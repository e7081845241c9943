"""Judging the same items again: sets whose judges' chances are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fakes import arm, judged

from judgescale.harness.evaluation import result
from judgescale.harness.evaluation.again import judge_again
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Published, Record
from judgescale.tasks import realmistake


def judge_pairs(chance: np.ndarray, samples: int, rng: np.random.Generator, judge: str = "j") -> list[Record]:
    """Pairs whose first response is right, each with its own chance that a judgment says so."""
    return [
        judged(i, (1.0, 0.0) if rng.random() < p else (0.0, 1.0), j, subset="s", judge=judge)
        for i, p in enumerate(chance)
        for j in range(samples)
    ]


@pytest.mark.parametrize(("samples", "k"), [(2, 1), (6, 1), (7, 3), (5, 5)])
def test_another_run_on_the_same_items_falls_inside(samples: int, k: int) -> None:
    rng, inside, repeats = np.random.default_rng(2), 0, 60
    chance = rng.beta(2, 1, size=50)
    for _ in range(repeats):
        found = evaluate(arm(judge_pairs(chance, samples, rng), Voting(k), (k,)))[0]
        low, high = found.judging["ci"]
        run = np.mean((rng.random((50, k)) < chance[:, None]).sum(axis=1) > k / 2)
        inside += low <= run <= high
        assert high - low < 0.45  # it is no interval that holds everything
    assert inside >= 0.88 * repeats


def test_at_k_1_the_judgments_part_is_the_binomial_error() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.2, 0.9, size=300)
    found = evaluate(arm(judge_pairs(chance, 8, rng), Single(), (1,)))[0].judging
    assert found["judgments"] == pytest.approx(np.sqrt((chance * (1 - chance)).sum() / 8) / 300, rel=0.08)
    assert found["items"] == pytest.approx(chance.std() / np.sqrt(300), rel=0.15)
    assert found["judges"] is None


def test_judges_who_differ_are_a_part_of_their_own() -> None:
    """Two judges right in 9 and in 5 of 10: a mean over panels of two varies by their deviation over root 2."""
    rng = np.random.default_rng(0)
    records = [r for name, p in (("x", 0.9), ("y", 0.5)) for r in judge_pairs(np.full(150, p), 4, rng, name)]
    found = evaluate(arm(records, Single(), (1,)))[0].judging
    assert found["judges"] == pytest.approx(0.2, rel=0.3)
    assert found["judgments"] < 0.03


def test_what_does_not_vary_has_no_such_interval() -> None:
    rng, steady = np.random.default_rng(0), np.array([0.0, 1.0] * 10)
    assert evaluate(arm(judge_pairs(steady, 3, rng), Voting(3), (3,)))[0].judging == {}
    orders = [
        dataclasses.replace(r, judgment=dataclasses.replace(r.judgment, shown=(1, 0)))
        for r in judge_pairs(np.full(20, 0.5), 1, rng)
    ]
    both = judge_pairs(np.full(20, 0.5), 1, rng) + orders
    assert evaluate(arm(both, Voting(2), (2,)))[0].judging == {}  # asked twice, but not alike


def test_a_jury_asked_once_has_a_part_of_judges_only() -> None:
    rng = np.random.default_rng(0)
    once = [r for name, p in (("x", 0.9), ("y", 0.5)) for r in judge_pairs(np.full(150, p), 1, rng, name)]
    found = evaluate(arm(once, Voting(2), (2,)))[0]
    assert found.judging["ci"] is None and found.judging["judgments"] is None
    assert found.judging["judges"] == pytest.approx(0.2, rel=0.4)
    assert any("own chance" in note for note in found.notes)


def test_orders_left_to_chance_are_drawn_anew() -> None:
    """A judge that always takes the first shown is right by the order alone."""
    rng = np.random.default_rng(0)
    records = []
    for r in judge_pairs(np.ones(60), 6, rng):
        shown = (0, 1) if rng.random() < 0.5 else (1, 0)
        records.append(dataclasses.replace(r, judgment=dataclasses.replace(r.judgment, shown=shown, scores=(1.0, 0.0))))
    one = arm(records, Single(), (1,))
    assert evaluate(one)[0].judging == {}  # asked again in the same order, it says the same
    meta = {**one.judgments.data.meta, "order": "random"}
    data = dataclasses.replace(one.judgments.data, meta=meta)
    shuffled = dataclasses.replace(one, judgments=dataclasses.replace(one.judgments, data=data))
    assert evaluate(shuffled)[0].judging["judgments"] == pytest.approx(np.sqrt(0.25 / 6 / 60), rel=0.15)


def test_a_note_says_both_targets() -> None:
    notes = evaluate(arm(judge_pairs(np.full(30, 0.7), 3, np.random.default_rng(0)), Voting(3), (3,)))[0].notes
    (note,) = [note for note in notes if "judged again" in note]
    assert "items" in note and "judgments" in note and "judges" not in note


def test_published_differences_are_held_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        Published("j", section, value, "a paper", "confirmed", delta)
        for section, value, delta in (("overall", 0.7, 0.0), ("overall", 0.1, 0.6), ("s", 0.1, 0.6), ("s", 0.9, None))
    ]
    monkeypatch.setattr(result, "find_comparable_numbers", lambda arm, ours: rows)
    varying = arm(judge_pairs(np.full(60, 0.7), 6, np.random.default_rng(0)), Single(), (1,))
    assert [p.inside_judging_again for p in evaluate(varying)[0].published] == [True, False, False, None]
    steady = arm(judge_pairs(np.ones(60), 6, np.random.default_rng(0)), Single(), (1,))
    assert [p.inside_judging_again for p in evaluate(steady)[0].published] == [None] * 4


def test_the_seed_fixes_it() -> None:
    one = arm(judge_pairs(np.full(30, 0.7), 3, np.random.default_rng(0)), Voting(3), (3,))
    assert evaluate(one)[0].judging == evaluate(one)[0].judging
    assert evaluate(dataclasses.replace(one, seed=5))[0].judging != evaluate(one)[0].judging


def test_a_metric_has_its_own_interval() -> None:
    """F1 of a detector that says "error" by chance: another run's F1 falls inside."""
    rng, task = np.random.default_rng(1), realmistake.task()
    chance = rng.beta(2, 2, size=40)
    gold = rng.random(40) < 0.5

    def judge(samples: int) -> np.ndarray:
        return rng.random((40, samples)) < chance[:, None]

    said = judge(5)
    records = [
        judged(i, (float(said[i, j]),), j, (gold[i],), "math_word_problem_generation")
        for i in range(40)
        for j in range(5)
    ]
    one = arm(records, Single(), (1,), task=task)
    found = evaluate(one)[0]
    pools = [{(0,): one.judgments.find_pool(item, (0,))} for item in one.items]
    again = judge_again(one, pools, evaluate(one)[1], {"f1": found.sections["f1"].value})
    assert again is not None
    low, high = again.intervals["f1"]
    runs = [task.metrics["f1"](np.array([item.gold for item in one.items]), judge(1).astype(float)) for _ in range(200)]
    assert np.mean([low <= run <= high for run in runs]) > 0.85 and high - low < 0.6
    assert again.holds("f1", 0.0) is False and again.holds("roc_auc", 0.5) is None
