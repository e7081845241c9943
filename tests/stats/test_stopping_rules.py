"""When to stop: golden cases of each rule, and the error that the anytime rule promises and others do not keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from judgescale.harness.stats.stopping_rules import (
    RULES,
    agrees,
    cast_votes,
    find_mode_probability,
    has_clear_mode,
    has_lead,
    is_certain,
    is_consistent,
    mix_likelihoods,
    passes_mixture_test,
    passes_ratio_test,
)


def count(*counts: int) -> np.ndarray:
    """Votes of one replay: so many for the first, then for the second, …"""
    return np.repeat(np.eye(len(counts)), counts, axis=0)[None]


def one_by_one(*preferred: int | None, n: int = 2) -> np.ndarray:
    """Votes of one replay in order: whom each judgment prefers, None where it is unusable."""
    return np.array([[np.full(n, np.nan) if i is None else np.eye(n)[i] for i in preferred]])


PAIRS = [(f, s) for f in range(41) for s in range(f + 1) if f]


def test_the_sprt_of_consol_is_a_lead_of_3() -> None:
    """So is its mixture test: with p so close to 1/2, only the difference of the counts is left."""
    for f, s in PAIRS:
        expected = f - s >= 3
        assert passes_ratio_test(count(f, s), **RULES["sprt"].options)[0] == expected, (f, s)
        assert passes_mixture_test(count(f, s), **RULES["msprt"].options)[0] == expected, (f, s)
        assert has_lead(count(f, s), 3)[0] == expected


def test_walds_boundaries() -> None:
    """p1 = .8: a vote for the leader is worth ln 1.6, one against it ln .4; it stops at ln 18 and at ln(1/9.5)."""
    options = {"p1": 0.8, "alpha": 0.05, "beta": 0.1}
    stops = {(f, s): bool(passes_ratio_test(count(f, s), **options)[0]) for f, s in [(6, 0), (7, 0), (6, 6), (5, 5)]}
    assert stops == {(6, 0): False, (7, 0): True, (6, 6): True, (5, 5): False}  # 6 x .470 < 2.890; 6 x -.446 < -2.251


def test_adaptive_consistency_by_hand() -> None:
    """Of f votes to none, 1 - 2^-(f + 1) is above a half; else by the posterior's own distribution function."""
    assert [bool(is_consistent(count(f, 0), 0.95)[0]) for f in range(1, 6)] == [False, False, False, True, True]
    assert is_consistent(count(3, 0), 0.9375)[0] and not is_consistent(count(3, 0), 0.9376)[0]
    for f, s in PAIRS[::7]:
        assert is_consistent(count(f, s), 0.9)[0] == (stats.beta.sf(0.5, f + 1, s + 1) >= 0.9)


def test_only_the_two_leading_count() -> None:
    for rule in ("lead", "adaptive_consistency", "sprt", "msprt"):
        is_clear, options = RULES[rule]
        for f in range(1, 9):
            assert is_clear(count(1, f, 2, 0), **options)[0] == is_clear(count(f, 2), **options)[0]


def test_the_last_ones_agree() -> None:
    assert agrees(one_by_one(1, 0, 0), 2)[0] and not agrees(one_by_one(0, 0, 1), 2)[0]
    assert agrees(one_by_one(0, None, 0), 2)[0]  # an unusable one is no vote, neither for nor against
    assert not agrees(one_by_one(0, None), 2)[0] and not agrees(one_by_one(0), 2)[0]
    tied = cast_votes(np.array([[[7, 7, 1], [7, 7, 2]]], float))
    assert not agrees(tied, 2)[0]  # two who cannot decide do not agree on one


def test_a_judgment_has_one_vote_that_its_best_share() -> None:
    votes = cast_votes(np.array([[[8, 8, 2], [3, 9, 1], [np.nan, 1, 2]]]))
    assert votes[0, :2].tolist() == [[0.5, 0.5, 0], [0, 1, 0]] and np.isnan(votes[0, 2]).all()
    assert cast_votes(np.array([[[0.7], [0.5], [0.0]]])).tolist() == [[[1, 0], [0.5, 0.5], [0, 1]]]  # yes, ?, no
    thirds = cast_votes(np.ones((1, 3, 3)))
    assert not has_lead(thirds, 1e-6)[0] and has_lead(np.concatenate([thirds, one_by_one(0, n=3)], axis=1), 1)[0]


