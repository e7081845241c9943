"""Intervals: known answers, clusters, sections and weights, and that they hold the truth as often as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from judgescale.harness.stats.intervals import (
    HEADLINES,
    Interval,
    Rollup,
    Units,
    rollup,
)
from judgescale.harness.stats.means import find_beta_intervals, find_mean_intervals
from judgescale.harness.stats.paired import compare_paired, compute_mcnemar_p
from judgescale.harness.stats.spread import count_clusters, measure_spread
from judgescale.harness.types import JudgescaleError


def make(sections: list[str], clusters: list[str], weight: list[float] | None = None) -> Units:
    return Units(np.array(sections), np.array(clusters), np.array(weight or [1.0] * len(sections), dtype=float))


def flat(count: int) -> Units:
    """One section, every unit its own cluster."""
    return make(["s"] * count, [f"c{i}" for i in range(count)])


def shuffled(units: Units, *credits: np.ndarray) -> tuple[Units, list[np.ndarray]]:
    order = np.random.default_rng(0).permutation(len(units.section))
    return Units(units.section[order], units.cluster[order], units.weight[order]), [c[order] for c in credits]


def interval(units: Units, credit: np.ndarray, headline: Rollup = "items", level: float = 0.95) -> tuple[float, float]:
    (found,) = find_mean_intervals(units, np.asarray(credit, dtype=float)[:, None], headline, level)
    assert found is not None
    return found


def find_gap(*arguments: Any, **options: Any) -> tuple[float, Interval]:
    found = compare_paired(*arguments, **options)
    return found.gap, found.interval


MIXED = make(
    ["b", "a", "b", "c", "a", "c", "c", "b"], ["q1", "q2", "q3", "q4", "q5", "q6", "q4", "q1"], [1, 2, 1, 1, 3, 1, 1, 4]
)
CREDIT = np.array([1, 0, 0.5, 1, 1, 0, 0, 1])


def test_rollup_by_hand() -> None:
    for credit in (CREDIT, np.column_stack([CREDIT, 1 - CREDIT])):
        sections, by_items = rollup(MIXED, credit, "items")
        assert list(sections) == ["b", "a", "c"]  # in order of appearance
        np.testing.assert_allclose([np.ravel(v)[0] for v in sections.values()], [5.5 / 6, 3 / 5, 1 / 3])
        assert np.ravel(by_items)[0] == pytest.approx(9.5 / 14)
        assert np.ravel(rollup(MIXED, credit, "sections")[1])[0] == pytest.approx((5.5 / 6 + 3 / 5 + 1 / 3) / 3)
        assert by_items.shape == credit.shape[1:]


def test_math_prm_weighs_as_many_items_as_its_section_says() -> None:
    """RewardBench's Reasoning: 447 math-prm items weigh as 984, beside 984 code items."""
    units = make(["Reasoning"] * 1431, [f"q{i}" for i in range(1431)], [984 / 447] * 447 + [1.0] * 984)
    credit = np.r_[np.ones(447), np.zeros(984)]
    assert rollup(units, credit, "sections")[0]["Reasoning"] == pytest.approx(0.5)
    low, high = interval(units, credit, "sections")
    assert low < 0.5 < high


def test_independent_right_or_wrong_units_are_trials() -> None:
    """The ends lie between those of Jeffreys and of Clopper and Pearson, which SciPy has."""
    for right, n in ((30, 30), (0, 12), (49, 50), (245, 350), (1, 2)):
        low, high = interval(flat(n), np.r_[np.ones(right), np.zeros(n - right)])
        exact = stats.binomtest(right, n).proportion_ci(method="exact")
        jeffreys = stats.beta.ppf([0.025, 0.975], right + 0.5, n - right + 0.5)
        assert exact.low - 1e-3 <= low <= max(jeffreys[0], 0) + 2e-3 or right == 0
        assert jeffreys[1] - 2e-3 <= high <= exact.high + 1e-3 or right == n
        assert low <= right / n <= high and high > low


def test_thirty_of_thirty_are_not_certain() -> None:
    low, high = interval(flat(30), np.ones(30))
    assert high == 1 and 0.85 < low < 0.93
    low, high = interval(make(["s"] * 30, [f"c{i // 5}" for i in range(30)]), np.ones(30))
    assert high == 1 and 0.45 < low < 0.7  # six clusters: all they say is six times right


