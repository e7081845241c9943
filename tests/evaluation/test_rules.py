"""Scoring rules: ties, failures, three classes, RewardBench 2's Ties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fakes import arm, recorded_set
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.rules import credit_best, credit_same_class
from judgescale.harness.strategies.single import Single
from judgescale.harness.types import HUMAN, Item, JudgescaleError, Judgment, Record, Rules
from judgescale.tasks import judgebench, pandalm, rewardbench2, vicuna80
from judgescale.tasks.loading import load_gold_items


def rules(tie="share", failure=0.0):
    return Rules(name="test", tie=tie, failure=failure, unusable="abstain", order="as_is")


def item(*gold, subset="", cluster="c", id="i"):
    return Item(
        id=id, prompt=id, cluster=cluster, responses=tuple(f"r{i}" for i in range(len(gold))), gold=gold, subset=subset
    )


def earned(gold, scores, tie="share", failure=0.0, rule=credit_best):
    return float(rule([item(*gold)], [np.array([scores], float)], rules(tie, failure))[0])


@pytest.mark.parametrize(("tie", "credit"), [("zero", 0.0), ("half", 0.5), ("share", 1 / 3)])
def test_a_right_answer_among_tied_maxima(tie, credit):
    assert earned((1, 0, 0, 0), (7, 7, 7, 2), tie) == pytest.approx(credit)
    assert earned((1, 0, 0, 0), (7, 2, 2, 2), tie) == 1
    assert earned((1, 0, 0, 0), (2, 7, 7, 2), tie) == 0
    assert earned((1, 1, 0, 0), (7, 7, 2, 2), tie) == 1  # whichever is picked is right


def test_a_failure_earns_what_the_protocol_says():
    assert earned((1, 0), (math.nan, math.nan), failure=0.25) == 0.25
    assert earned((1,), (math.nan,), failure=0.25) == 0.25


def test_a_lone_response_needs_more_than_half():
    assert [earned((1,), (p,)) for p in (0.6, 0.5, 0.4)] == [1, 0, 0]
    assert [earned((0,), (p,)) for p in (0.6, 0.5, 0.4)] == [0, 1, 1]


def test_three_classes():
    assert earned((0.5, 0.5), (0.5, 0.5), rule=credit_same_class) == 1
    assert earned((0.5, 0.5), (1, 0), rule=credit_same_class) == 0
    assert earned((0, 1), (2, 9), rule=credit_same_class) == 1
    assert earned((0.5, 0.5), (math.nan, math.nan), rule=credit_same_class) == 0


@given(
    st.permutations(range(5)),
    st.lists(st.integers(0, 3), min_size=5, max_size=5),
    st.sampled_from(["zero", "half", "share"]),
)
def test_relabelling_responses_changes_no_credit(perm, scores, tie):
    gold = (1, 0, 1, 0, 0)
    moved = earned([gold[i] for i in perm], [scores[i] for i in perm], tie)
    assert moved == pytest.approx(earned(gold, scores, tie))


def ties(ref, tied):
    """A Ties prompt with one right answer in `ref` and three in `tied`; wrong answers score 0."""
    items = [
        item(1, 0, 0, 0, subset="Ties", id="ref:0"),
        item(1, 1, 1, 0, subset="Ties", id="tied:0"),
    ]
    scores = [np.array([[ref, 0, 0, 0]], float), np.array([[*tied, 0]], float)]
    forward, backward = (rewardbench2.credit_ties(items[::s], scores[::s])[0] for s in (1, -1))
    assert forward == backward
    return float(forward)


def test_rewardbench2_ties_by_hand():
    # right everywhere, margin 5 over a spread of 1
    assert ties(ref=6, tied=(5, 6, 5.5)) == pytest.approx(0.3 + 0.3 + 0.2 + 0.2 + 0.01 * math.tanh(5 / 1 - 1))
    # the spread (4) exceeds the margins (ref 3, tied 1)
    assert ties(ref=3, tied=(1, 5, 2)) == pytest.approx(0.3 + 0.3 + 0.01 * math.tanh(1 / 4 - 1))
    # tied margin 5 above the spread, ref margin below it
    assert ties(ref=0.5, tied=(5, 6, 5)) == pytest.approx(0.3 + 0.3 + 0.2 + 0.01 * math.tanh(0.5 / 1 - 1))
    # no spread at all: the bonus is full
    assert ties(ref=5, tied=(5, 5, 5)) == pytest.approx(0.3 + 0.3 + 0.2 + 0.2 + 0.01)
    # everything equal: nothing is earned, and nothing divides by zero
    assert ties(ref=0, tied=(0, 0, 0)) == pytest.approx(0)


def test_rewardbench2_names_a_ties_item_without_partner():
    lone = Record(
        prompt="Ties/ref:7",
        cluster="Ties/7",
        subset="Ties",
        responses=("0", "1"),
        gold=(1.0, 0.0),
        judgment=Judgment(judge="rm", shown=(0, 1), scores=(2.0, 1.0)),
    )
    with pytest.raises(JudgescaleError, match=r"Ties prompt Ties/7 has 1 item.*ref:7"):
        rewardbench2.load(recorded_set([lone]))


def test_rewardbench2_scores_no_other_item_with_a_ties_prompt():
    """Ids alone collide: a Ties prompt may be called as an item of another subset is."""
    rows = [
        Record(
            prompt=name,
            cluster=cluster,
            subset=subset,
            responses=("a", "b", "c", "d"),
            gold=gold,
            judgment=Judgment(judge="j", shown=(0, 1, 2, 3), scores=(4.0, 4.0, 0.0, 0.0)),
        )
        for name, cluster, subset, gold in (
            ("7", "7", "Math", (1.0, 0.0, 0.0, 0.0)),
            ("ref:7", "7", "Ties", (1.0, 0.0, 0.0, 0.0)),
            ("tied:7", "7", "Ties", (1.0, 1.0, 0.0, 0.0)),
        )
    ]
    task = rewardbench2.task()
    items = task.load(recorded_set(rows))
    assert len({task.unit(item) for item in items}) == 2
    found, _ = evaluate(
        arm(
            rows,
            Single(),
            [1],
            task,
            Rules(name="x", tie="share", failure=0.25, unusable="abstain", order="any", rollup="sections"),
            items,
        )
    )
    assert found.sections["Math"].value == 0.5 and found.sections["Ties"].value == pytest.approx(0.3 + 0.2)


def human(prompt, shown, scores, sample=0, responses=("a", "b", "c")):
    return Record(
        prompt=prompt,
        cluster=prompt,
        subset="",
        responses=responses,
        gold=None,
        judgment=Judgment(judge=HUMAN, shown=shown, scores=scores, sample=sample),
    )


def test_vicuna80_majority_and_round_robin():
    rows = [
        *(human("q", (0, 1), s, j) for j, s in enumerate([(1, 0), (1, 0), (0, 1)])),  # a beats b, 2 of 3
        *(human("q", (2, 1), s, j) for j, s in enumerate([(1, 0), (0, 1), (0.5, 0.5)])),  # no majority: a tie
        human("q", (2, 0), (0.5, 0.5)),  # a tie
    ]
    (pair,) = vicuna80.load_pairs(recorded_set(rows))
    assert pair.responses == ("a", "b") and pair.gold == (1, 0)
    (five,) = vicuna80.load_best(recorded_set(rows))
    assert five.gold == (1, 0, 0)  # a 1.5, b 0.5, c 1
    with pytest.raises(JudgescaleError, match="no human label for a against c"):
        vicuna80.load_best(recorded_set(rows[:-1]))


def test_pandalm_majority_of_three():
    rows = [human("0", (0, 1), s, j, ("x", "y")) for j, s in enumerate([(0, 1), (0.5, 0.5), (0.5, 0.5)])]
    assert pandalm.load(recorded_set(rows))[0].gold == (0.5, 0.5)


def test_judgebench_categories():
    assert judgebench.section(item(1, 0, subset="mmlu-pro-law")) == "Knowledge"
    assert judgebench.section(item(1, 0, subset="livebench-math")) == "Math"
    assert judgebench.section(item(1, 0, subset="livecodebench")) == "Coding"


def test_a_protocol_with_a_typo_is_named():
    with pytest.raises(JudgescaleError, match=r"protocol\.tie=maybe: choose one of zero, half, share"):
        rules("maybe")


def test_gold_that_is_not_0_or_1_is_refused():
    row = Record(
        prompt="q",
        cluster="q",
        subset="",
        responses=("a", "b"),
        gold=(0.9, 0.1),
        judgment=Judgment(judge="j", shown=(0, 1), scores=(1.0, 0.0)),
    )
    with pytest.raises(JudgescaleError, match=r"item q: gold \[0.9, 0.1\] must be 0 or 1"):
        load_gold_items(recorded_set([row]))