@pytest.mark.parametrize(("f", "s", "prior"), [(0, 0, 1.0), (3, 1, 1.0), (5, 5, 0.5), (9, 2, 4.0), (2, 7, 2.0)])
def test_the_mixture_is_the_integral(f: int, s: int, prior: float) -> None:
    def weigh(p: float) -> float:
        return float((2 * p) ** f * (2 * (1 - p)) ** s * 2 * stats.beta.pdf(p, prior, prior))

    expected = integrate.quad(weigh, 0.5, 1)[0]
    assert np.exp(mix_likelihoods(np.array(f), np.array(s), prior)) == pytest.approx(expected, rel=1e-6)


def test_the_chance_of_being_the_mode() -> None:
    """Of two by the Beta distribution; of four that are alike a quarter; else as often as in drawn shares."""
    for f, s in [(3, 1), (5, 0), (2.5, 1.5), (30, 20)]:
        assert find_mode_probability((f, s), 1.0) == pytest.approx(stats.beta.sf(0.5, f + 1, s + 1), abs=1e-9)
    assert find_mode_probability((2.0,) * 4, 0.5) == pytest.approx(0.25, abs=1e-9)
    drawn = np.random.default_rng(0).dirichlet([6, 4, 3, 1], 200_000)
    assert find_mode_probability((5.0, 3.0, 2.0, 0.0), 1.0) == pytest.approx((drawn.argmax(1) == 0).mean(), abs=4e-3)


def test_the_bayes_factor_is_1_before_any_vote() -> None:
    """3 to none of two: 15 to 1. And without a vote the odds are what they were, whatever n."""
    assert has_clear_mode(count(3, 0), 14.9, 1)[0] and not has_clear_mode(count(3, 0), 15.1, 1)[0]
    for n in (2, 3, 5):
        nothing = np.full((1, 1, n), np.nan)
        assert not has_clear_mode(nothing, 1.001, 1)[0] and has_clear_mode(nothing, 0.999, 1)[0]


def test_no_rule_stops_where_nothing_is_known() -> None:
    for is_clear, options in RULES.values():
        for votes in (np.full((3, 4, 2), np.nan), np.full((3, 4, 3), 1 / 3)):
            assert not is_clear(votes, **options).any()


def simulate(
    chances: list[float], judgments: int, items: int, alpha: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look at every item's votes after each judgment.

    Returns at which the anytime rule first stops (0 = never), whom it then names, and at which a test of the leader
    against the second at this level, made anew at every look, first does.
    """
    n, rng = len(chances), np.random.default_rng(seed)
    votes = np.eye(n)[rng.choice(n, size=(items, judgments), p=chances)]
    counts = votes.cumsum(axis=1)
    when, naive, named = np.zeros(items, int), np.zeros(items, int), np.zeros(items, int)
    for j in range(1, judgments + 1):
        rows = np.flatnonzero(when == 0)
        stop = rows[is_certain(votes[rows, :j], alpha)]
        when[stop], named[stop] = j, counts[stop, j - 1].argmax(axis=1)
        f, s = np.sort(counts[:, j - 1], axis=1)[:, [-1, -2]].T
        naive[(naive == 0) & (stats.binom.sf(f - 1, f + s, 0.5) <= alpha)] = j
    return when, named, naive


@pytest.mark.parametrize("chances", [[0.5, 0.5], [0.52, 0.48], [0.25] * 4, [0.3, 0.3, 0.2, 0.2]])
def test_the_anytime_rule_keeps_its_level_at_every_look(chances: list[float]) -> None:
    """Errors: a response is named that is not preferred to every other. A level tested anew at each look is lost."""
    alpha, items = 0.1, 1000
    when, named, naive = simulate(chances, 60, items, alpha, seed=1)
    best = [i for i, p in enumerate(chances) if p == max(chances)]
    wrong = (when > 0) & ((named != best[0]) | (len(best) > 1))
    assert wrong.mean() <= alpha + 2 * np.sqrt(alpha * (1 - alpha) / items)
    if len(best) > 1:
        assert (naive > 0).mean() > 1.5 * alpha


def test_the_anytime_rule_does_stop() -> None:
    when, named, _ = simulate([0.7, 0.1, 0.1, 0.1], 60, 200, 0.05, seed=2)
    assert (when > 0).mean() > 0.95 and (named[when > 0] == 0).all()
    first = next(j for j in range(1, 20) if is_certain(count(j, 0), 0.05)[0])
    assert first == 7  # votes of seven to none: a gain of 53.6, above 2/.05; of six 28.9