@pytest.mark.parametrize(("p", "n", "least"), [(0.98, 20, 0.93), (0.98, 50, 0.93), (0.98, 100, 0.93), (0.99, 350, 0.9)])
def test_coverage_near_one(p: float, n: int, least: float) -> None:
    """Exact: the chance of each count times whether its interval holds p. The percentile bootstrap had 33 to 87 %."""
    right = np.arange(n + 1)
    found = find_beta_intervals(right / n, np.full(n + 1, float(n)))
    holds = np.array([low <= p <= high for low, high in found])  # type: ignore[misc]
    assert stats.binom.pmf(right, n, p) @ holds >= least


@pytest.mark.parametrize(("clusters", "size"), [(5, 10), (10, 10), (60, 5)])
def test_coverage_with_clusters(clusters: int, size: int) -> None:
    rng, covered, trials = np.random.default_rng(clusters), 0, 600
    units = make(["s"] * clusters * size, [f"c{i // size}" for i in range(clusters * size)])
    for _ in range(trials):
        chance = np.repeat(rng.beta(3.5, 1.5, size=clusters), size)
        low, high = interval(units, rng.random(clusters * size) < chance)
        covered += low <= 0.7 <= high
    assert 0.92 <= covered / trials <= 0.995


@pytest.mark.parametrize(("pairs", "clusters"), [(64, 8), (60, 60)])
def test_a_paired_test_of_equals_holds_its_level(pairs: int, clusters: int) -> None:
    rng, wrong, trials = np.random.default_rng(0), 0, 600
    units = make(["s"] * pairs, [f"c{i * clusters // pairs}" for i in range(pairs)])
    for _ in range(trials):
        gap = np.repeat(rng.normal(0, 0.15, size=clusters), pairs // clusters)
        a, b = (rng.random((2, pairs)) < 0.6 + np.array([gap, -gap]) / 2).astype(float)
        _, ci = find_gap(units, a, b, "items")
        assert ci is not None
        wrong += not ci[0] <= 0 <= ci[1]
    assert wrong / trials <= 0.075


def test_few_discordant_pairs_are_left_to_mcnemar() -> None:
    for only_a, only_b in ((5, 0), (6, 0), (9, 1), (9, 2), (12, 3), (0, 0)):
        a, b = np.zeros(200), np.zeros(200)
        a[:only_a] = 1
        b[only_a : only_a + only_b] = 1
        gap, ci = find_gap(flat(200), a, b, "items")
        p = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
        assert compute_mcnemar_p(only_a, only_b) == pytest.approx(p) and gap == pytest.approx((only_a - only_b) / 200)
        assert ci is not None and ci[0] < gap < ci[1]
        if p > 0.05:
            assert ci[0] <= 0 <= ci[1]


def test_the_difference_of_a_model_fitted_to_the_other_items_has_twice_the_variance() -> None:
    a, b = np.random.default_rng(5).random((2, 400))
    (gap, plain), (same, fitted) = (find_gap(flat(400), a, b, "items", fitted=f) for f in (False, True))
    assert plain is not None and fitted is not None and gap == same
    assert (fitted[1] - fitted[0]) / (plain[1] - plain[0]) == pytest.approx(2**0.5, abs=0.01)


def test_noise_of_floating_point_is_no_difference() -> None:
    a = np.tile([0.1 + 0.2, 1.0, 0.7], 20)
    found = compare_paired(flat(60), a, np.tile([0.3, 1.0, 0.7], 20), "items")
    assert (found.gap, found.p, found.won, found.lost) == (0.0, 1.0, 0, 0)


def test_a_paired_difference_is_narrower_than_either() -> None:
    rng = np.random.default_rng(3)
    hard = rng.random(300) < 0.5
    a, b = (~hard).astype(float), ((~hard) & (rng.random(300) < 0.9)).astype(float)
    gap, ci = find_gap(flat(300), a, b, "items")
    assert gap == pytest.approx(a.mean() - b.mean()) and ci is not None
    assert np.ptp(ci) < np.ptp(interval(flat(300), a)) and ci[0] > 0


@pytest.mark.parametrize("headline", HEADLINES)
def test_identical_credits_do_not_differ_and_are_not_certain(headline: str) -> None:
    gap, ci = find_gap(MIXED, CREDIT, CREDIT.copy(), headline)
    assert gap == 0 and ci is not None and ci[0] < 0 < ci[1]


@pytest.mark.parametrize("headline", HEADLINES)
def test_duplicating_items_within_their_cluster_changes_nothing(headline: str) -> None:
    twice = np.repeat(np.arange(8), 2)
    credit = CREDIT * 0.8 + 0.1  # fractions: how many units there are tells nothing
    doubled = Units(MIXED.section[twice], MIXED.cluster[twice], MIXED.weight[twice])
    once, again = (
        measure_spread(u, c[:, None], u.weight / u.weight.sum()) for u, c in ((MIXED, credit), (doubled, credit[twice]))
    )
    assert once is not None and again is not None
    np.testing.assert_allclose([once.variance, once.freedom], [again.variance, again.freedom])
    assert once.clusters == pytest.approx(again.clusters)


def test_the_order_of_the_units_does_not_matter() -> None:
    for headline in HEADLINES:
        units, (credit,) = shuffled(MIXED, CREDIT)
        assert interval(units, credit, headline) == pytest.approx(interval(MIXED, CREDIT, headline))


def test_sections_keep_their_say() -> None:
    """A small section has the same say as a large one in a mean of sections; its noise then dominates."""
    units = make(["large"] * 400 + ["small"] * 25, [f"c{i}" for i in range(425)])
    credit = (np.random.default_rng(0).random(425) < 0.5).astype(float)
    low, high = interval(units, credit, "sections")
    large, small = (np.var(credit[units.section == s]) / n for s, n in (("large", 400), ("small", 25)))
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(large + small) / 2, rel=0.12)


