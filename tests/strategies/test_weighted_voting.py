"""Weighted voting: what the judges of a jury weigh, and that no weight is fitted on the label that it is used on."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest
from fakes import arm, judged, pool

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.jury import weigh_judgments
from judgescale.harness.evaluation.replay import Replay, draw_orders
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.strategies.weighted_voting import WeightedVoting
from judgescale.harness.types import JudgescaleError, Record

FITS = ("logistic", "dawid_skene")


def make_jury(worth: dict[str, float], items: int, seed: int, samples: int = 1) -> list[Record]:
    """Pairs about which each judge is right with a chance of its own; either response may be the right one."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(items):
        first = float(rng.random() < 0.5)
        for judge, p in worth.items():
            for s in range(samples):
                says = first if rng.random() < p else 1 - first
                rows.append(judged(i, (says, 1 - says), s, gold=(first, 1 - first), judge=judge))
    return rows


def weigh(made: Arm, fit: str):
    pools = [{(0, 1): made.judgments.find_pool(item, (0, 1))} for item in made.items]
    return weigh_judgments(fit, made, pools)


def decide(strategy, p, n, draws=1):
    pools = {tuple(range(n)): p}
    return asyncio.run(
        strategy(Replay(pools, draw_orders(pools, draws, np.random.default_rng(0))), n, np.random.default_rng(0))
    )


def test_a_vote_counts_what_it_weighs():
    p = pool([(1, 0), (0, 1), (0, 1), None], meta=[3, 1, 1, 9])
    assert decide(WeightedVoting(4), p, 2).tolist() == [[3, 2]]
    assert decide(WeightedVoting(2), pool([(8, 8), (2, 5)], meta=[2, -1]), 2).tolist() == [[1, 0]]
    assert np.isnan(decide(WeightedVoting(1), pool([None], meta=[1]), 2)).all()


def test_with_equal_weights_it_is_the_plurality():
    rng = np.random.default_rng(0)
    p = pool(rng.integers(1, 4, (7, 3)).tolist(), meta=[0.7] * 7, width=3)
    ours, plain = decide(WeightedVoting(7), p, 3)[0], decide(Voting(7, aggregate="plurality"), p, 3)[0]
    assert ours == pytest.approx(plain * 7 * 0.7) and (ours == ours.max()).tolist() == (plain == plain.max()).tolist()


def test_a_lone_response_is_yes_where_yes_weighs_more():
    votes = [[1.0], [0.0], [0.0]]
    assert decide(WeightedVoting(3), pool(votes, meta=[3, 1, 1], width=1), 1)[0, 0] > 0.5
    assert decide(WeightedVoting(3), pool(votes, meta=[1, 1, 1], width=1), 1)[0, 0] < 0.5
    assert decide(WeightedVoting(2), pool(votes[:2], meta=[1, 1], width=1), 1)[0, 0] == 0.5


@pytest.mark.parametrize("fit", FITS)
def test_better_judges_weigh_more_and_a_guesser_nothing(fit):
    made = arm(make_jury({"best": 0.9, "good": 0.7, "weak": 0.6, "guess": 0.5}, 900, 0), WeightedVoting(4), (4,))
    found = weigh(made, fit).of_judges
    assert found["best"] > found["good"] > found["weak"] > found["guess"] and abs(found["guess"]) < 0.3
    result, _ = evaluate(dataclasses.replace(made, strategy=WeightedVoting(4, fit)))
    assert any("weighted_voting - voting by plurality" in note and note.endswith(": above") for note in result.notes)
    assert result.details["voting by plurality at k=4"] < result.headline.value
    assert "best" in result.details[f"weights by {fit}"]


def test_a_judge_with_more_judgments_has_no_more_say():
    rows = make_jury({"a": 0.8, "b": 0.8}, 800, 3)
    rows += [
        dataclasses.replace(r, judgment=dataclasses.replace(r.judgment, sample=s))
        for r in rows
        if r.judgment.judge == "b"
        for s in (1, 2)
    ]
    weights = weigh(arm(rows, WeightedVoting(4), (4,)), "logistic")
    for of_item in weights.weights[:5]:
        one, *three = of_item  # b's say is that of a, in three parts
        assert sum(three) == pytest.approx(weights.of_judges["b"] / weights.of_judges["a"] * one, rel=0.25)


def test_no_item_is_weighed_by_its_own_label():
    """Turning the label of one item changes the weights of all others but those of its fold, a fifth of them."""
    rows = make_jury({"a": 0.8, "b": 0.6, "c": 0.5}, 60, 4)
    turned = [dataclasses.replace(r, gold=r.gold[::-1]) if r.prompt == "q7" else r for r in rows]
    before, after = (weigh(arm(r, WeightedVoting(3), (3,)), "logistic").weights for r in (rows, turned))
    same = [np.allclose(a, b, rtol=0, atol=1e-6) for a, b in zip(before, after, strict=True)]
    items = [item.prompt for item in arm(rows, WeightedVoting(3), (3,)).items]
    assert sum(same) == 12 and same[items.index("q7")]
    labelled, unlabelled = (weigh(arm(r, WeightedVoting(3), (3,)), "dawid_skene").weights for r in (rows, turned))
    assert all(map(np.array_equal, labelled, unlabelled))


@pytest.mark.parametrize("fit", FITS)
def test_a_jury_of_guessers_is_hardly_ever_above_the_plain_vote(fit):
    above, runs = 0, 30
    for seed in range(runs):
        rows = make_jury({"a": 0.5, "b": 0.5, "c": 0.5}, 60, seed)
        result, _ = evaluate(arm(rows, WeightedVoting(3, fit), (3,)))
        above += any("weighted_voting - " in note and note.endswith(": above") for note in result.notes)
    assert above <= 3


def test_what_cannot_be_is_said():
    with pytest.raises(JudgescaleError, match="strategy.weights=fair: choose logistic or dawid_skene"):
        WeightedVoting(weights="fair")
    one = [dataclasses.replace(r, cluster="all") for r in make_jury({"a": 0.8, "b": 0.7}, 5, 0)]
    with pytest.raises(JudgescaleError, match="at least 2 clusters"):
        weigh(arm(one, WeightedVoting(2), (2,)), "logistic")
    assert "One judge alone" in weigh(arm(make_jury({"a": 0.8}, 9, 0), WeightedVoting(1), (1,)), "logistic").notes[0]
