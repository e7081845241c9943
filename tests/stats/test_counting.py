"""The closed-form curves against brute force over every subset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.stats.counting import (
    Outcome,
    _count_score_subsets,
    count_distinct_subsets,
    meta_curve,
    plurality_curve,
    subset_indices,
    vote_curve,
)
from judgescale.harness.types import JudgescaleError

VALUES = {
    "verdicts": [-1.0, 0.0, 1.0],
    "scores": [float(v) for v in range(-9, 10)],
    "halves": [v / 2 for v in range(-9, 10)],
    "tenths": [a / 10 - b / 10 for a in range(5) for b in range(5)],  # 0.3 - 0.1 is not 0.2 in floats
    "one quantum": [-0.37, 0.0, 0.37],
    "real": [-1.2345678, -0.31, 2**0.5, 0.1234, 3.3, 0.0, -(2**0.5)],
}
K_META: dict[str, Callable[[int], int]] = {
    "one": lambda k: 1,
    "half": lambda k: max(1, k // 2),
    "all": lambda k: k,
    "all but one": lambda k: max(1, k - 1),
}
# the credit of (first, tie, second, none) when the first response is right
TIE_RULES = {
    "strict": np.array([1, 0, 0, 0]),
    "half": np.array([1, 0.5, 0, 0.5]),
    "one in m, failures wrong": np.array([1, 1 / 2, 0, 0]),
}


def outcome(margins: np.ndarray) -> Outcome:
    """One vote, spelled out."""
    usable = margins[~np.isnan(margins)]
    if not len(usable):
        return Outcome.NONE
    total = usable.sum()
    return Outcome.TIE if abs(total) < 1e-7 else Outcome.FIRST if total > 0 else Outcome.SECOND


def keep_best(margins: np.ndarray, meta: np.ndarray, keep: int) -> list[np.ndarray]:
    """Every choice of the `keep` best of the drawn judgments: lots decide between equals."""
    rank = np.where(np.isnan(margins) | np.isnan(meta), -np.inf, meta)
    least = np.sort(rank)[::-1][keep - 1]
    sure, equal = margins[rank > least], margins[rank == least]
    return [np.concatenate([sure, some]) for some in combinations(equal, keep - len(sure))]


def brute_force(margins: np.ndarray, meta: np.ndarray | None, k: int, keep: int) -> np.ndarray:
    counts = np.zeros(4)
    for subset in combinations(range(len(margins)), k):
        drawn = margins[list(subset)]
        choices = [drawn] if meta is None else keep_best(drawn, meta[list(subset)], keep)
        for voters in choices:
            counts[outcome(voters)] += 1 / len(choices)
    return counts / counts.sum()


@st.composite
def pools(draw: st.DrawFn, largest: int = 8) -> np.ndarray:
    values = st.sampled_from(VALUES[draw(st.sampled_from(sorted(VALUES)))])
    return np.array(draw(st.lists(values | st.just(float("nan")), min_size=1, max_size=largest)))


@st.composite
def ranked_pools(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    margins = draw(pools())
    size = len(margins)
    score = st.sampled_from([0.0, -1.5, 2.25, float("nan"), float("-inf")])
    return margins, np.array(draw(st.lists(score, min_size=size, max_size=size)))


@given(pools())
def test_vote_equals_brute_force(margins: np.ndarray) -> None:
    ks = range(1, len(margins) + 1)
    curve = vote_curve([margins], ks)
    assert curve.exact.all()
    for j, k in enumerate(ks):
        np.testing.assert_allclose(curve.outcomes[0, j], brute_force(margins, None, k, k), atol=1e-12)


@given(ranked_pools(), st.sampled_from(sorted(K_META)))
def test_meta_equals_brute_force(pool: tuple[np.ndarray, np.ndarray], name: str) -> None:
    margins, meta = pool
    ks, k_meta = range(1, len(margins) + 1), K_META[name]
    curve = meta_curve([margins], [meta], ks, k_meta)
    assert curve.exact.all()
    for j, k in enumerate(ks):
        np.testing.assert_allclose(curve.outcomes[0, j], brute_force(margins, meta, k, k_meta(k)), atol=1e-12)


@given(ranked_pools(), st.sampled_from(sorted(TIE_RULES)))
def test_credit_under_every_tie_rule(pool: tuple[np.ndarray, np.ndarray], rule: str) -> None:
    margins, meta = pool
    credit = TIE_RULES[rule]
    for k in range(1, len(margins) + 1):
        drawn = [np.array(subset) for subset in combinations(range(len(margins)), k)]
        plain = np.mean([credit[outcome(margins[s])] for s in drawn])
        best = brute_force(margins, meta, k, max(1, k // 2)) @ credit
        assert vote_curve([margins], [k]).outcomes[0, 0] @ credit == pytest.approx(plain, abs=1e-12)
        halved = meta_curve([margins], [meta], [k], K_META["half"]).outcomes[0, 0]
        assert halved @ credit == pytest.approx(best, abs=1e-12)


@given(st.lists(pools(), min_size=1, max_size=6))
def test_ends_of_the_curve(items: list[np.ndarray]) -> None:
    singles = vote_curve(items, [1]).outcomes[:, 0]
    for margins, single in zip(items, singles, strict=True):
        everyone = vote_curve([margins], [len(margins)])
        np.testing.assert_allclose(single, np.mean([np.eye(4)[outcome(m[None])] for m in margins], axis=0), atol=1e-12)
        np.testing.assert_array_equal(everyone.outcomes[0, 0], np.eye(4)[outcome(margins)])


@given(ranked_pools(), st.sampled_from(sorted(K_META)))
def test_swapping_the_responses_swaps_the_outcomes(pool: tuple[np.ndarray, np.ndarray], name: str) -> None:
    margins, meta = pool
    ks, swapped = range(1, len(margins) + 1), [2, 1, 0, 3]
    vote, mirrored = vote_curve([margins], ks).outcomes, vote_curve([-margins], ks).outcomes
    np.testing.assert_allclose(vote, mirrored[..., swapped], atol=1e-12)
    vote = meta_curve([margins], [meta], ks, K_META[name]).outcomes
    mirrored = meta_curve([-margins], [meta], ks, K_META[name]).outcomes
    np.testing.assert_allclose(vote, mirrored[..., swapped], atol=1e-12)


@given(st.lists(ranked_pools(), min_size=1, max_size=8))
def test_rows_belong_to_their_items(items: list[tuple[np.ndarray, np.ndarray]]) -> None:
    order = np.random.default_rng(len(items)).permutation(len(items))
    margins, meta = [m for m, _ in items], [r for _, r in items]
    ks = range(1, min(map(len, margins)) + 1)
    for curve, shuffled in (
        (vote_curve(margins, ks), vote_curve([margins[i] for i in order], ks)),
        (
            meta_curve(margins, meta, ks, K_META["half"]),
            meta_curve([margins[i] for i in order], [meta[i] for i in order], ks, K_META["half"]),
        ),
    ):
        np.testing.assert_allclose(curve.outcomes[order], shuffled.outcomes, atol=1e-15)
        np.testing.assert_array_equal(curve.exact[order], shuffled.exact)
        np.testing.assert_allclose(curve.outcomes.sum(axis=2), 1, atol=1e-12)
        assert (curve.outcomes >= 0).all()


@given(ranked_pools(), st.integers(0, 1000))
def test_order_of_the_pool_does_not_matter(pool: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    margins, meta = pool
    ks, order = range(1, len(margins) + 1), np.random.default_rng(seed).permutation(len(margins))
    np.testing.assert_allclose(vote_curve([margins], ks)[0], vote_curve([margins[order]], ks)[0], atol=1e-12)
    here = meta_curve([margins], [meta], ks, K_META["half"])
    there = meta_curve([margins[order]], [meta[order]], ks, K_META["half"])
    np.testing.assert_allclose(here.outcomes, there.outcomes, atol=1e-12)


@given(st.lists(pools(), min_size=1, max_size=5))
def test_keeping_all_is_a_plain_vote(items: list[np.ndarray]) -> None:
    ks, rng = range(1, min(map(len, items)) + 1), np.random.default_rng(0)
    kept = meta_curve(items, [rng.normal(size=len(m)) for m in items], ks, lambda k: k)
    np.testing.assert_allclose(kept.outcomes, vote_curve(items, ks).outcomes, atol=1e-12)


def test_equal_meta_scores_are_as_likely_kept() -> None:
    """Whatever their order in the pool; a meta RM that knows nothing is a vote of as many as it keeps."""
    curve = meta_curve([np.array([1.0, -1.0])], [np.zeros(2)], [2], lambda k: 1)
    np.testing.assert_array_equal(curve.outcomes[0, 0], [0.5, 0, 0.5, 0])
    margins = np.random.default_rng(0).integers(-9, 10, size=20).astype(float)
    blind = meta_curve([margins], [np.zeros(20)], [6, 12], K_META["half"]).outcomes[0]
    np.testing.assert_allclose(blind, vote_curve([margins], [3, 6]).outcomes[0], rtol=1e-12)
    sure = meta_curve([np.array([1.0, 3, 1, 1, 3, 1, 1, 1, 3, 1])], [np.zeros(10)], range(1, 11), K_META["half"])
    assert sure.exact.all() and (sure.outcomes[0, :, 0] == 1).all()  # to the last bit


def test_lots_decide_between_equals_where_subsets_are_drawn() -> None:
    rng = np.random.default_rng(0)
    margins, meta = rng.normal(size=12), rng.integers(0, 3, size=12).astype(float)
    drawn, listed = (meta_curve([margins], [meta], [8], lambda k: 5, draws=draws) for draws in (700, 800))
    assert listed.exact.all() and not drawn.exact.any()  # 792 sets of 5
    truth = brute_force(margins, meta, 8, 5)
    np.testing.assert_allclose(listed.outcomes[0, 0], truth, atol=1e-12)
    np.testing.assert_allclose(drawn.outcomes[0, 0], truth, atol=0.06)


def test_golden_case_of_the_grm_paper() -> None:
    """Table 17: (8, 8), (5, 9), (7, 10) in item order; vote (20, 27), k_meta=2 (12, 19), k_meta=1 (7, 10)."""
    scores = np.array([(8, 8), (5, 9), (7, 10)], dtype=float)
    margins, meta = scores[:, 0] - scores[:, 1], np.array([-15.7781, 1.3126, 1.6739])
    assert [keep_best(margins, meta, keep)[0].sum() for keep in (3, 2, 1)] == [-7, -7, -3]
    second = np.eye(4)[Outcome.SECOND]
    np.testing.assert_array_equal(vote_curve([margins], [3]).outcomes[0, 0], second)
    for keep in (1, 2):
        np.testing.assert_array_equal(meta_curve([margins], [meta], [3], lambda k, q=keep: q).outcomes[0, 0], second)
    # a single judgment: one of three is the tie
    np.testing.assert_allclose(vote_curve([margins], [1]).outcomes[0, 0], [0, 1 / 3, 2 / 3, 0])


def exact_verdicts(wins: int, losses: int, unusable: int, n: int, k: int) -> list[float]:
    counts, rest = [0, 0, 0, comb(unusable, k)], n - wins - losses
    for i in range(min(wins, k) + 1):
        for j in range(min(losses, k - i) + 1):
            ways = comb(wins, i) * comb(losses, j) * comb(rest, k - i - j)
            counts[Outcome.FIRST if i > j else Outcome.SECOND if j > i else Outcome.TIE] += ways
    counts[Outcome.TIE] -= counts[Outcome.NONE]
    return [float(Fraction(c, comb(n, k))) for c in counts]


@pytest.mark.parametrize(
    ("wins", "losses", "unusable", "n"),
    [(40, 20, 4, 64), (32, 32, 0, 64), (1, 0, 63, 64), (33, 31, 0, 64), (20, 20, 10, 64), (150, 120, 5, 300)],
)
def test_large_verdict_pools_are_accurate(wins: int, losses: int, unusable: int, n: int) -> None:
    margins = np.repeat([1.0, -1.0, np.nan, 0.0], [wins, losses, unusable, n - wins - losses - unusable])
    ks = [1, 2, 3, n // 4, n // 2, n - 1, n]
    found = vote_curve([margins], ks).outcomes[0]
    np.testing.assert_allclose(
        found, [exact_verdicts(wins, losses, unusable, n, k) for k in ks], rtol=1e-12, atol=1e-14
    )
    if n <= 64:  # beyond, prefixes cost more than they are worth and are sampled
        kept = meta_curve([margins], [np.arange(n)[::-1]], ks, lambda k: k).outcomes[0]
        np.testing.assert_allclose(kept, found, rtol=1e-12, atol=1e-14)


def exact_scores(margins: list[int], k: int) -> list[float]:
    """Subsets of size k by sum, in whole numbers without a limit."""
    by_size: list[dict[int, int]] = [{0: 1}] + [{} for _ in range(k)]
    for m in margins:
        for size in range(k, 0, -1):
            for total, ways in by_size[size - 1].items():
                by_size[size][total + m] = by_size[size].get(total + m, 0) + ways
    sides = [sum(w for t, w in by_size[k].items() if np.sign(t) == sign) for sign in (1, 0, -1)]
    return [float(Fraction(side, comb(len(margins), k))) for side in sides] + [0.0]


@pytest.mark.parametrize("n", [9, 32, 33, 64, 80])
def test_large_score_pools_are_accurate(n: int) -> None:
    margins = np.random.default_rng(n).integers(-9, 10, size=n)
    ks = [1, 2, n // 4, n // 2, n - 1, n]
    expected = [exact_scores(margins.tolist(), k) for k in ks]
    found = vote_curve([margins.astype(float)], ks).outcomes[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    kept = meta_curve([margins.astype(float)], [np.arange(n)], ks, lambda k: k).outcomes[0]
    np.testing.assert_allclose(kept, expected, rtol=1e-12, atol=1e-14)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=20))
def test_both_ways_of_counting_agree(margins: list[float]) -> None:
    """Verdicts have a closed form of their own; the table of sums must give the same."""
    n, ks = len(margins), range(1, len(margins) + 1)
    counts = _count_score_subsets(np.array([margins], dtype=np.int64))[0]
    shares = counts[:, 1:] / [comb(n, k) for k in ks]
    np.testing.assert_allclose(vote_curve([np.array(margins)], ks).outcomes[0, :, :2], shares.T, atol=1e-12)


def test_pools_of_different_sizes_and_kinds_in_one_call() -> None:
    rng = np.random.default_rng(3)
    items = [rng.choice(VALUES[name], size=size) for name in sorted(VALUES) for size in (3, 5, 7)]
    curve = vote_curve(items, [1, 3])
    assert curve.outcomes.shape == (len(items), 2, 4) and curve.exact.all()
    for margins, row in zip(items, curve.outcomes, strict=True):
        np.testing.assert_allclose(row[1], brute_force(margins, None, 3, 3), atol=1e-12)


def test_one_real_valued_judgment_an_item_is_exact() -> None:
    """A scalar reward model: one judgment an item, whatever its value."""
    margins = np.random.default_rng(0).normal(size=500)
    curve = vote_curve(margins[:, None], [1])
    assert curve.exact.all()
    np.testing.assert_array_equal(curve.outcomes[:, 0, Outcome.FIRST], margins > 0)


@pytest.mark.parametrize("ranked", [False, True])
def test_real_margins_are_sampled_and_say_so(ranked: bool) -> None:
    """No lattice and more subsets than draws: Monte Carlo, in agreement with the truth within its error."""
    rng = np.random.default_rng(1)
    items = [rng.normal(0.1, 1, size=14) for _ in range(12)]
    meta = [rng.normal(size=14) for _ in items]
    ks, draws = [1, 4, 13, 14], 500
    drawn = (
        meta_curve(items, meta, ks, K_META["half"], draws=draws, seed=5)
        if ranked
        else vote_curve(items, ks, draws=draws, seed=5)
    )
    assert not drawn.exact.any()
    truth = np.array(
        [
            [brute_force(m, r if ranked else None, k, K_META["half"](k)) for k in ks]
            for m, r in zip(items, meta, strict=True)
        ]
    )
    error = np.sqrt(truth * (1 - truth) / draws)
    assert (np.abs(drawn.outcomes - truth)[:, 1] <= 5 * error[:, 1] + 1e-9).all()
    few = [0, 2, 3]  # where there are few subsets, all of them are taken
    np.testing.assert_allclose(drawn.outcomes[:, few], truth[:, few], atol=1e-12)
    again = (
        meta_curve(items[3:4], meta[3:4], ks, K_META["half"], draws=draws, seed=5)
        if ranked
        else vote_curve(items[3:4], ks, draws=draws, seed=5)
    )
    np.testing.assert_array_equal(again.outcomes[0], drawn.outcomes[3])  # its neighbours do not matter


def test_sampled_items_err_independently() -> None:
    """The error of a mean over items shrinks with the items, though they share one set of subsets."""
    rng = np.random.default_rng(2)
    base = rng.normal(size=14)
    items = [base + 1e-9 * rng.normal(size=14) for _ in range(400)]  # the same pool, but for noise
    found = vote_curve(items, [5], draws=200).outcomes[:, 0, Outcome.FIRST]
    truth = brute_force(base, None, 5, 5)[Outcome.FIRST]
    one = np.sqrt(truth * (1 - truth) / 200)
    assert found.std() == pytest.approx(one, rel=0.25)
    assert abs(found.mean() - truth) < 4 * one / np.sqrt(len(items))


def test_a_very_fine_lattice_is_sampled() -> None:
    margins = np.random.default_rng(0).integers(-(10**6), 10**6, size=40).astype(float)
    assert not vote_curve([margins], [20], draws=50).exact.any()


@pytest.mark.parametrize(("n", "k", "draws", "exact"), [(5, 2, 10, True), (5, 2, 9, False), (4, 4, 1, True)])
def test_subset_indices(n: int, k: int, draws: int, exact: bool) -> None:
    subsets, whole = subset_indices(n, k, draws, np.random.default_rng(0))
    assert whole is exact
    assert subsets.shape == (comb(n, k) if exact else draws, k)
    assert all(len(set(row)) == k and set(row) <= set(range(n)) for row in subsets.tolist())
    if exact:
        assert len({tuple(sorted(row)) for row in subsets.tolist()}) == comb(n, k)


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(1, 9))
def test_random_subsets_are_uniform(n: int, k: int) -> None:
    k = min(n, k)
    subsets, _ = subset_indices(n, k, 4000, np.random.default_rng(n * 10 + k))
    drawn = np.bincount(subsets.ravel(), minlength=n) / len(subsets)
    np.testing.assert_allclose(drawn, k / n, atol=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vote_curve([np.ones(4), np.ones(2)], [1, 3]), "item 1"),
        (lambda: vote_curve([np.ones(4)], [0]), "k=0"),
        (lambda: vote_curve([np.ones(2), np.array([1, np.inf])], [1]), "item 1"),
        (lambda: meta_curve([np.ones(4)], [np.ones(4)], [2], lambda k: 3), "k=2"),
        (lambda: meta_curve([np.ones(4)], [np.ones(4)], [2], lambda k: k // 4), "k=2"),
        (lambda: meta_curve([np.ones(4), np.ones(3)], [np.ones(4)] * 2, [2], lambda k: 1), "item 1"),
        (lambda: meta_curve([np.ones(4)], [], [2], lambda k: 1), "meta"),
    ],
)
def test_mistakes_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(JudgescaleError, match=message):
        call()


def test_nothing_to_do() -> None:
    assert vote_curve([], [1, 2]).outcomes.shape == (0, 2, 4)
    assert vote_curve([np.ones(2)], []).outcomes.shape == (1, 0, 4)


@given(st.lists(st.sampled_from([1.0, -1.0, 0.0, np.nan]), min_size=1, max_size=8))
def test_plurality_curve_equals_brute_force(pool):
    ks = range(1, len(pool) + 1)
    curve = plurality_curve([np.array(pool)], ks)
    for j, k in enumerate(ks):
        expected = np.zeros(4)
        for subset in combinations(pool, k):
            wins, losses, none = (
                sum(x == 1 for x in subset),
                sum(x == -1 for x in subset),
                sum(x != x for x in subset),
            )
            lost = none > max(wins, losses)
            end = (
                Outcome.NONE if lost else (Outcome.FIRST, Outcome.TIE, Outcome.SECOND)[1 - int(np.sign(wins - losses))]
            )
            expected[end] += 1
        np.testing.assert_allclose(curve.outcomes[0, j], expected / expected.sum(), atol=1e-12)
    assert plurality_curve([np.array([1.0, 2.0, np.nan])], [1]) is None


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.data())
def test_distinct_subsets_stand_for_all_of_them(kinds, data):
    kind = np.unique(kinds, return_inverse=True)[1]
    k = data.draw(st.integers(1, len(kinds)))
    subsets, shares = count_distinct_subsets(kind, k, 10_000)
    found = {tuple(sorted(kind[s].tolist())): share for s, share in zip(subsets, shares, strict=True)}
    every = Counter(tuple(sorted(kind[list(s)].tolist())) for s in combinations(range(len(kinds)), k))
    assert len(found) == len(subsets) and found == pytest.approx({s: c / comb(len(kinds), k) for s, c in every.items()})
    assert count_distinct_subsets(kind, k, len(found) - 1) is None
