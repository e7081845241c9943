"""Bootstrap intervals: known answers, clusters, sections and weights."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from judgescale.harness.stats.intervals import (
    HEADLINES,
    Rollup,
    Units,
    bootstrap,
    draw_resamples,
    paired_difference,
    percentile_interval,
    rollup,
)
from judgescale.harness.types import JudgescaleError


def make(sections: list[str], clusters: list[str], weight: list[float] | None = None) -> Units:
    return Units(np.array(sections), np.array(clusters), np.array(weight or [1.0] * len(sections), dtype=float))


def flat(count: int) -> Units:
    """One section, every unit its own cluster."""
    return make(["s"] * count, [f"c{i}" for i in range(count)])


def shuffled(units: Units, *credits: np.ndarray) -> tuple[Units, list[np.ndarray]]:
    order = np.random.default_rng(0).permutation(len(units.section))
    return Units(units.section[order], units.cluster[order], units.weight[order]), [c[order] for c in credits]


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
    low, high = percentile_interval(bootstrap(units, credit, "sections")["Reasoning"]) or (np.nan, np.nan)
    assert low < 0.5 < high


def test_rollup_of_resamples_is_rollup_of_repeated_units() -> None:
    times = np.array([[1, 0, 2, 1, 1, 3, 0, 1], [1] * 8])
    for headline in HEADLINES:
        sections, overall = rollup(MIXED, CREDIT, headline, times)
        rows = np.repeat(np.arange(8), times[0])
        repeated = Units(MIXED.section[rows], MIXED.cluster[rows], MIXED.weight[rows])
        expected = rollup(repeated, CREDIT[rows], headline)
        assert overall[0] == pytest.approx(float(expected[1]))
        assert overall[1] == pytest.approx(float(rollup(MIXED, CREDIT, headline)[1]))
        for name, value in expected[0].items():
            assert sections[name][0] == pytest.approx(float(value))


def test_resamples_draw_whole_clusters_within_sections() -> None:
    times = draw_resamples(MIXED, draws=300, seed=1)
    assert times.shape == (300, 8) and times.dtype == np.float32
    for cluster in np.unique(MIXED.cluster):
        assert np.ptp(times[:, MIXED.cluster == cluster], axis=1).max() == 0
    _, first = np.unique(MIXED.cluster, return_index=True)
    for section in "abc":  # two clusters each, in every replicate
        own = [i for i in first if MIXED.section[i] == section]
        assert (times[:, own].sum(axis=1) == 2).all()
    assert times.mean(axis=0) == pytest.approx(np.ones(8), abs=0.2)


def test_a_cluster_that_spans_sections_is_drawn_whole() -> None:
    units = make(["a", "b", "a", "b", "c", "c"], ["q1", "q1", "q2", "q3", "q4", "q5"])
    times = draw_resamples(units, draws=500)
    np.testing.assert_array_equal(times[:, 0], times[:, 1])
    assert (times[:, [0, 2, 3]].sum(axis=1) == 3).all()  # a and b share a stratum of three clusters
    assert (times[:, [4, 5]].sum(axis=1) == 2).all()
    replicates = bootstrap(units, np.array([1, 0, 0, 1, 1, 0.0]), "sections", draws=500)
    assert np.isnan(replicates["a"]).any()  # neither q1 nor q2 was drawn
    assert not np.isnan(replicates["overall"]).any()
    assert percentile_interval(replicates["a"]) == (0, 1)


@pytest.mark.parametrize("headline", HEADLINES)
@pytest.mark.parametrize("spans", [False, True])
def test_bootstrap_is_rollup_over_resamples(headline: str, spans: bool) -> None:
    rng = np.random.default_rng(4)
    cluster = rng.integers(40, size=200)
    section = rng.integers(3, size=200) if spans else cluster % 3
    units = Units(section.astype(str), cluster.astype(str), rng.uniform(0.5, 2, size=200))
    credit = rng.random((200, 4))
    replicates = bootstrap(units, credit, headline, draws=100, seed=9)
    sections, overall = rollup(units, credit, headline, draw_resamples(units, draws=100, seed=9))
    np.testing.assert_allclose(replicates["overall"], overall)
    for name, values in sections.items():
        np.testing.assert_allclose(replicates[name], values)
    # the order of the units does not matter, nor which other columns there are
    units, (credit,) = shuffled(units, credit)
    np.testing.assert_allclose(bootstrap(units, credit[:, 2], headline, draws=100, seed=9)["overall"], overall[:, 2])


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    units = flat(30)
    whole = draw_resamples(units, draws=50)
    monkeypatch.setattr("judgescale.harness.stats.intervals.BLOCK", 200)
    np.testing.assert_array_equal(draw_resamples(units, draws=50), whole)


def test_width_is_the_analytic_standard_error() -> None:
    credit = np.random.default_rng(0).binomial(1, 0.7, size=900).astype(float)
    replicates = bootstrap(flat(900), credit, "items", draws=4000)["overall"]
    assert replicates.std() == pytest.approx(np.sqrt(credit.var() / 900), rel=0.05)
    low, high = percentile_interval(replicates) or (np.nan, np.nan)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(credit.var() / 900), rel=0.07)


def test_coverage() -> None:
    """A 90 % interval holds the truth about 9 times in 10, with clusters that share a difficulty."""
    rng, covered = np.random.default_rng(1), 0
    units = make(["s"] * 300, [f"c{i // 5}" for i in range(300)])
    for trial in range(200):
        chance = np.repeat(rng.beta(2, 2, size=60), 5)
        low, high = percentile_interval(
            bootstrap(units, rng.random(300) < chance, "items", draws=400, seed=trial)["overall"], level=0.9
        ) or (np.nan, np.nan)
        covered += low <= 0.5 <= high
    assert 0.83 <= covered / 200 <= 0.95


@pytest.mark.parametrize("headline", HEADLINES)
def test_duplicating_items_within_their_cluster_changes_nothing(headline: str) -> None:
    twice = np.repeat(np.arange(8), 2)
    doubled = Units(MIXED.section[twice], MIXED.cluster[twice], MIXED.weight[twice])
    once = bootstrap(MIXED, CREDIT, headline)
    again = bootstrap(doubled, CREDIT[twice], headline)
    for name in once:
        np.testing.assert_allclose(once[name], again[name])
    # as independent items they would look twice as sure
    independent = dataclasses.replace(flat(16), section=doubled.section)
    assert bootstrap(independent, CREDIT[twice], headline)["overall"].std() < 0.9 * once["overall"].std()


def test_sections_keep_their_say() -> None:
    """A small section has the same say as a large one in a mean of sections; its noise then dominates."""
    units = make(["large"] * 400 + ["small"] * 25, [f"c{i}" for i in range(425)])
    credit = (np.random.default_rng(0).random(425) < 0.5).astype(float)
    replicates = bootstrap(units, credit, "sections", draws=4000)
    large, small = (np.var(credit[units.section == s]) / n for s, n in (("large", 400), ("small", 25)))
    assert replicates["overall"].std() == pytest.approx(np.sqrt(large + small) / 2, rel=0.06)
    np.testing.assert_allclose(replicates["overall"], (replicates["large"] + replicates["small"]) / 2)


@pytest.mark.parametrize("headline", HEADLINES)
def test_identical_credits_do_not_differ(headline: str) -> None:
    assert paired_difference(MIXED, CREDIT, CREDIT.copy(), headline) == (0.0, (0.0, 0.0))


@pytest.mark.parametrize("headline", HEADLINES)
def test_paired_difference_uses_the_same_resamples(headline: str) -> None:
    rng = np.random.default_rng(3)
    hard = rng.random(60) < 0.5
    a, b = (~hard).astype(float), ((~hard) & (rng.random(60) < 0.9)).astype(float)
    units = make(["x"] * 20 + ["y"] * 40, [f"c{i // 2}" for i in range(60)])
    difference, found = paired_difference(units, a, b, headline, seed=7)
    both = bootstrap(units, np.column_stack([a, b]), headline, seed=7)["overall"]
    assert difference == pytest.approx(float(rollup(units, a, headline)[1] - rollup(units, b, headline)[1]))
    assert found == pytest.approx(percentile_interval(both[:, 0] - both[:, 1]))
    # paired, it is narrower than either judge's own interval
    assert found is not None and np.ptp(found) < np.ptp(percentile_interval(both[:, 0]) or 0)


@pytest.mark.parametrize("headline", HEADLINES)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_credit_has_no_width(headline: str, value: float) -> None:
    for replicates in bootstrap(MIXED, np.full(8, value), headline).values():
        assert percentile_interval(replicates) == pytest.approx((value, value), abs=1e-12)


def test_one_cluster_has_no_interval() -> None:
    units = make(["a", "a", "b", "b"], ["q1", "q1", "q2", "q3"])
    replicates = bootstrap(units, np.array([1, 0, 1, 0.0]), "sections")
    assert percentile_interval(replicates["a"]) is None
    assert percentile_interval(replicates["b"]) is not None and percentile_interval(replicates["overall"]) is not None
    alone = make(["a", "a"], ["q1", "q1"])
    assert percentile_interval(bootstrap(alone, np.array([1.0, 0.0]), "items")["overall"]) is None
    assert paired_difference(alone, np.ones(2), np.zeros(2), "items") == (1.0, None)


@pytest.mark.parametrize("headline", [*HEADLINES, {"a": 1.0, "b": 0.5}])
def test_sections_of_one_cluster_each_have_no_interval(headline: Rollup) -> None:
    """Nothing is resampled of what the headline counts, which is not certainty."""
    section = ["a", "b", *"cc" * isinstance(headline, dict)]
    replicates = bootstrap(make(section, list("wxyz"[: len(section)])), np.arange(len(section)), headline)
    assert percentile_interval(replicates["overall"]) is None


def test_same_seed_same_replicates() -> None:
    first, second, other = (bootstrap(MIXED, CREDIT, "items", seed=s)["overall"] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_mistakes_are_named() -> None:
    with pytest.raises(JudgescaleError, match="'means'; it can be items or sections"):
        rollup(MIXED, CREDIT, "means")
    with pytest.raises(JudgescaleError, match="no units"):
        rollup(make([], []), np.zeros(0), "items")
    with pytest.raises(JudgescaleError, match="overall"):
        bootstrap(make(["overall", "x"], ["a", "b"]), np.ones(2), "items")


def test_a_section_may_be_all_there_is() -> None:
    replicates = bootstrap(make(["overall"] * 3, ["a", "b", "c"]), np.array([0, 1, 1.0]), "sections")
    assert list(replicates) == ["overall"]
