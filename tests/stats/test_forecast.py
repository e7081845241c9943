"""Forecasts of voting@k: known mixtures, the models' parts by hand, moment bounds, and what a difference costs."""

from __future__ import annotations

from math import comb, inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from judgescale.harness.stats import forecast as model
from judgescale.harness.stats.counting import Outcome, vote_curve
from judgescale.harness.stats.forecast import (
    Forecast,
    ScorePilot,
    VotePilot,
    are_picks,
    forecast,
    list_cells,
    make_grid,
    measure_pilot,
    vote_at,
    weigh_cells,
)
from judgescale.harness.stats.moments import bound_mixture, bound_votes, list_constraints
from judgescale.harness.stats.power import count_items, find_smallest_difference


def majority(p: float, k: int) -> float:
    """The binomial formula, ties worth a half."""
    return sum(comb(k, r) * p**r * (1 - p) ** (k - r) * ((r > k - r) + 0.5 * (2 * r == k)) for r in range(k + 1))


def exact_pilot(points: list[float], share: list[float], k: int) -> VotePilot:
    """A pilot without sampling error: one item a cell, weighing as much as the cell is likely."""
    cells = list_cells(k)
    chances = np.array([(p, 0.0, 1 - p) for p in points])
    weight = np.array(share) @ weigh_cells(chances, k)
    return VotePilot(cells, np.full(len(cells), 0.5), weight, np.arange(len(cells)))


def drawn_pilot(points: list[float], k: int, items: int = 400, seed: int = 0) -> VotePilot:
    """Items of each p in turn."""
    rng = np.random.default_rng(seed)
    right = rng.binomial(k, np.resize(points, items))
    counts = np.stack([right, 0 * right, k - right], axis=1)
    return VotePilot(counts, np.full(items, 0.5), np.ones(items), np.arange(items))


