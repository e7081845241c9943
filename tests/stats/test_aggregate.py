"""Aggregates of k judgments: worked cases, what must not matter to each, ties, gaps, and what guessing earns."""

from __future__ import annotations

import itertools

import choix
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from judgescale.harness.stats.aggregate import AGGREGATES, BY_ORDER, aggregate_scores, count_pairs, fit_davidson

NAMES = sorted(AGGREGATES)
OTHERS = sorted(set(NAMES) - {"sum"})
grades = st.integers(1, 6).map(float)


def ballots(k: int = 6, m: int = 4, replays: int = 2) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.just(replays), st.integers(1, k), st.integers(2, m))
    return shapes.flatmap(lambda shape: arrays.arrays(float, shape, elements=grades))


def say(*judgments: tuple[float | None, ...]) -> np.ndarray:
    return np.array([judgments], float)


def best(decisions: np.ndarray) -> np.ndarray:
    """Which responses are at the top, exactly: (D, m) booleans."""
    found: np.ndarray = decisions == decisions.max(axis=1, keepdims=True)
    return found


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("sum", [30, 28, 25]),
        ("plurality", [2.5 / 4, 1 / 4, 0.5 / 4]),
        ("borda", [6.5 / 8, 3 / 8, 2.5 / 8]),  # each meets two others in four judgments
        ("median", [8, 7, 7]),
        ("trimmed_mean", [8, 7, 7]),  # of four, the middle two
        ("zscore", [7.5, 7, 6.25]),  # of scores that are on one scale
    ],
)
def test_a_case_worked_by_hand(how: str, expected: list[float]) -> None:
    scores = say((9, 4, 8), (5, 10, 3), (7, 6, 7), (9, 8, 7))
    assert aggregate_scores(scores, how)[0] == pytest.approx(expected)


@given(ballots(), st.permutations(range(6)), st.randoms(use_true_random=False))
def test_neither_the_order_of_judgments_nor_that_of_responses_matters(scores, order, random) -> None:
    k, m = scores.shape[1:]
    judgments = [j for j in order if j < k]
    responses = random.sample(range(m), m)
    for how in NAMES:
        plain, moved = (aggregate_scores(s, how) for s in (scores, scores[:, judgments][:, :, responses]))
        np.testing.assert_allclose(moved, plain[:, responses], atol=1e-12)
        np.testing.assert_array_equal(best(moved), best(plain)[:, responses])


@given(ballots(), st.integers(-9, 9), st.sampled_from([0.5, 1.0, 4.0]))
def test_a_common_scale_of_all_scores_changes_no_decision(scores, shift, factor) -> None:
    for how in NAMES:
        np.testing.assert_array_equal(
            best(aggregate_scores(shift + factor * scores, how)), best(aggregate_scores(scores, how))
        )


@given(ballots(), arrays.arrays(float, (1, 6, 1), elements=st.integers(-9, 9).map(float)))
def test_a_shift_of_one_judgment_changes_no_decision_of_a_sum(scores, shifts) -> None:
    """Nor of what looks at the order; a median of each response's scores is another matter."""
    shifted = scores + shifts[:, : scores.shape[1]]
    for how in ("sum", "zscore", *BY_ORDER):
        np.testing.assert_array_equal(best(aggregate_scores(shifted, how)), best(aggregate_scores(scores, how)))
    flipped = say((1, 2), (5, 4), (9, 3))
    assert best(aggregate_scores(flipped, "median")).tolist() == [[True, False]]
    assert best(aggregate_scores(flipped + [[[20.0], [0.0], [-9.0]]], "median")).tolist() == [[True, False]]
    assert best(aggregate_scores(flipped + [[[0.0], [0.0], [-9.0]]], "median")).tolist() == [[False, True]]


@given(ballots())
def test_by_order_only_the_order_within_a_judgment_counts(scores) -> None:
    for how in BY_ORDER:
        np.testing.assert_array_equal(aggregate_scores(np.exp(scores), how), aggregate_scores(scores, how))


@given(ballots(m=2))
def test_of_two_responses_the_one_that_more_judgments_put_first_is_best_by_order(scores) -> None:
    lead = np.sign(scores[..., 0] - scores[..., 1]).sum(axis=1)
    for how in BY_ORDER:
        decision = aggregate_scores(scores, how)
        np.testing.assert_array_equal(np.sign(decision[:, 0] - decision[:, 1]), np.sign(lead))


@given(ballots(k=1))
def test_of_one_judgment_all_put_the_same_first(scores) -> None:
    for how in NAMES:
        np.testing.assert_array_equal(best(aggregate_scores(scores, how)), best(scores[:, 0]))


