"""A budget over items: spent to the judgment, where it helps, blind to gold; live it buys what its replay says."""

from __future__ import annotations

import asyncio
from itertools import combinations

import numpy as np
import pytest
from fakes import pool
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.evaluation.replay import ReplayAll
from judgescale.harness.runner import run
from judgescale.harness.stats.allocation import (
    Scores,
    choose_best,
    describe_scores,
    expect_gain,
    expect_gain_together,
)
from judgescale.harness.strategies.budget import Budget
from judgescale.harness.types import JudgescaleError


def spend(strategy: Budget, scores, ks, draws=3, seed=0):
    """Spend on items given as scores (N, k, n); returns (scores, judgments an item) at each k."""
    pools = []
    for of_item in scores:
        n = len(of_item[0])
        whole = pool(of_item, width=n)
        alone = {(i,): pool([None if s is None else (s[i],) for s in of_item], width=1) for i in range(n)}
        pools.append(alone if strategy.apart else {tuple(range(n)): whole})
    ask = ReplayAll(pools, draws, np.random.default_rng(seed))
    return asyncio.run(strategy.decide_all(ask, ks, np.random.default_rng(seed)))


def noisy_items(rng, clear: int, close: int, samples: int = 8):
    """Items whose first of three responses is the best: by far, without noise, or by little, with much."""
    sure = np.tile([[9.0, 2.0, 1.0]], (clear, samples, 1))
    unsure = np.array([6.0, 5.2, 2.0]) + rng.normal(0, 1.2, (close, samples, 3))
    return [*sure.tolist(), *unsure.tolist()]


@pytest.mark.parametrize("apart", [False, True])
@given(k=st.integers(1, 6), seed=st.integers(0, 5), share=st.sampled_from([0.01, 0.2, 1.0]))
def test_exactly_the_budget_is_spent(apart, k, seed, share):
    items = noisy_items(np.random.default_rng(seed), 5, 7)
    ((_, took),) = spend(Budget(apart=apart, share=share), items, [k], seed=seed)
    assert np.allclose(took.sum(axis=1), 12 * k)
    assert took.min() >= 1 and took.max() <= 8


@pytest.mark.parametrize("apart", [False, True])
def test_clear_items_leave_their_judgments_to_close_ones(apart):
    items = noisy_items(np.random.default_rng(0), 180, 60)
    ((decided, took),) = spend(Budget(apart=apart), items, [2], draws=20)
    assert took[:, :180].mean() < 1.1 and took[:, 180:].mean() > 4
    close = np.array(items[180:])
    plain = np.mean([(close[:, [a, b]].sum(axis=1).argmax(axis=1) == 0).mean() for a, b in combinations(range(8), 2)])
    assert (decided[:, 180:].argmax(axis=2) == 0).mean() > plain + 0.04


def test_at_the_end_of_the_pools_it_is_the_vote_of_all():
    items = noisy_items(np.random.default_rng(1), 3, 9)
    whole = np.mean(items, axis=1)
    for apart in (False, True):
        ((decided, took),) = spend(Budget(apart=apart), items, [8])
        assert np.allclose(decided, whole) and np.allclose(took, 8)


def test_a_larger_budget_goes_on_from_the_smaller_one():
    items = noisy_items(np.random.default_rng(2), 4, 8)
    small, large = spend(Budget(), items, [2, 3])
    assert (small[1] <= large[1]).all()
    assert np.allclose(small[0], spend(Budget(), items, [2])[0][0])


def test_items_of_different_sizes_and_without_a_verdict():
    items = [[(3.0, 1.0)] * 4, [(2.0, 2.0, 2.0, 1.0)] * 4, [None] * 4]
    pools = [{tuple(range(n)): pool(s, width=n)} for s, n in zip(items, (2, 4, 3), strict=True)]
    ask = ReplayAll(pools, 2, np.random.default_rng(0))
    ((decided, took),) = asyncio.run(Budget().decide_all(ask, [2], np.random.default_rng(0)))
    assert np.allclose(took.sum(axis=1), 6)
    assert np.isnan(decided[:, 2]).all() and (decided[:, 0, 0] > decided[:, 0, 1]).all()


