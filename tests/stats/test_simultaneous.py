"""Many comparisons at once: calibrated, no smaller than the p-value of one, and blind to the order of the columns."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from judgescale.harness.stats.intervals import Units
from judgescale.harness.stats.paired import compare_paired
from judgescale.harness.stats.simultaneous import compare_pairs, draw_headlines, find_chances


def make_units(items: int, of_cluster: int = 1) -> Units:
    cluster = np.repeat(np.arange(items // of_cluster), of_cluster).astype(str)
    return Units(np.full(items, ""), cluster, np.ones(items))


def list_pairs(arms: int) -> np.ndarray:
    return np.array(list(combinations(range(arms), 2)))


def test_one_pair_is_the_paired_test_of_everywhere_else():
    rng = np.random.default_rng(0)
    units, credit = make_units(200, 2), rng.choice([0, 0.5, 1], (200, 2), p=[0.3, 0.3, 0.4])
    credit[:60, 0] = 1
    found = compare_pairs(draw_headlines(units, credit, "items"), list_pairs(2))
    one = compare_paired(units, credit[:, 0], credit[:, 1], "items")
    assert np.isclose(found.gap[0], one.gap) and np.isclose(found.p[0], one.p, rtol=1e-6)
    assert abs(found.adjust(found.p)[0] - one.p) < 0.02  # of one comparison nothing is granted


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 6))
def test_granting_many_never_makes_one_surer(seed, arms):
    rng = np.random.default_rng(seed)
    units, credit = make_units(60), rng.integers(0, 2, (60, arms)).astype(float)
    found = compare_pairs(draw_headlines(units, credit, "items", 500), list_pairs(arms))
    adjusted = found.adjust(found.p)
    assert (adjusted >= found.p).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(found.p)]) >= 0).all()


def test_of_equally_good_arms_one_in_twenty_tables_makes_a_claim():
    rng, sets, claims = np.random.default_rng(3), 120, 0
    for _ in range(sets):
        found = compare_pairs(
            draw_headlines(make_units(40), rng.integers(0, 2, (40, 8)).astype(float), "items", 800), list_pairs(8)
        )
        claims += found.adjust(found.p).min() <= 0.05
    assert 1 <= claims <= binom.isf(0.001, sets, 0.05)


def test_a_better_arm_is_told_and_copies_of_it_cost_nothing():
    rng = np.random.default_rng(4)
    good, bad = (rng.random(300) < 0.9).astype(float), (rng.random(300) < 0.7).astype(float)
    units = make_units(300)
    few = compare_pairs(draw_headlines(units, np.column_stack([good, bad]), "items"), list_pairs(2))
    credit = np.column_stack([*[good] * 6, *[bad] * 6])
    many = compare_pairs(draw_headlines(units, credit, "items"), list_pairs(12))
    p = many.adjust(many.p)[many.gap > 0.1]
    assert len(p) == 36 and p.max() <= 0.05 and p.max() - few.adjust(few.p)[0] < 0.002  # Holm would grant 66
    assert (many.adjust(many.p)[np.isclose(many.gap, 0)] == 1).all()


def test_how_often_each_is_the_highest():
    rng = np.random.default_rng(5)
    credit = rng.integers(0, 2, (100, 4)).astype(float)
    credit[:, 3] = credit[:, 2]  # the same one twice: they share
    found = find_chances(draw_headlines(make_units(100), credit, "items"))
    assert np.isclose(found.best.sum(), 1) and np.isclose(found.best[2], found.best[3])
    assert 0.02 < found.luck < 0.1
    alone = find_chances(draw_headlines(make_units(100), credit[:, :1], "items"))
    assert alone.best.tolist() == [1.0] and alone.luck == 0.0


def test_a_single_cluster_tells_nothing():
    units = Units(np.full(5, ""), np.full(5, "one"), np.ones(5))
    drawn = draw_headlines(units, np.eye(5), "items")
    found = compare_pairs(drawn, list_pairs(5))
    assert found.adjust(found.p).tolist() == [1.0] * 10 and np.isnan(find_chances(drawn).best).all()