@given(ballots())
def test_what_is_equal_ties_exactly(scores) -> None:
    """A response beside its copy, scored in tenths, whose sums leave rounding errors in another order."""
    twins = np.concatenate([scores, scores[..., :1]], axis=2) / 10
    twins[..., -1] = twins[:, ::-1, -1]
    for how in sorted(set(NAMES) - BY_ORDER):
        decision = aggregate_scores(twins, how)
        np.testing.assert_array_equal(decision[:, 0], decision[:, -1])
    twins[..., -1] = twins[..., 0]
    for how in BY_ORDER:
        decision = aggregate_scores(twins, how)
        np.testing.assert_array_equal(decision[:, 0], decision[:, -1])


def test_a_median_takes_the_middle_and_a_trimmed_mean_leaves_out_a_quarter() -> None:
    scores = np.random.default_rng(0).integers(1, 11, (50, 9, 3)).astype(float)
    np.testing.assert_allclose(aggregate_scores(scores, "median"), np.median(scores, axis=1))
    for k, off in ((1, 0), (3, 0), (4, 1), (7, 1), (8, 2), (9, 2)):
        middle = np.sort(scores[:, :k], axis=1)[:, off : k - off]
        np.testing.assert_allclose(aggregate_scores(scores[:, :k], "trimmed_mean"), middle.mean(axis=1))


def test_one_wild_score_moves_a_median_less_than_a_sum() -> None:
    scores = say((6, 5), (6, 5), (6, 5), (1, 5), (1e12, 1e13))
    assert best(aggregate_scores(scores, "sum")).tolist() == [[False, True]]
    for how in ("median", "trimmed_mean", *BY_ORDER):
        assert best(aggregate_scores(scores, how)).tolist() == [[True, False]], how


# ---------------------------------------------------------------------------------------------- gaps


@pytest.mark.parametrize("how", NAMES)
def test_judgments_that_say_nothing_abstain(how: str) -> None:
    said = say((9, 4, 8), (5, 10, 3), (7, 6, 7))
    silent = say((9, 4, 8), (None,) * 3, (5, 10, 3), (7, 6, 7), (None,) * 3)
    np.testing.assert_allclose(aggregate_scores(silent, how), aggregate_scores(said, how))
    assert np.isnan(aggregate_scores(say((None,) * 3, (None,) * 3), how)).all()


@pytest.mark.parametrize("how", OTHERS)
def test_a_missing_score_is_left_out_of_its_response_alone(how: str) -> None:
    full = say((9, 4, 8), (9, 4, 8), (9, 4, 8))
    gap = say((9, 4, 8), (None, 4, 8), (9, 4, None))
    assert best(aggregate_scores(gap, how)).tolist() == best(aggregate_scores(full, how)).tolist()
    never = aggregate_scores(say((9, None, 8), (7, None, 8), (8, None, 6)), how)
    assert never[0, 1] < min(never[0, [0, 2]])  # it cannot win; the others are as they were
    alone = aggregate_scores(say((9, 8), (7, 8), (8, 6)), how)
    # what Davidson's prior gives to one who never played moves the others a little
    np.testing.assert_allclose(never[:, [0, 2]], alone, rtol=0.02 if how == "davidson" else 1e-12)


def test_who_is_missing_where_it_would_have_lost_gains_no_votes() -> None:
    """A judgment of one response alone compares nothing."""
    for how in BY_ORDER:
        assert np.isnan(aggregate_scores(say((9, None), (None, 3)), how)).all()
        lopsided = aggregate_scores(say((1, 2), (1, 2), (9, None), (9, None), (9, None)), how)
        assert best(lopsided).tolist() == [[False, True]]


@pytest.mark.parametrize("how", NAMES)
def test_a_lone_response_is_yes_above_one_half_and_split_at_it(how: str) -> None:
    split, yes = say((0.9,), (0.1,), (0.3,), (0.7,)), say((0.9,), (0.8,), (0.6,), (0.3,))
    assert aggregate_scores(split, how).tolist() == [[0.5]]
    assert 0.5 < aggregate_scores(yes, how)[0, 0] <= 1
    np.testing.assert_allclose(aggregate_scores(1 - yes, how), 1 - aggregate_scores(yes, how))


# ---------------------------------------------------------------------------------------------- Davidson's model


def strict(scores: np.ndarray) -> np.ndarray:
    """The same ranking with ties broken by place, so that nothing ties."""
    return scores - np.arange(scores.shape[2]) / 100


