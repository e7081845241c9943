"""From pools to curves: closed forms of a fake judge, invariances, and a meta RM that cannot peek."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from fakes import arm, noisy_pairs, pool

from harness.evaluate import credit, decide, evaluate
from harness.meta import trust
from harness.strategies.elo import Elo
from harness.strategies.knockout import Knockout
from harness.strategies.meta_voting import MetaVoting
from harness.strategies.single import Single
from harness.strategies.voting import Voting
from harness.types import Item, Judgment, Record


def overall(result):
    return {p.k: p.estimate for p in result.curve if p.section == "overall"}


def majority(p, k):
    """P(a majority of k independent judgments of accuracy p is right), for odd k."""
    return sum(math.comb(k, i) * p**i * (1 - p) ** (k - i) for i in range(k // 2 + 1, k + 1))


def test_the_curve_of_an_independent_judge_is_the_binomial_one():
    records = noisy_pairs(0.7, items=2000)
    result, _ = evaluate(arm(records, Voting(9), (1, 3, 5, 9)))
    for k, estimate in overall(result).items():
        assert estimate.value == pytest.approx(majority(0.7, k), abs=0.02)
        assert estimate.ci[0] < estimate.value < estimate.ci[1] and estimate.mc_error == 0


def test_replays_agree_with_the_closed_form():
    records = noisy_pairs(0.65, items=300)
    exact = overall(evaluate(arm(records, Voting(9), (1, 2, 5, 9)))[0])
    for strategy in (Knockout(9), Elo(9, rating="wins")):  # on two responses every tournament is a vote
        replayed = overall(evaluate(arm(records, strategy, (1, 2, 5, 9)))[0])
        for k, estimate in replayed.items():
            assert abs(estimate.value - exact[k].value) < 5 * estimate.mc_error + 1e-9, (strategy, k)


def test_single_is_voting_at_1():
    records = noisy_pairs(0.6)
    assert (
        overall(evaluate(arm(records, Single(), (1,)))[0])[1].value
        == overall(evaluate(arm(records, Voting(9), (1, 9)))[0])[1].value
    )


def test_item_order_changes_nothing():
    records = noisy_pairs(0.6, items=40)
    for strategy in (Voting(5), MetaVoting(5), Knockout(5)):
        plan = arm(records, strategy, (1, 2, 5))
        forward = evaluate(plan)[0]
        backward = evaluate(dataclasses.replace(plan, items=plan.items[::-1]))[0]
        assert {k: e.value for k, e in overall(forward).items()} == pytest.approx(
            {k: e.value for k, e in overall(backward).items()}, abs=1e-12
        ), strategy


def test_relabelling_responses_changes_nothing():
    records = noisy_pairs(0.6, items=40)
    swapped = [
        dataclasses.replace(
            r,
            responses=r.responses[::-1],
            gold=r.gold[::-1],
            judgment=dataclasses.replace(r.judgment, shown=tuple(1 - i for i in r.judgment.shown)),
        )
        for r in records
    ]
    for strategy in (Voting(5), MetaVoting(5)):
        a, b = (overall(evaluate(arm(rows, strategy, (1, 2, 5)))[0]) for rows in (records, swapped))
        assert {k: e.value for k, e in a.items()} == pytest.approx({k: e.value for k, e in b.items()})


def best_of_4(samples=6, items=60, seed=3):
    """One-hot picks among four by a judge that is right 6 times in 10."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(items):
        for j in range(samples):
            pick = 0 if rng.random() < 0.6 else int(rng.integers(1, 4))
            scores = tuple(float(pick == r) for r in range(4))
            judgment = Judgment("j", (0, 1, 2, 3), scores, sample=j)
            rows.append(Record(f"q{i}", f"q{i}", "s", ("a", "b", "c", "d"), (1.0, 0.0, 0.0, 0.0), judgment))
    return rows


def test_few_subsets_are_all_counted_and_many_are_sampled():
    few, _ = evaluate(arm(best_of_4(), Voting(6), (1, 3, 6)))
    assert all(e.mc_error == 0 for e in overall(few).values())  # C(6, 3) = 20 subsets
    many, _ = evaluate(arm(best_of_4(samples=16), Voting(16), (8, 16)))
    assert overall(many)[8].mc_error > 0 and overall(many)[16].mc_error == 0
    assert any("Monte Carlo" in n for n in evaluate(arm(best_of_4(samples=16), Voting(8), (8,)))[0].notes)