def normal_scores(items: int, k: int, seed: int, apart: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Scores of three responses with an error of 1.5, the first one right; and their true means."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(items, 3)) + np.array([apart, 0, 0])
    return mean[:, None] + 1.5 * rng.normal(size=(items, k, 3)), mean


def score_pilot(scores: np.ndarray, tie: float = 1 / 3) -> ScorePilot:
    right = np.zeros(scores.shape[::2], dtype=bool)
    right[:, 0] = True
    count = len(scores)
    return ScorePilot(scores, right, np.full(count, tie), np.ones(count), np.arange(count))


def at(found: Forecast, k: float) -> float:
    return float(found.value[found.ks.index(k)])


# --------------------------------------------------------------------------------------------------------- votes


@pytest.mark.parametrize("k", [1, 2, 5, 8, 33])
def test_votes_at_a_point_are_the_binomial_formula(k: int) -> None:
    right, tied = vote_at(np.array([(0.6, 0.0, 0.4)]), k)
    assert right[0] + tied[0] / 2 == pytest.approx(majority(0.6, k), abs=1e-12)


def test_ties_abstain() -> None:
    right, tied = vote_at(np.array([(0.5, 0.3, 0.2)]), 2)
    assert right[0] == pytest.approx(0.5**2 + 2 * 0.5 * 0.3) and tied[0] == pytest.approx(0.3**2 + 2 * 0.5 * 0.2)


def test_in_the_limit_the_more_likely_side_wins() -> None:
    right, tied = vote_at(np.array([(0.3, 0.5, 0.2), (0.5, 0, 0.5), (0.4, 0, 0.6), (0, 1, 0)]), inf)
    assert right.tolist() == [1, 0, 0, 0] and tied.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("p", [0.35, 0.5, 0.65])
def test_items_that_are_all_alike(p: float) -> None:
    found = forecast(exact_pilot([p], [1.0], 4), [1, 4, 8])
    assert at(found, 1) == pytest.approx(p) and at(found, 4) == pytest.approx(majority(p, 4))
    assert at(found, 8) == pytest.approx(majority(p, 8), abs=0.015)


def test_two_kinds_of_items() -> None:
    """Of a pilot of 2, moments up to the second are known; a pilot of 6 tells two points nearly apart."""
    truth = 0.3 * majority(0.3, 12) + 0.7 * majority(0.8, 12)
    errors = [abs(at(forecast(exact_pilot([0.3, 0.8], [0.3, 0.7], k), [12]), 12) - truth) for k in (2, 6)]
    assert errors[0] < 0.03 and errors[1] < 0.015


def test_voting_may_make_it_worse() -> None:
    found = forecast(drawn_pilot([0.35, 0.4, 0.45], 4), [1, 4, 8, 16])
    assert found.value.tolist() == sorted(found.value, reverse=True) and at(found, 16) < at(found, 4) - 0.02


def test_what_is_settled_stays() -> None:
    found = forecast(drawn_pilot([0.0, 1.0, 1.0, 1.0], 3), [3, 8, 64, inf])
    assert np.allclose(found.value, 0.75, atol=1e-4) and np.allclose(found.moved, 0, atol=1e-4)


def test_measured_points_are_those_of_the_curve() -> None:
    pilot = drawn_pilot([0.3, 0.7, 0.9], 5, items=30)
    margins = [np.repeat([1.0, -1.0], (right, wrong)) for right, _, wrong in pilot.counts]
    outcomes, _ = vote_curve(margins, [1, 2, 5])
    credit = (outcomes[..., Outcome.FIRST] + outcomes[..., Outcome.TIE] / 2).mean(axis=0)
    np.testing.assert_allclose(forecast(pilot, [1, 2, 5]).value, credit)


def test_a_tie_is_worth_what_it_is_to_the_item() -> None:
    """Of a lone response a split vote says no: right where that is the label, which the other half of items loses."""
    counts = np.tile([1, 0, 1], (100, 1))
    pilot = VotePilot(counts, np.repeat([1.0, 0.0], [80, 20]), np.ones(100), np.arange(100))
    assert forecast(pilot, [2]).value[0] == pytest.approx(0.8)


def test_weights_make_the_headline() -> None:
    pilot = drawn_pilot([0.9, 0.3], 3, items=200)
    heavy = VotePilot(pilot.counts, pilot.tie, np.resize([3.0, 1.0], 200), pilot.cluster)
    assert at(forecast(heavy, [8]), 8) > at(forecast(pilot, [8]), 8) + 0.1


def test_votes_that_differ() -> None:
    found = forecast(exact_pilot([0.6], [1.0], 6), [1, inf])
    assert found.discordant[0] == pytest.approx(2 * 0.6 * 0.4, abs=0.01)
    assert found.discordant[1] == pytest.approx(0, abs=0.05)


def test_more_items_make_it_surer_and_items_of_one_cluster_do_not() -> None:
    few, many = drawn_pilot([0.4, 0.7, 0.9], 3, items=60), drawn_pilot([0.4, 0.7, 0.9], 3, items=960)
    width = [float(np.ptp([f.low[0], f.high[0]])) for f in (forecast(few, [8]), forecast(many, [8]))]
    assert width[1] < 0.6 * width[0]
    copies = VotePilot(*(np.repeat(a, 16, axis=0) for a in (few.counts, few.tie, few.weight, few.cluster)))
    found = forecast(copies, [8])
    assert found.high[0] - found.low[0] == pytest.approx(width[0], rel=0.05) and found.clusters == pytest.approx(60)


def test_nothing_is_certain_where_all_votes_were_right() -> None:
    found = forecast(drawn_pilot([1.0], 3, items=50), [1, 8])
    assert found.value.tolist() == [1, 1] and (found.low < 0.97).all() and (found.high == 1).all()


def test_a_single_cluster_tells_nothing() -> None:
    pilot = drawn_pilot([0.6], 3, items=20)
    found = forecast(VotePilot(pilot.counts, pilot.tie, pilot.weight, np.zeros(20)), [8])
    assert (found.low[0], found.high[0]) == (0, 1)


@pytest.mark.parametrize("points", [[0.4, 0.8], [0.3, 0.45, 0.55, 0.7], [0.55, 0.95, 0.95]])
def test_intervals_hold_the_truth(points: list[float]) -> None:
    truth = float(np.mean([majority(p, 8) for p in points]))
    held = 0
    for seed in range(40):
        found = forecast(drawn_pilot(points, 2, items=210, seed=seed), [8])
        held += bool(found.low[0] <= truth <= found.high[0])
    assert held >= 35


# -------------------------------------------------------------------------------------------------------- scores


def test_the_best_of_two_normal_scores_by_hand() -> None:
    means, right = np.array([[0.7, 0.0], [-0.2, 0.5]]), np.array([[True, False], [True, False]])
    won = model._win_normal(means, right, 0.8, np.zeros(2))
    np.testing.assert_allclose(won, stats.norm.cdf([0.7, -0.7], scale=0.8 * sqrt(2)), atol=1e-6)
    short = model._win_normal(means, right, 0.8, np.array([0.1, 0.1]))
    np.testing.assert_allclose(short, stats.norm.cdf([0.6, -0.8], scale=0.8 * sqrt(2)), atol=1e-6)


def test_chances_to_be_best_sum_to_one() -> None:
    means = np.array([[0.3, 0.0, -1.0, np.nan], [2.0, 2.0, 2.0, 2.0]])
    each = [model._win_normal(means, np.eye(4, dtype=bool)[[r, r]], 0.5, np.zeros(2)) for r in range(4)]
    np.testing.assert_allclose(np.sum(each, axis=0), 1, atol=1e-5)
    assert each[3][0] == 0 and each[3][1] == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("pilot", [2, 4])
def test_scores_of_which_the_truth_is_known(pilot: int) -> None:
    scores, mean = normal_scores(3000, pilot, seed=pilot)
    found = forecast(score_pilot(scores), [1, 12, inf])
    drawn = mean[:, None] + 1.5 / sqrt(12) * np.random.default_rng(1).normal(size=(3000, 50, 3))
    assert at(found, 12) == pytest.approx((drawn.argmax(axis=2) == 0).mean(), abs=0.025)
    assert at(found, inf) == pytest.approx((mean.argmax(axis=1) == 0).mean(), abs=0.035)
    assert found.low[1] < at(found, 12) < found.high[1]


def test_a_judge_that_always_says_the_same_gains_nothing() -> None:
    scores = np.repeat(normal_scores(40, 1, seed=0)[0], 3, axis=1)
    found = forecast(score_pilot(scores), [3, 8, inf])
    assert np.ptp(found.value) == pytest.approx(0, abs=1e-9)


def test_what_moves_all_responses_alike_is_no_error() -> None:
    scores, _ = normal_scores(200, 3, seed=3)
    shifted = scores + np.random.default_rng(0).normal(scale=20, size=(200, 3, 1))
    np.testing.assert_allclose(
        forecast(score_pilot(shifted), [8]).value, forecast(score_pilot(scores), [8]).value, atol=1e-9
    )


def test_the_order_of_responses_does_not_matter() -> None:
    scores, _ = normal_scores(60, 3, seed=4)
    pilot, turn = score_pilot(scores), [2, 0, 1]
    turned = ScorePilot(scores[:, :, turn], pilot.right[:, turn], pilot.tie, pilot.weight, pilot.cluster)
    np.testing.assert_allclose(forecast(turned, [8, inf]).value, forecast(pilot, [8, inf]).value, atol=1e-9)


def test_where_ties_are_wrong_votes_gain_more() -> None:
    scores = np.rint(normal_scores(300, 2, seed=5)[0])
    gains = [np.diff(forecast(score_pilot(scores, tie), [2, 8]).value)[0] for tie in (1 / 3, 0.0)]
    assert gains[1] > gains[0] + 0.02


def test_picks_are_told_from_scores() -> None:
    picks = np.array([[[1, 0, 0], [0, 0.5, 0.5]], [[0, 1, np.nan], [np.nan] * 3]])
    assert are_picks(picks) and not are_picks(2 * picks) and not are_picks(np.array([[[0.2, 0.5, 0.3]]]))
    pilot = score_pilot(np.tile(picks[:1], (40, 1, 1)))
    assert forecast(pilot, [8]).model_error[0] > forecast(score_pilot(2 * pilot.scores), [8]).model_error[0]


def test_unusable_judgments_and_missing_responses() -> None:
    scores, _ = normal_scores(80, 3, seed=6)
    scores[::5, 1] = np.nan  # one judgment of every fifth item
    scores[0] = np.nan  # none of the first
    scores[1::4, :, 2] = np.nan  # items of two responses
    pilot = score_pilot(scores)
    found = forecast(pilot, [1, 3, 8, inf])
    assert np.isfinite(found.value).all() and (found.value > 0.3).all()
    assert measure_pilot(pilot, [3])[3][0] == pytest.approx(1 / 3)


# -------------------------------------------------------------------------------------------------------- bounds


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), min_size=1, max_size=4),
    st.integers(2, 5),
    st.sampled_from([3, 8, 21]),
)
def test_bounds_hold_every_mixture(parts: list[tuple[int, int]], order: int, k: int) -> None:
    grid = make_grid(decided=41, tied=1)
    points, share = grid[[i for i, _ in parts]], np.array([w for _, w in parts]) / sum(w for _, w in parts)
    told = list_constraints(order, 0.5) @ (share @ weigh_cells(points, order))
    right, tied = vote_at(points, k)
    truth = float(share @ (right + tied / 2))
    (low, high), (wide_low, wide_high) = (
        bound_mixture(told, np.full(len(told), slack), order, [k], 0.5)[0] for slack in (0.0, 0.02)
    )
    assert low - 1e-4 <= truth <= high + 1e-4
    assert wide_low <= low + 1e-4 and wide_high >= high - 1e-4


