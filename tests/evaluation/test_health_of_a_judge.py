"""What a judge prefers besides what is right, how far it agrees with itself, and whether it knows how sure to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from fakes import arm

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.strategies.budget import Budget
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Judgment, Record, Result
from judgescale.tasks.custom import task as custom_task

NAMES = ("a", "b", "c", "d")


def record(
    i: int, shown: Sequence[int], choice: int, gold: int = 0, sample: int = 0, judge: str = "j", width: int = 2
) -> Record:
    """One judgment of item i that favours the response `choice`."""
    scores = tuple(float(r == choice) for r in shown)
    return Record(
        prompt=f"q{i}", cluster=f"q{i}", subset="", responses=NAMES[:width],
        gold=tuple(float(r == gold) for r in range(width)),
        judgment=Judgment(judge=judge, shown=tuple(shown), scores=scores, sample=sample),
    )  # fmt: skip


def health(records: Sequence[Record], k: int = 1) -> dict[str, Any]:
    return dict(evaluate(arm(records, Voting(k), (k,)))[0].health)


def holds(found: dict[str, Any], value: float) -> bool:
    return bool(found["ci"][0] <= value <= found["ci"][1])


def test_who_always_takes_the_first_shown():
    rows = [record(i, order, order[0], gold=i % 2) for i in range(40) for order in ((0, 1), (1, 0))]
    order = health(rows, 2)["order"]
    assert order["first_place"]["value"] == order["first_place"]["balanced"]["value"] == 1.0
    assert order["first_place"]["n"] == 80 and order["first_place"]["chance"] == 0.5
    assert order["flip_rate"]["value"] == 1.0 and order["flip_rate"]["n"] == 40 and order["flip_rate"]["orders"] == 2


def test_being_right_where_the_right_one_comes_first_is_no_preference():
    """Three times of four the right one is shown first, and nine times of ten it wins: no preference for a place."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(2000):
        gold, right = int(rng.random() < 0.25), rng.random() < 0.9
        rows.append(record(i, (0, 1), gold if right else 1 - gold, gold))
    found = health(rows)["order"]["first_place"]
    assert found["right"] == pytest.approx(0.75, abs=0.03) and found["ci"][0] > 0.6  # it looks like one
    assert holds(found["balanced"], 0.5) and found["balanced"]["value"] == pytest.approx(0.5, abs=0.03)
    assert "flip_rate" not in health(rows)["order"] or health(rows)["order"]["flip_rate"] is None


def test_four_places_with_the_right_one_mostly_first():
    rng = np.random.default_rng(1)
    rows = []
    for i in range(3000):
        gold = 0 if rng.random() < 0.6 else int(rng.integers(4))
        choice = gold if rng.random() < 0.5 else int(rng.integers(4))
        rows.append(record(i, range(4), choice, gold, width=4))
    found = health(rows)["order"]["first_place"]
    assert found["value"] > 0.4 and holds(found["balanced"], 0.25) and found["chance"] == 0.25


def test_where_the_right_one_always_comes_first_no_preference_is_seen():
    found = health([record(i, (0, 1), int(i % 3 == 0)) for i in range(30)])["order"]["first_place"]
    assert found["value"] == pytest.approx(2 / 3) and found["right"] == 1.0 and found["balanced"] is None


def test_nothing_is_shown_first_alone_and_a_tie_favours_nobody():
    lone = [dataclasses.replace(record(i, (0,), 0, width=1), gold=(float(i % 2),)) for i in range(8)]
    assert "order" not in health(lone) and "length" not in health(lone)
    tied = [record(i, (0, 1), 2) for i in range(8)]  # both 0
    assert "order" not in health(tied)


def lengths(say: Callable[[int, int], int], items: int = 600) -> dict[str, Any]:
    """The length preference of a judge who says `say(longer, right)`; the longer one is right two times of three."""
    rng = np.random.default_rng(2)
    rows, longer_of = [], {}
    for i in range(items):
        longer = int(rng.integers(2))
        right = longer if rng.random() < 2 / 3 else 1 - longer
        rows.append(record(i, (0, 1), say(longer, right), right))
        longer_of[f"q{i}"] = longer
    made = arm(rows, Voting(1), (1,))
    items_ = [
        dataclasses.replace(item, texts=("long!", "s")[:: 1 if longer_of[item.id] == 0 else -1]) for item in made.items
    ]
    found: dict[str, Any] = evaluate(dataclasses.replace(made, items=tuple(items_)))[0].health["length"]
    return found