def test_width_is_the_analytic_one_where_items_are_many() -> None:
    credit = np.random.default_rng(0).binomial(1, 0.7, size=900).astype(float)
    low, high = interval(flat(900), credit)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(credit.var() / 900), rel=0.03)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.floats(0, 1), st.floats(0.1, 10)),
        min_size=2,
        max_size=30,
    ),
    st.sampled_from(HEADLINES),
)
def test_an_interval_holds_its_estimate_and_has_a_width(
    rows: list[tuple[str, int, float, float]], headline: str
) -> None:
    sections, clusters, credit, weight = zip(*rows)
    units = make(list(sections), [f"q{c}" for c in clusters], list(weight))
    (found,) = find_mean_intervals(units, np.array(credit)[:, None], headline)
    mean = float(rollup(units, np.array(credit), headline)[1])
    if found is not None:
        assert 0 <= found[0] <= mean + 1e-9 and mean - 1e-9 <= found[1] <= 1 and found[0] < found[1]


def test_credits_outside_0_to_1_have_a_t_interval() -> None:
    values = np.random.default_rng(0).normal(5, 2, size=40)
    expected = stats.t.interval(0.95, 39, values.mean(), values.std(ddof=1) / np.sqrt(40))
    assert interval(flat(40), values) == pytest.approx(expected)


def test_one_cluster_has_no_interval() -> None:
    units = make(["a", "a"], ["q1", "q1"])
    none: list[Interval] = [None]
    assert find_mean_intervals(units, np.array([[1.0], [0.0]]), "items") == none
    assert find_gap(units, np.ones(2), np.zeros(2), "items") == (1.0, None)
    # … nor have sections of one cluster each, which is not certainty
    assert find_mean_intervals(make(["a", "b"], ["q1", "q2"]), np.array([[1.0], [0.0]]), "sections") == none


def test_unequal_clusters_count_as_fewer() -> None:
    units = make(["s"] * 12, ["a"] * 9 + ["b", "c", "d"])
    assert count_clusters(units, np.full(12, 1 / 12)) == pytest.approx(144 / 84)
    assert count_clusters(flat(12), np.full(12, 1 / 12)) == pytest.approx(12)


def test_mistakes_are_named() -> None:
    with pytest.raises(JudgescaleError, match="'means'; it can be items or sections"):
        rollup(MIXED, CREDIT, "means")
    with pytest.raises(JudgescaleError, match="no units"):
        rollup(make([], []), np.zeros(0), "items")
    with pytest.raises(JudgescaleError, match="overall"):
        rollup(make(["overall", "x"], ["a", "b"]), np.ones(2), "items")