def test_more_moments_bound_closer() -> None:
    widths, points = [], make_grid(decided=41, tied=1)[[17, 26]]  # .38 and .73
    for order in (2, 3, 4):
        told = list_constraints(order, 0.5) @ weigh_cells(points, order).mean(axis=0)
        widths.append(float(np.diff(bound_mixture(told, np.zeros(len(told)), order, [9], 0.5)[0])[0]))
    assert widths == sorted(widths, reverse=True) and widths[0] > 2 * widths[-1]


def test_two_moments_by_hand() -> None:
    """E[p] = 1/2 and E[p^2] = 1/4 leave one mixture: every item a coin."""
    told = list_constraints(2, 0.5) @ weigh_cells(np.array([(0.5, 0, 0.5)]), 2)[0]
    np.testing.assert_allclose(bound_mixture(told, np.zeros(len(told)), 2, [3, 9, inf], 0.5), 0.5, atol=1e-4)


def test_bounds_are_wider_for_fewer_items_and_hold_the_forecast() -> None:
    widths = []
    for items in (60, 600):
        pilot = drawn_pilot([0.4, 0.8, 0.9], 3, items=items)
        low, high = bound_votes(pilot, [8])[0]
        assert low <= at(forecast(pilot, [8]), 8) <= high
        widths.append(high - low)
    assert widths[0] > widths[1]