def test_length_is_told_from_quality():
    rng = np.random.default_rng(3)
    right = lengths(lambda longer, right: right)
    assert right["value"] == pytest.approx(2 / 3, abs=0.06) == right["right"] and right["balanced"]["value"] == 0.5
    longer = lengths(lambda longer, right: longer)
    assert longer["value"] == 1.0 == pytest.approx(longer["balanced"]["value"])
    guess = lengths(lambda longer, right: int(rng.integers(2)))
    assert holds(guess["balanced"], 0.5) and guess["right"] > 0.6
    shorter = lengths(lambda longer, right: right if rng.random() < 0.5 else 1 - longer)
    assert shorter["balanced"]["ci"][1] < 0.5
    assert "length" not in health([record(0, (0, 1), 0)])  # without texts


def test_samples_and_judges_agree_apart():
    """Two judges who are each of one mind, and of the same in half of the items."""
    rows = []
    for i in range(40):
        for judge, choice in (("x", i % 2), ("y", i % 2 if i < 20 else 1 - i % 2)):
            rows += [record(i, (0, 1), choice, sample=s, judge=judge) for s in range(2)]
    found = health(rows, 4)["agreement"]
    assert found["samples"]["value"] == found["samples"]["kappa"] == 1.0
    assert found["judges"]["value"] == 0.5 and found["judges"]["kappa"] == pytest.approx(0.0)
    assert found["judges"]["kappa_ci"][0] < 0 < found["judges"]["kappa_ci"][1] and found["judges"]["n"] == 40


def test_who_guesses_is_found_out():
    rng = np.random.default_rng(4)
    rows = [
        record(i, rng.permutation(3).tolist(), int(rng.integers(3)), int(rng.integers(3)), sample=s, width=3)
        for i in range(400) for s in range(5)
    ]  # fmt: skip
    gold = {f"q{i}": rows[5 * i].gold for i in range(400)}
    rows = [dataclasses.replace(row, gold=gold[row.prompt]) for row in rows]
    found = health(rows, 5)
    assert holds(found["order"]["first_place"]["balanced"], 1 / 3)
    samples = found["agreement"]["samples"]
    assert samples["kappa_ci"][0] < 0 < samples["kappa_ci"][1] and samples["chance"] == pytest.approx(1 / 3)
    votes = found["calibration"]["votes"]  # the largest share of five guesses says too much
    assert votes["over"]["ci"][0] > 0.1 and votes["ece"] > votes["luck_high"]