def test_the_expected_gain_is_that_of_drawing_the_next_score():
    rng = np.random.default_rng(0)
    mean, variance, number = np.array([[[5.0, 4.6, 3.0]]]), np.full((1, 1, 3), 1.3), np.full((1, 1, 3), 2.0)
    scores = Scores(mean, variance, number)
    step = np.sqrt(1.3 / (2 * 3))
    for i in range(3):
        drawn = np.repeat(mean[0], 400_000, axis=0)
        drawn[:, i] += rng.normal(0, step, len(drawn))
        expected = drawn.max(axis=1).mean() - 5.0
        assert expect_gain(scores)[0, 0, i] == pytest.approx(expected, abs=0.002)
    pair = Scores(mean[..., :2], variance[..., :2], number[..., :2])
    drawn = mean[0, :, :2] + rng.normal(0, step, (400_000, 2))
    assert expect_gain_together(pair)[0, 0, 0] == pytest.approx(drawn.max(axis=1).mean() - 5.0, abs=0.002)


def test_a_response_without_a_score_is_asked_about_again():
    scores = np.full((1, 2, 2, 3), np.nan)
    scores[0, 0, :, 0] = [9, 1]
    scores[0, 1, 0, 0] = 9  # the other one's first judgment was not usable
    gain = expect_gain(describe_scores(scores, np.ones((1, 2, 2))))
    assert gain[0, 1].max() > gain[0, 0].max()


def test_the_best_are_chosen_as_far_as_the_money_goes():
    gain = np.array([[[3.0, 1.0], [5.0, -np.inf], [4.0, 4.5], [-np.inf, -np.inf]]])
    price = np.full((4, 2), 0.5)
    rng = np.random.default_rng(0)
    assert choose_best(gain, price, np.array([1.0]), 4, rng)[0].tolist() == [
        [False, False],
        [True, False],
        [False, True],
        [False, False],
    ]
    assert choose_best(gain, price, np.array([9.0]), 1, rng).sum() == 1
    assert choose_best(gain, price, np.array([9.0]), 4, rng).sum() == 3
    assert not choose_best(gain, price, np.array([0.4]), 4, rng).any()


def test_a_guesser_gains_nothing():
    rng = np.random.default_rng(3)
    items = rng.integers(1, 4, (400, 6, 4)).astype(float).tolist()
    for apart in (False, True):
        ((decided, _),) = spend(Budget(apart=apart), items, [2], draws=16)
        best = decided == decided.max(axis=2, keepdims=True)
        credit = (best[..., 0] / best.sum(axis=2)).mean()
        assert credit == pytest.approx(0.25, abs=3 * np.sqrt(0.25 * 0.75 / 400))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("strategy.share=0", "strategy.share=0: must be above 0"),
        ("strategy.share=abc", "strategy.share=abc"),
        ("strategy.most=many", "strategy.most=many"),
        ("strategy.most=1", "strategy.k=2: the mean cannot be above strategy.most=1"),
        ("strategy.apart=true", "no judgment of these 1 response"),
    ],
)
def test_what_cannot_be_is_told(composed, tmp_path, given, said):
    with pytest.raises(JudgescaleError, match=said):
        run([composed("task=vicuna80_pairs", "strategy=budget", "strategy.k=2", given)], tmp_path / "o", show=False)


def test_lone_responses_are_refused(composed, tmp_path):
    with pytest.raises(JudgescaleError, match="strategy=budget needs at least 2 responses"):
        run([composed("experiment=realmistake", "strategy=budget")], tmp_path / "o", show=False)


def test_live_it_buys_what_its_replay_says(composed, tmp_path):
    given = ["engine=random", "judge=random", "task=sanity", "task.size=40", "strategy=budget", "strategy.k=3"]
    store = f"run.store={tmp_path}/store.sqlite"
    (live,) = run([composed(*given, store)], tmp_path / "live", show=False)
    assert live.compute["judgments"] == 120 and len(live.judgments) == 120
    of_item = {row["item"]: row["sample"] + 1 for row in live.judgments}
    assert len(of_item) == 40 and max(of_item.values()) > 3
    (again,) = run([composed(*given, store)], tmp_path / "again", show=False)
    assert live.judging == {} and sum("judging them again would give is not known" in note for note in live.notes) == 1
    assert again.headline == live.headline and list(again.judgments) == list(live.judgments)