def test_unusable_judgments_are_counted_and_credited_by_the_protocol():
    rows = [
        Record("q", "q", "", ("a", "b"), (1.0, 0.0), Judgment("j", (0, 1), None, status, sample=i))
        for i, status in enumerate(["unparsed", "truncated", "refused", "failed"])
    ]
    result, _ = evaluate(arm(rows, Voting(4), (1, 4)))
    assert overall(result)[4].value == 0.5  # the fake protocol's credit for a failure
    assert result.health["unparseable"] == 3 and result.health["failed"] == 1
    assert result.headline.ci is None  # one cluster says nothing about others


def test_health_counts_ties_and_order_flips():
    def row(shown, scores):
        return Record("q", "q", "", ("a", "b"), (1.0, 0.0), Judgment("j", shown, scores))

    result, _ = evaluate(arm([row((0, 1), (1.0, 0.0)), row((1, 0), (1.0, 0.0))], Voting(2), (2,)))
    assert result.health["order_flips"] == 1  # it prefers whatever comes first
    result, _ = evaluate(arm([row((0, 1), (0.5, 0.5)), row((1, 0), (1.0, 0.0))], Voting(2), (2,)))
    assert result.health == {"unparseable": 0, "ties": 1, "order_flips": 0, "failed": 0}


def test_the_bounds_of_any_meta_rm():
    result, _ = evaluate(arm(noisy_pairs(0.6), MetaVoting(8), (8,)))
    details = result.details
    assert details["oracle meta RM at k=8"] > result.headline.value > 0.4
    assert details["oracle meta RM at k=8"] > details["plain voting at k=8"] > details["random meta RM at k=8"] - 0.02


def test_cross_fitting_never_sees_the_labels_of_its_own_question():
    """Every question has a judge of its own who is always right or always wrong: only its own labels could tell."""
    rng = np.random.default_rng(0)
    items, pools, right = [], [], []
    for i in range(60):
        label = float(rng.integers(2))
        items.append(Item(f"q{i}", f"q{i}", f"q{i}", ("a", "b"), (1.0, 0.0)))
        p = pool([(1, 0) if rng.random() < 0.5 else (0, 1) for _ in range(6)])
        pools.append(
            dataclasses.replace(p, judgments=tuple(dataclasses.replace(j, judge=f"j{i}") for j in p.judgments))
        )
        right.append(np.full(6, label))
    _, auc = trust("logistic", items, pools, right, seed=0)
    assert auc < 0.65
    # The same labels with a judge name that occurs in other questions too: now they can be told apart.
    shared = []
    for p, r in zip(pools, right):
        named = tuple(dataclasses.replace(j, judge=f"j{int(r[0])}") for j in p.judgments)
        shared.append(dataclasses.replace(p, judgments=named))
    _, auc = trust("logistic", items, shared, right, seed=0)
    assert auc > 0.99


def test_meta_scores_do_not_depend_on_other_judgments_of_the_pool():
    """Dropping one judgment of one test question leaves the scores of its others as they were."""
    plan = arm(noisy_pairs(0.6, items=50), MetaVoting(8), (8,))
    pools = [plan.engine.pool(item, (0, 1)) for item in plan.items]
    right = [(p.scores[:, 0] > p.scores[:, 1]).astype(float) for p in pools]
    whole, _ = trust("logistic", plan.items, pools, right, seed=0)
    first = pools[0]
    cut = dataclasses.replace(
        first, judgments=first.judgments[:-1], shown=first.shown[:-1], scores=first.scores[:-1], meta=first.meta[:-1]
    )
    fewer, _ = trust("logistic", plan.items, [cut, *pools[1:]], [right[0][:-1], *right[1:]], seed=0)
    np.testing.assert_allclose(fewer[0], whole[0][:-1], atol=1e-6)


def test_recorded_meta_scores_reproduce_the_papers_golden_case():
    shown = [((0, 1), (8.0, 8.0), -15.7781), ((1, 0), (9.0, 5.0), 1.3126), ((1, 0), (10.0, 7.0), 1.6739)]
    rows = [
        Record("q", "q", "", ("1", "2"), (0.0, 1.0), Judgment("grm", order, scores, sample=i, meta=meta))
        for i, (order, scores, meta) in enumerate(shown)
    ]
    plan = arm(rows, MetaVoting(3, k_meta=2, meta="recorded"), (3,))
    ((decision,),) = decide(plan, plan.strategy, [3], [{(0, 1): plan.engine.pool(plan.items[0], (0, 1))}])
    assert decision.draws == 0 and credit(plan, [[decision]]).value.tolist() == [[1.0]]
    np.testing.assert_array_equal(plan.engine.pool(plan.items[0], (0, 1)).scores, [[8, 8], [5, 9], [7, 10]])