def calibrated(offset: float) -> dict[str, Any]:
    """Votes of 8 by a judge who is right as often as its share of votes says, less `offset`."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(800):
        votes = int(rng.integers(5, 9))
        right = rng.random() < votes / 8 - offset
        rows += [record(i, (0, 1), int((s < votes) != right), sample=s) for s in range(8)]
    found: dict[str, Any] = health(rows, 8)["calibration"]["votes"]
    return found


def test_a_share_of_votes_that_is_a_chance():
    good, bold = calibrated(0.0), calibrated(0.2)
    assert good["ece"] < good["luck_high"] and holds(good["over"], 0.0)
    assert bold["ece"] > bold["luck_high"] and bold["over"]["value"] == pytest.approx(0.2, abs=0.04)
    assert [b["confidence"] for b in good["bins"]] == [0.625, 0.75, 0.875, 1.0] and good["n"] == 800
    assert (good["votes"], good["responses"]) == (8, 2)


def test_two_votes_and_few_items_have_no_calibration():
    rows = [record(i, (0, 1), i % 2, sample=s) for i in range(40) for s in range(2)]
    assert "calibration" not in health(rows, 2)
    few = [record(i, (0, 1), i % 2, sample=s) for i in range(5) for s in range(3)]
    assert "calibration" not in health(few, 3)


def trusted(meta: str, scale: float = 1.0, off: float = 0.0) -> dict[str, Any]:
    """Judgments that carry how likely they are right, times `scale` and plus `off`."""
    rng = np.random.default_rng(6)
    rows = []
    for i in range(300):
        for s in range(4):
            chance = 0.9 if rng.random() < 0.5 else 0.6
            made = record(i, (0, 1), int(rng.random() > chance), sample=s)
            judgment = dataclasses.replace(made.judgment, meta=scale * chance + off)
            rows.append(dataclasses.replace(made, judgment=judgment))
    found: dict[str, Any] = evaluate(arm(rows, MetaVoting(4, meta=meta), (4,)))[0].health["calibration"]
    return found


def test_the_meta_rm_is_measured_where_its_scores_are_chances():
    good, low = trusted("recorded")["meta"], trusted("recorded", off=-0.2)["meta"]
    assert good["n"] == 1200 and good["ece"] < good["luck_high"]
    assert len(good["bins"]) == 2
    assert low["over"]["value"] == pytest.approx(-0.2, abs=0.04) and low["ece"] > low["luck_high"]
    assert "meta" in trusted("logistic")
    for unknown in (trusted("recorded", scale=10.0), trusted("random"), trusted("oracle")):
        assert "meta" not in unknown


def test_games_of_a_tournament_are_read_as_pairs():
    rng = np.random.default_rng(7)
    rows = [
        dataclasses.replace(
            record(i, pair, pair[int(rng.random() < 0.2)], sample=s, width=4),
        )
        for i in range(30) for pair in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)) for s in range(3)
    ]  # fmt: skip
    result, _ = evaluate(arm(rows, Knockout(3), (3,)))
    assert result.health["agreement"]["samples"]["n"] == 180
    assert result.health["calibration"]["votes"]["responses"] == 2


def test_responses_that_were_scored_alone_have_no_order():
    rows = [record(i, (0, 1), i % 2, sample=s) for i in range(30) for s in range(3)]
    made = arm(rows, Voting(3), (3,), custom_task())
    data = dataclasses.replace(made.judgments.data, meta={**made.judgments.data.meta, "pointwise": True})
    alone = dataclasses.replace(made, judgments=RecordedJudgments(data, made.judgments.judges))
    found = evaluate(alone)[0].health
    assert "order" not in found and found["order_flips"] is None and found["agreement"]["samples"]["value"] == 1.0


Evaluated = Callable[..., dict[str, Result]]


def test_five_judges_of_vicuna80_and_their_places(evaluated: Evaluated) -> None:
    found = {judge: r.health["order"] for judge, r in evaluated("task=vicuna80_pairs", "judge.pool=false").items()}
    first = {judge: round(100 * order["first_place"]["balanced"]["value"], 1) for judge, order in found.items()}
    assert first == {"bard": 80.5, "claude": 37.2, "gpt35": 48.7, "gpt4": 60.1, "vicuna-13b": 41.0}
    flips = {judge: round(100 * order["flip_rate"]["value"], 1) for judge, order in found.items()}
    assert flips == {"bard": 61.3, "claude": 34.0, "gpt35": 11.7, "gpt4": 16.5, "vicuna-13b": 61.1}
    gpt4 = evaluated("task=vicuna80_pairs", "judge.pool=false")["gpt4"].health
    assert gpt4["order_flips"] == 90 and gpt4["order"]["flip_rate"]["n"] == 547


def test_arrangements_that_favour_the_right_one_are_evened_out(evaluated: Evaluated) -> None:
    """All six arrangements show the right answer first too seldom; four of them each place once."""
    every = evaluated("experiment=rewardbench2_generative")
    even = evaluated(
        "experiment=rewardbench2_generative",
        "judge.variants=[arrangement00,arrangement09,arrangement16,arrangement18]",
    )
    name = "Skywork/Skywork-Critic-Llama-3.1-8B"
    first, by_design = (
        next(r for judge, r in arms.items() if judge.startswith(name)).health["order"]["first_place"]
        for arms in (every, even)
    )
    assert first["right"] == pytest.approx(1 / 6, abs=1e-3) and by_design["right"] == 0.25
    assert by_design["value"] == pytest.approx(by_design["balanced"]["value"])
    assert first["balanced"]["value"] == pytest.approx(by_design["value"], abs=0.03) and first["value"] == 0.4


def test_a_score_of_one_of_several_responses_agrees_with_nothing():
    """A budget asks about responses one by one; what is said of each alone names no best one."""
    rows = [record(i, (0, 1), i % 2, sample=s) for i in range(30) for s in range(3)]
    made = arm(rows, Budget(2, apart=True), (2,))
    data = dataclasses.replace(made.judgments.data, meta={**made.judgments.data.meta, "pointwise": True})
    found = evaluate(dataclasses.replace(made, judgments=RecordedJudgments(data, made.judgments.judges)))[0].health
    assert "agreement" not in found and "calibration" not in found and found["judgments"] == 90