@given(ballots(replays=1))
def test_without_ties_davidson_is_bradley_terry(scores) -> None:
    wins, ties = count_pairs(strict(scores))
    strength, nu = fit_davidson(wins, ties)
    assert nu.tolist() == [0.0] and not ties.any()
    theirs = choix.mm_pairwise_dense if hasattr(choix, "mm_pairwise_dense") else choix.ilsr_pairwise_dense
    expected = theirs(wins[0] + 0.1 * (1 - np.eye(scores.shape[2])))
    np.testing.assert_allclose(strength[0], expected - expected.mean(), atol=1e-3)


@given(ballots(replays=3))
def test_davidson_expects_the_points_and_ties_that_there_are(scores) -> None:
    """The equations of its maximum: expected points of each response, and expected ties, are the observed ones."""
    wins, ties = count_pairs(scores)
    strength, nu = fit_davidson(wins, ties)
    m = scores.shape[2]
    own = np.exp(strength)[:, :, None] * (1 - np.eye(m))
    other = np.exp(strength)[:, None, :] * (1 - np.eye(m))
    tie = nu[:, None, None] * np.sqrt(own * other)
    total = own + other + tie + np.eye(m)
    games = wins + wins.transpose(0, 2, 1) + ties + 0.2 * (1 - np.eye(m))
    points = (wins + ties / 2).sum(axis=2) + 0.1 * (m - 1)
    np.testing.assert_allclose((games * (own + tie / 2) / total).sum(axis=2), points, atol=1e-3)
    np.testing.assert_allclose((games * tie / total).sum(axis=(1, 2)), ties.sum(axis=(1, 2)), atol=1e-3)


@given(ballots())
def test_where_all_met_equally_often_davidson_ranks_as_borda_does(scores) -> None:
    borda, davidson = (aggregate_scores(scores, how) for how in ("borda", "davidson"))
    for i, j in itertools.combinations(range(scores.shape[2]), 2):
        sides = (np.sign((d[:, i] - d[:, j]).round(9)) for d in (borda, davidson))
        np.testing.assert_array_equal(*sides)


def test_davidson_finds_the_strengths_that_verdicts_were_drawn_from() -> None:
    rng, truth, nu = np.random.default_rng(1), np.array([0.8, 0.1, -0.9]), 0.7
    wins, ties = np.zeros((2, 1, 3, 3))
    for i, j in itertools.combinations(range(3), 2):
        weights = np.array([np.exp(truth[i]), nu * np.exp((truth[i] + truth[j]) / 2), np.exp(truth[j])])
        first, tied, second = rng.multinomial(20_000, weights / weights.sum())
        wins[0, i, j], wins[0, j, i], ties[0, i, j], ties[0, j, i] = first, second, tied, tied
    strength, found = fit_davidson(wins, ties)
    np.testing.assert_allclose(strength[0], truth - truth.mean(), atol=0.05)
    assert found[0] == pytest.approx(nu, abs=0.05)


@pytest.mark.parametrize("k", [1, 40, 1000])
def test_the_unbeaten_stay_finite(k: int) -> None:
    strength, nu = fit_davidson(*count_pairs(np.tile([3.0, 2.0, 1.0], (1, k, 1))))
    assert np.isfinite(strength).all() and (np.diff(strength) < 0).all() and np.isfinite(nu).all()
    strength, nu = fit_davidson(*count_pairs(np.ones((1, k, 3))))
    assert strength.tolist() == [[0.0, 0.0, 0.0]] and np.isfinite(nu).all()


# ---------------------------------------------------------------------------------------------- guessing


@pytest.mark.parametrize("how", NAMES)
@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_guessing_earns_chance_whatever_puts_it_together(how: str, gaps: float) -> None:
    """Coarse scores at random, so that ties are many; a tie of m earns 1/m, and nothing said the same as a tie of all.

    Broken by the order of the responses, ties would put the first of four well above 25 %.
    """
    rng = np.random.default_rng(7)
    scores = rng.integers(1, 4, (6000, 4, 4)).astype(float)
    scores[rng.random(scores.shape[:2]) < gaps] = np.nan
    decision = np.nan_to_num(aggregate_scores(scores, how))
    top = best(decision)
    earned = top / top.sum(axis=1, keepdims=True)
    assert (top.sum(axis=1) > 1).mean() > 0.05
    error = earned.std(axis=0) / np.sqrt(len(earned))
    assert (np.abs(earned.mean(axis=0) - 0.25) < 4 * error).all()
    assert abs((decision.argmax(axis=1) == 0).mean() - 0.25) > 4 * error[0]  # the test can fail