# --------------------------------------------------------------------------------------------------------- power


def test_items_for_a_difference_by_hand() -> None:
    """(1.95996 sqrt(.2) + .84162 sqrt(.2 - .0025))^2 / .0025 = 625.6."""
    assert count_items(0.2, 0.05) == 626
    assert count_items(0.2, 0.01) > 20 * 626  # a fifth of the difference, 25 times the items
    assert count_items(0.01, 0.2) is None  # so few differ that they cannot make it


def test_so_many_items_see_it() -> None:
    rng = np.random.default_rng(0)
    ahead = rng.choice([1, 0, -1], p=[0.125, 0.8, 0.075], size=(2000, 626))
    wins, losses = (ahead > 0).sum(axis=1), (ahead < 0).sum(axis=1)
    seen = np.abs(wins - losses) > 1.96 * np.sqrt(wins + losses)  # McNemar's test
    assert seen.mean() == pytest.approx(0.8, abs=0.03)


@given(st.floats(0.01, 0.9), st.floats(0.05, 0.9))
def test_the_smallest_difference_takes_the_items_at_hand(discordant: float, part: float) -> None:
    difference = part * sqrt(discordant)
    needed = count_items(discordant, difference)
    assert needed is not None
    assert find_smallest_difference(discordant, needed) == pytest.approx(difference, rel=0.35)
    assert find_smallest_difference(discordant, needed) <= difference + 1e-9
